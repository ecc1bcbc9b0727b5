/** Questions of `holoctl` to admin ports. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Endpoint, formatEndpoint } from '../endpoint.ts';
import { httpGet, NO_ADMIN_PORT } from '../http/http-get.ts';
import { isNodeStatus, type NodeStatus } from '../http/node-status.ts';

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
    const { status, body } = await httpGet(endpoint, path, timeoutMs, BYTES_MAX);
    if (status === 200) return body;
    const isBusy = status === 503 && body.includes('ask again');
    if (!isBusy || tries >= TRIES_MAX) {
      const reason = body.trim().slice(0, 200) || `HTTP status ${status}`;
      throw new Error(`${formatEndpoint(endpoint)}: ${reason}`);
    }
    await sleep(AGAIN_MS);
  }
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
