/**
 * The messages between the page and the console of a node, version 1 (docs/console.md). Each is a
 * map in CBOR, one per WebSocket message. What the page sends is judged here before anything acts
 * on it. Pure.
 */
import { decodeCbor } from '../cbor.ts';
import type { ConsoleCredentials } from '../http/console-door.ts';

export const CONSOLE_VERSION = 1;

/** Of one message of the page: more closes the socket. */
export const MESSAGE_BYTES_MAX = 64 * 1024;
export const SUBSCRIPTIONS_MAX = 4;
const TEXT_CHARS_MAX = 4_096;
const ARGS_MAX = 16;

/** Views that are told again and again. */
const LIVE_VIEWS = ['overview', 'ranges', 'heat', 'actors', 'holofast'] as const;
export type LiveView = (typeof LIVE_VIEWS)[number];

export type Args = Readonly<Record<string, string | number | boolean>>;

export type PageMessage =
  /** The first one; a later one changes the user. */
  | { readonly type: 'hello'; readonly version: number; readonly credentials: ConsoleCredentials }
  | {
      readonly type: 'subscribe';
      readonly id: number;
      readonly view: LiveView;
      readonly args: Args;
    }
  | { readonly type: 'unsubscribe'; readonly id: number }
  /** A question that is answered once. */
  | { readonly type: 'ask'; readonly id: number; readonly what: string; readonly args: Args };

export interface NodeAddress {
  readonly node: number;
  /** `host:port` of its admin port; undefined: it has not been heard of yet. */
  readonly admin: string | undefined;
}

export type ConsoleMessage =
  | {
      readonly type: 'welcome';
      readonly version: number;
      readonly node: number;
      readonly clusterId: string;
      readonly user: string | undefined;
      /** Undefined: only what needs no role. */
      readonly role: string | undefined;
      /** Why the credentials were refused, where some were given. */
      readonly refused: string | undefined;
      readonly nodes: readonly NodeAddress[];
    }
  | {
      readonly type: 'view';
      readonly id: number;
      /** CBOR of `{atMs, data}`: Unix time by the node that serves the page, and the view. */
      readonly body: Uint8Array;
    }
  | { readonly type: 'answer'; readonly id: number; readonly data: unknown }
  /** To a subscription or a question. */
  | { readonly type: 'refused'; readonly id: number; readonly reason: string };

/** A text says what is wrong with the message. */
export function parsePageMessage(bytes: Uint8Array): PageMessage | string {
  let value: unknown;
  try {
    value = decodeCbor(bytes);
  } catch {
    return 'a message is no CBOR';
  }
  if (!isMap(value)) return 'a message is not a map';
  switch (value['type']) {
    case 'hello':
      return helloOf(value);
    case 'subscribe':
      return subscribeOf(value);
    case 'unsubscribe':
      return isId(value['id']) ? { type: 'unsubscribe', id: value['id'] } : 'no id';
    case 'ask':
      return askOf(value);
    default:
      return 'a message of an unknown type';
  }
}

type FieldMap = Readonly<Record<string, unknown>>;

function helloOf({ version, credentials }: FieldMap): PageMessage | string {
  if (version !== CONSOLE_VERSION) {
    return `this node speaks version ${CONSOLE_VERSION} of the console: load the page anew`;
  }
  const known = credentials === undefined ? { type: 'none' as const } : credentialsOf(credentials);
  return known === undefined ? 'no credentials' : { type: 'hello', version, credentials: known };
}

function credentialsOf(value: unknown): ConsoleCredentials | undefined {
  if (!isMap(value)) return undefined;
  const { type, token, user, password } = value;
  if (type === 'none') return { type };
  if (type === 'token' && isText(token)) return { type, token };
  if (type === 'password' && isText(user) && isText(password)) return { type, user, password };
  return undefined;
}

function subscribeOf({ id, view, args }: FieldMap): PageMessage | string {
  const known = LIVE_VIEWS.find((each) => each === view);
  if (known === undefined) return 'a subscription to no view';
  if (!isId(id) || !isArgs(args)) return 'a subscription that is malformed';
  return { type: 'subscribe', id, view: known, args };
}

function askOf({ id, what, args }: FieldMap): PageMessage | string {
  if (!isId(id) || !isText(what) || !isArgs(args)) return 'a question that is malformed';
  return { type: 'ask', id, what, args };
}

export function isArgs(value: unknown): value is Args {
  if (!isMap(value)) return false;
  const parts = Object.entries(value);
  return (
    parts.length <= ARGS_MAX &&
    parts.every(
      ([name, part]) =>
        isText(name) && (isText(part) || typeof part === 'boolean' || Number.isFinite(part)),
    )
  );
}

function isMap(value: unknown): value is FieldMap {
  return typeof value === 'object' && value !== null && value.constructor === Object;
}

function isId(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= TEXT_CHARS_MAX;
}
