/**
 * One GET to an admin port, with a time limit and a size limit. Used by holoctl, by the cluster
 * command and by a node that joins. Not `fetch`: that one refuses ports that browsers find
 * dangerous, and keeps connections that would keep the process alive.
 */
import { get } from 'node:http';
import { type Endpoint, formatEndpoint } from '../endpoint.ts';

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/** @throws Error with a message of the form `host:port: reason`. */
export function httpGet(
  endpoint: Endpoint,
  path: string,
  timeoutMs: number,
  bytesMax = 256 * 1024 * 1024,
): Promise<HttpAnswer> {
  const { host, port } = endpoint;
  return new Promise((resolve, reject) => {
    const fail = (reason: string): void => {
      reject(new Error(`${formatEndpoint(endpoint)}: ${reason}`));
    };
    const request = get({ host, port, path, agent: false, setHost: true }, (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > bytesMax) {
          fail(`its answer is longer than ${bytesMax} bytes`);
          request.destroy();
        }
      });
      response.on('error', (error) => fail(error.message));
      response.on('end', () => {
        clearTimeout(timer);
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') });
      });
    });
    const timer = setTimeout(() => {
      fail(`no answer within ${timeoutMs} ms`);
      request.destroy();
    }, timeoutMs);
    request.on('error', (error) => fail(reasonOf(error)));
    request.on('close', () => clearTimeout(timer));
  });
}

function reasonOf(error: NodeJS.ErrnoException): string {
  if (error.code === 'ECONNREFUSED') return 'nothing listens there';
  if (error.code?.startsWith('HPE_') || error.code === 'ECONNRESET') {
    return 'it is not the admin port of a node';
  }
  return error.message;
}
