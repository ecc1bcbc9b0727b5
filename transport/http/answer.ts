/** Answers of the admin port, and how they are sent. */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { writePaced } from './paced-writer.ts';

export interface Answer {
  readonly code: number;
  readonly type: string;
  /** An iterable is written as the reader takes it. */
  readonly body: string | Buffer | Iterable<string>;
  readonly headers?: OutgoingHttpHeaders;
  /** Called when the answer is written, or its reader gone. */
  readonly done?: (busyMs: number) => void;
}

export const JSON_TYPE = 'application/json';
const TEXT_TYPE = 'text/plain; charset=utf-8';
const AGAIN_SECONDS = 1;
const SECURITY_HEADERS = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Content-Security-Policy':
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
};
const YEAR_SECONDS = 31_536_000;

export function textAnswer(code: number, text: string, headers: OutgoingHttpHeaders = {}): Answer {
  return { code, type: TEXT_TYPE, body: `${text}\n`, headers };
}

export function jsonAnswer(value: unknown, headers: OutgoingHttpHeaders = {}): Answer {
  return { code: 200, type: JSON_TYPE, body: `${JSON.stringify(value)}\n`, headers };
}

/** holoctl asks again. */
export function busy(why: string): Answer {
  return textAnswer(503, `${why}: ask again`);
}

/** `stalledMsMax`: a reader that has taken nothing for so long is given up. */
export function send(
  request: IncomingMessage,
  response: ServerResponse,
  answer: Answer,
  { stalledMsMax, isTls }: { readonly stalledMsMax: number; readonly isTls: boolean },
): void {
  const { code, type, body, headers = {}, done = () => undefined } = answer;
  if (response.headersSent) return done(0);
  const isWhole = typeof body === 'string' || Buffer.isBuffer(body);
  const length = isWhole ? { 'Content-Length': Buffer.byteLength(body) } : undefined;
  response.writeHead(code, {
    'Content-Type': type,
    ...length,
    ...(code === 503 ? { 'Retry-After': AGAIN_SECONDS } : {}),
    ...SECURITY_HEADERS,
    ...(isTls ? { 'Strict-Transport-Security': `max-age=${YEAR_SECONDS}` } : {}),
    ...headers,
  });
  if (isWhole || request.method === 'HEAD') {
    response.end(request.method === 'HEAD' ? undefined : body);
    return done(0);
  }
  writePaced(body, response, { stalledMsMax }).then(done, () => done(0));
}
