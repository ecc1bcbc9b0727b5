/**
 * The limits of one request, one connection and one unit. Read by the parser, the connections and
 * the gateway; settings may change the values while running.
 */
import { ARGUMENTS_MAX, VALUE_BYTES_MAX } from '../../storage/limits.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** Replies of one part; with more, reads that follow are left to the next one. */
export const REPLY_BYTES_MAX = 4 * MIB;
/**
 * Memory of the replies of one part. A GET of the largest value fits, alone or in a MULTI block,
 * and leaves the same room for other replies.
 */
export const KEPT_REPLY_BYTES_MAX = 2 * VALUE_BYTES_MAX + MIB;
const REPLY_WINDOW_BYTES = MIB;
/** Replies of local commands in one turn. */
const LOCAL_REPLY_BYTES_MAX = MIB;
/** The output limit must hold the longest reply of a local command: ECHO of the largest value. */
export const OUTPUT_BYTES_MIN = 2 * VALUE_BYTES_MAX + 4 * LOCAL_REPLY_BYTES_MAX;

export interface RequestLimits {
  /** Bytes of an inline request without its newline; Redis: PROTO_INLINE_MAX_SIZE. */
  inlineBytesMax: number;
  /** Bytes of one argument; Redis: proto-max-bulk-len. */
  requestBulkBytesMax: number;
  /** Arguments of one command, its name included. */
  argumentsMax: number;
  /** Bytes of one command with all its arguments. */
  requestBytesMax: number;
}

/** Redis' client-output-buffer-limit of one class of clients; 0: no limit. */
interface OutputLimit {
  readonly hardBytes: number;
  /** May be exceeded for `softSeconds`. */
  readonly softBytes: number;
  readonly softSeconds: number;
}

export const PIPELINE_ORDERS = ['range', 'connection'] as const;

export type PipelineOrder = (typeof PIPELINE_ORDERS)[number];

export interface GatewayLimits extends RequestLimits {
  /** Bytes of one unit; a single command may be longer and then travels alone. */
  unitBytesMax: number;
  unitCommandsMax: number;
  /** Unparsed bytes while a unit is in progress; beyond, the socket is paused. */
  pendingBytesMax: number;
  /** Replies that the client has not read; beyond, it is disconnected. */
  outputBytesMax: number;
  /** Replies of one part that are on their way from the store to a connection that takes them. */
  replyWindowBytes: number;
  /** Replies of local commands produced in one turn; beyond, the rest waits for the next turn. */
  localReplyBytesMax: number;
  /** Commands that one MULTI block may queue; beyond, EXEC answers EXECABORT. */
  multiCommandsMax: number;
  /** Bytes that one MULTI block may queue; beyond, EXEC answers EXECABORT. */
  multiBytesMax: number;
  /**
   * Keys that a unit, and so a command or a MULTI block, may name: every node takes time for each,
   * and nothing else runs meanwhile. More are refused.
   */
  transactionKeysMax: number;
  /** Subscriptions of one connection: channels, patterns and shard channels. */
  subscriptionsMax: number;
  /** Of clients with subscriptions: what they have not read; beyond, they are disconnected. */
  pubsubOutput: OutputLimit;
  /** Keys that one connection may watch. */
  watchedKeysMax: number;
  /** CONFIG SET of settings of the cluster waits this long until every node has the change. */
  settingWaitMsMax: number;
  /** A request that stays incomplete for this long closes its connection. */
  partialRequestMsMax: number;
  /** A connection without a request for this long is closed; 0: never. */
  idleTimeoutMs: number;
  maxClients: number;
  /** Memory of the node, see `memory-budget.ts`; 0: `derivedMemoryBytes`. */
  memoryBytesMax: number;
  readonly derivedMemoryBytes: number;
  /** The clients' share of it; 0: a quarter. */
  clientMemoryBytesMax: number;
  /** The operating system's limit: `maxClients` cannot be set higher. */
  readonly clientsMax: number;
  /** Effects of a connection are in order within each range, or all of them are. */
  readonly pipelineOrder: PipelineOrder;
  /** Bytes of one transaction: no setting of requests, units or blocks may exceed it. */
  readonly transactionBytesMax: number;
}

/** Connections share this object: a changed value takes effect at once. */
export function defaultLimits(): GatewayLimits {
  return {
    inlineBytesMax: 64 * KIB,
    requestBulkBytesMax: 16 * MIB,
    argumentsMax: ARGUMENTS_MAX,
    requestBytesMax: 64 * MIB,
    unitBytesMax: MIB,
    unitCommandsMax: 16_384,
    pendingBytesMax: MIB,
    outputBytesMax: OUTPUT_BYTES_MIN,
    replyWindowBytes: REPLY_WINDOW_BYTES,
    localReplyBytesMax: LOCAL_REPLY_BYTES_MAX,
    multiCommandsMax: 16_384,
    multiBytesMax: 16 * MIB,
    transactionKeysMax: 16_384,
    subscriptionsMax: 65_536,
    pubsubOutput: { hardBytes: 32 * MIB, softBytes: 8 * MIB, softSeconds: 60 },
    watchedKeysMax: 16_384,
    settingWaitMsMax: 10_000,
    partialRequestMsMax: 30_000,
    idleTimeoutMs: 0,
    pipelineOrder: 'range',
    maxClients: 10_000,
    memoryBytesMax: 0,
    derivedMemoryBytes: 4 * GIB,
    clientMemoryBytesMax: 0,
    clientsMax: 1_000_000,
    transactionBytesMax: 64 * MIB,
  };
}
