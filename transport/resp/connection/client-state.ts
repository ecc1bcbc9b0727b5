/**
 * The state of one client: names, protocol, reply mode. Commands like CLIENT and HELLO change it;
 * CLIENT LIST shows it.
 */
import { DEFAULT_USER } from '../../access/acl/user.ts';
import type { ClientTracking, Invalidated } from '../tracking/client-tracking.ts';

/** `skip-next`: the next command gets no reply; `skip`: that command runs now. */
type ReplyMode = 'on' | 'off' | 'skip-next' | 'skip';

export interface ClientState {
  readonly id: number;
  /** `host:port` of the client. */
  readonly address: string;
  /** `host:port` of our end. */
  readonly localAddress: string;
  /** Monotonic milliseconds. */
  readonly connectedMs: number;
  /** Time of the last request, to the precision of the gateway's ticks. */
  activeMs: number;
  name: string;
  /** The user that has logged in; `default` before that. */
  user: string;
  libName: string;
  libVersion: string;
  protocol: 2 | 3;
  /** The number of the selected one. */
  database: number;
  replyMode: ReplyMode;
  noEvict: boolean;
  noTouch: boolean;
  /** It sees the commands of all clients of the node. */
  isMonitor: boolean;
  /** In lower case, with the subcommand: `client|list`. */
  lastCommand: string;
  /** The last unit failed as a whole. */
  lastUnitFailed: boolean;
  readonly subscriptions: SubscriptionCounts;
}

/** Subscriptions by their kind, and the memory that they take. */
interface SubscriptionCounts {
  channel: number;
  pattern: number;
  shard: number;
  bytes: number;
}

export function isSubscriber({ subscriptions: { channel, pattern, shard } }: ClientState): boolean {
  return channel + pattern + shard > 0;
}

/** A connection as CLIENT sees it. */
export interface ClientView {
  readonly client: ClientState;
  /** Commands queued by MULTI; -1: no block is open. */
  readonly multiCommands: number;
  readonly multiBytes: number;
  /** Bytes received and not executed. */
  readonly inputBytes: number;
  /** Replies that have not left. */
  readonly outputBytes: number;
  /** It closes when its last reply has left. */
  readonly closing: boolean;
  readonly tracking: ClientTracking | undefined;
  /** Keys that another client, or this one, keeps are void. */
  invalidate(keys: Invalidated, isRedirected: boolean): void;
  /** Its command waits until a key is written. */
  readonly isBlocked: boolean;
  /** Ends that as if its time was over, or with an error line; `false`: it is not blocked. */
  unblock(line?: string): boolean;
  /** Closes it at once; a unit in progress still executes. */
  kill(): void;
}

export interface ClientDirectory {
  all(): Iterable<ClientView>;
  byId(id: number): ClientView | undefined;
  readonly size: number;
}

export function newClientState(
  id: number,
  address: string,
  localAddress: string,
  nowMs: number,
): ClientState {
  return {
    id,
    address,
    localAddress,
    connectedMs: nowMs,
    activeMs: nowMs,
    name: '',
    user: DEFAULT_USER,
    libName: '',
    libVersion: '',
    protocol: 2,
    database: 0,
    replyMode: 'on',
    noEvict: false,
    noTouch: false,
    isMonitor: false,
    lastCommand: 'NULL',
    lastUnitFailed: false,
    subscriptions: { channel: 0, pattern: 0, shard: 0, bytes: 0 },
  };
}
