/**
 * One request to an admin port, with a time limit and a size limit. Used by holoctl, by the cluster
 * command and by a node that joins. Not `fetch`: it refuses ports that browsers block, and its kept
 * connections would keep the process alive.
 */
import { type IncomingHttpHeaders, type RequestOptions, request } from 'node:http';
import { type Endpoint, formatEndpoint } from '../endpoint.ts';
import { type SocketFactory, TCP } from '../socket-factory.ts';

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
  readonly headers: IncomingHttpHeaders;
}

interface HttpOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** Of the answer; default 256 MiB. */
  readonly bytesMax?: number;
  /** TCP by default. */
  readonly sockets?: Pick<SocketFactory, 'dial'>;
}

export const NO_ADMIN_PORT =
  'it is not the admin port of a node: give the one that --listen-admin names';
const BYTES_MAX = 256 * 1024 * 1024;

/** @throws Error with a message of the form `host:port: reason`. */
export function httpGet(
  endpoint: Endpoint,
  path: string,
  timeoutMs: number,
  options: HttpOptions = {},
): Promise<HttpAnswer> {
  return ask(endpoint, { path }, '', timeoutMs, options);
}

export function httpPost(
  endpoint: Endpoint,
  path: string,
  body: string,
  timeoutMs: number,
  options: HttpOptions = {},
): Promise<HttpAnswer> {
  return ask(endpoint, { path, method: 'POST' }, body, timeoutMs, options);
}

function ask(
  endpoint: Endpoint,
  what: RequestOptions,
  body: string,
  timeoutMs: number,
  { headers = {}, bytesMax = BYTES_MAX, sockets = TCP }: HttpOptions,
): Promise<HttpAnswer> {
  const { host, port } = endpoint;
  return new Promise((resolve, reject) => {
    const fail = (reason: string): void => {
      reject(new Error(`${formatEndpoint(endpoint)}: ${reason}`));
    };
    const createConnection = () => sockets.dial(endpoint, () => undefined);
    const options = { ...what, headers, host, port, setHost: true, createConnection };
    const asked = request(options, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > bytesMax) {
          fail(`the answer is longer than ${bytesMax} bytes`);
          asked.destroy();
        }
      });
      response.on('error', (error) => fail(error.message));
      response.on('end', () => {
        clearTimeout(timer);
        const { statusCode: status = 0, headers: told } = response;
        resolve({ status, body: Buffer.concat(chunks).toString('utf8'), headers: told });
      });
    });
    const timer = setTimeout(() => {
      fail(`no answer within ${timeoutMs} ms: the node is stopped, overloaded or cut off`);
      asked.destroy();
    }, timeoutMs);
    asked.on('error', (error) => fail(reasonOf(error)));
    asked.on('close', () => clearTimeout(timer));
    asked.end(body);
  });
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there: is the node running, and is this its --listen-admin?',
  ECONNRESET: NO_ADMIN_PORT,
  ENOTFOUND: 'no machine has that name: is it spelled correctly?',
  EAI_AGAIN: 'the name lookup failed: use an IP address, or check the name server',
  EHOSTUNREACH: 'no route to that machine: is it up, and does a firewall block this?',
  ENETUNREACH: 'no route to that network',
};

function reasonOf(error: NodeJS.ErrnoException): string {
  const { code = '' } = error;
  return code.startsWith('HPE_') ? NO_ADMIN_PORT : (REASONS[code] ?? error.message);
}
