/** Questions of `holoctl` to admin ports. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Endpoint, formatEndpoint } from '../endpoint.ts';
import { OPERATOR_HEADER, TOKEN_FILE_HEADER } from '../http/admin-access.ts';
import { type HttpAnswer, httpGet, httpPost, NO_ADMIN_PORT } from '../http/http-get.ts';
import { isNodeStatus, type NodeStatus } from '../http/node-status.ts';
import { admin } from './credentials.ts';

const TIMEOUT_MS = 5_000;
const BYTES_MAX = 1024 ** 3;
/** A node that is busy with such an answer is asked again, so often and after so long. */
const TRIES_MAX = 20;
const AGAIN_MS = 500;

/** @throws Error of the form `host:port: reason`. */
export async function ask(
  endpoint: Endpoint,
  path: string,
  timeoutMs: number = TIMEOUT_MS,
): Promise<string> {
  for (let tries = 1; ; tries += 1) {
    const { status, body } = await withCredentials(endpoint, (headers) =>
      httpGet(endpoint, path, timeoutMs, { headers, bytesMax: BYTES_MAX, ...admin.sockets() }),
    );
    if (status === 200) return body;
    const isBusy = status === 503 && body.includes('ask again');
    if (!isBusy || tries >= TRIES_MAX) {
      const reason = body.trim().slice(0, 200) || `HTTP status ${status}`;
      throw new Error(`${formatEndpoint(endpoint)}: ${reason}`);
    }
    await sleep(AGAIN_MS);
  }
}

/** A request that changes something. @throws Error of the form `host:port: reason`. */
export function change(endpoint: Endpoint, path: string): Promise<HttpAnswer> {
  return withCredentials(endpoint, (credentials) => {
    const headers = { ...credentials, [OPERATOR_HEADER]: 'holoctl' };
    return httpPost(endpoint, path, '', TIMEOUT_MS, { headers, ...admin.sockets() });
  });
}

/** The answer to it, where it is done. @throws Error as `ask` does, with what the node says. */
export async function changed(endpoint: Endpoint, path: string): Promise<string> {
  const { status, body } = await change(endpoint, path);
  if (status === 200) return body.trim();
  throw new Error(refusalText(endpoint, body));
}

export function refusalText(endpoint: Endpoint, body: string): string {
  return `${formatEndpoint(endpoint)}: ${body.trim().slice(0, 300)}`;
}

/** A node of this machine that wants credentials names the file with its token. */
async function withCredentials(
  endpoint: Endpoint,
  asked: (headers: Readonly<Record<string, string>>) => Promise<HttpAnswer>,
): Promise<HttpAnswer> {
  const answer = await asked(admin.headersFor(endpoint));
  const named = answer.headers[TOKEN_FILE_HEADER];
  if (answer.status !== 401 || typeof named !== 'string') return answer;
  return admin.learn(endpoint, named) ? asked(admin.headersFor(endpoint)) : answer;
}

/** An answer that must be JSON; @throws Error of the form `host:port: reason`. */
export async function askJson(
  endpoint: Endpoint,
  path: string,
  timeoutMs: number = TIMEOUT_MS,
): Promise<unknown> {
  const text = await ask(endpoint, path, timeoutMs);
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${formatEndpoint(endpoint)}: ${NO_ADMIN_PORT}`);
  }
}

/** A text says why there is none. */
export async function askStatus(endpoint: Endpoint): Promise<NodeStatus | string> {
  try {
    const value: unknown = JSON.parse(await ask(endpoint, '/status'));
    return isNodeStatus(value) ? value : NO_ADMIN_PORT;
  } catch (error) {
    if (error instanceof SyntaxError) return NO_ADMIN_PORT;
    // The address has a column of its own.
    const message = error instanceof Error ? error.message : String(error);
    return message.slice(`${formatEndpoint(endpoint)}: `.length);
  }
}
