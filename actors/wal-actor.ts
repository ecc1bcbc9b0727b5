/**
 * WalWriter: the only one that writes and syncs the node's log. Takes records from every store,
 * commits them together as the sync policy says, and tells each store when its records are on
 * disk. A log that cannot be written any more stops the node: a failed sync is never retried.
 */

import { NEVER, SyncPolicy, type SyncPolicyOptions } from '../wal/sync-policy.ts';
import type { WriteAheadLog } from '../wal/write-ahead-log.ts';
import type { ActorRef } from './runtime/actor-ref.ts';
import type { ActorContext, Behavior } from './runtime/behavior.ts';

export interface LogRecord {
  readonly type: number;
  readonly parts: readonly Uint8Array[];
}

export interface ReplayedRecord {
  readonly lsn: number;
  readonly type: number;
  readonly payload: Uint8Array;
}

export type WalMessage =
  /** One turn's records of one store, in order. `urgent`: replies wait for them. */
  | {
      readonly type: 'Append';
      readonly store: number;
      readonly records: readonly LogRecord[];
      readonly urgent: boolean;
      readonly token: number;
      readonly replyTo: ActorRef<WalReply>;
    }
  /** Answers when everything appended so far is durable. */
  | { readonly type: 'Sync'; readonly token: number; readonly replyTo: ActorRef<WalReply> }
  /** All records of a store, as they are on disk; what is still pending is synced first. */
  | { readonly type: 'Replay'; readonly store: number; readonly replyTo: ActorRef<WalReplay> }
  /** A store no longer needs what is below this LSN. */
  | { readonly type: 'Truncate'; readonly store: number; readonly fromLsn: number }
  | { readonly type: 'Timer' }
  | { readonly type: 'Written'; readonly error: Error | undefined; readonly durableLsn: number };

export interface WalReply {
  readonly type: 'Durable';
  readonly token: number;
  /** LSN of the first record of that message; 0 for `Sync`. */
  readonly firstLsn: number;
}

export interface WalReplay {
  readonly type: 'Replayed';
  readonly records: readonly ReplayedRecord[];
}

export interface WalOptions {
  /** Opens the log and hands out every record on disk. Called again for each replay. */
  readonly open: (
    onRecord: (record: ReplayedRecord & { readonly store: number }) => void,
  ) => WriteAheadLog;
  readonly policy: SyncPolicyOptions;
  readonly observe?: (syncMs: number, log: WriteAheadLog) => void;
}

interface Waiting {
  readonly lsn: number;
  readonly reply: WalReply;
  readonly replyTo: ActorRef<WalReply>;
}

export function walActor(
  context: ActorContext<WalMessage>,
  options: WalOptions,
): Behavior<WalMessage> {
  const { clock } = context;
  const policy = new SyncPolicy(options.policy);
  const needed = new Map<number, number>();
  let waiting: Waiting[] = [];
  let replays: Array<Extract<WalMessage, { type: 'Replay' }>> = [];
  let found: Map<number, ReplayedRecord[]> | undefined = new Map();
  let log = open();
  let inFlight = false;
  let startedMs = 0;

  function open(): WriteAheadLog {
    const byStore = new Map<number, ReplayedRecord[]>();
    found = byStore;
    return options.open(({ store, lsn, type, payload }) => {
      const records = byStore.get(store);
      if (records === undefined) byStore.set(store, [{ lsn, type, payload }]);
      else records.push({ lsn, type, payload });
    });
  }

  function append(message: Extract<WalMessage, { type: 'Append' }>): void {
    found = undefined;
    const firstLsn = log.appendedLsn + 1;
    const { records, urgent, store, token, replyTo } = message;
    for (const { type, parts } of records) log.append(store, type, parts);
    policy.appended(urgent ? records.length : 0, urgent ? 0 : records.length, clock.monotonicMs());
    waiting.push({
      lsn: log.appendedLsn,
      reply: { type: 'Durable', token, firstLsn },
      replyTo,
    });
    consider('record');
  }

  function consider(moment: 'record' | 'turn'): void {
    const nowMs = clock.monotonicMs();
    const at = policy.commitAt(moment, nowMs, inFlight, log.pendingBytes);
    if (at === NEVER) return;
    if (at > nowMs) {
      context.timers.start('commit', at - nowMs, { type: 'Timer' });
      return;
    }
    inFlight = true;
    startedMs = nowMs;
    policy.committed();
    log.commit((error, durableLsn) => {
      context.thisIncarnation.tell({ type: 'Written', error, durableLsn });
    });
  }

  function written(error: Error | undefined): void {
    inFlight = false;
    if (error !== undefined) context.fatal(error);
    options.observe?.(clock.monotonicMs() - startedMs, log);
    answer();
    replay();
  }

  function answer(): void {
    let answered = 0;
    for (const { lsn, reply, replyTo } of waiting) {
      if (lsn > log.durableLsn) break;
      replyTo.tell(reply);
      answered += 1;
    }
    if (answered > 0) waiting = waiting.slice(answered);
  }

  /** A store has lost its memory: read again what is on disk, once nothing is pending. */
  function replay(): void {
    if (replays.length === 0 || inFlight) return;
    if (log.durableLsn < log.appendedLsn) {
      policy.flush();
      return;
    }
    if (found === undefined) {
      log.close();
      log = open();
    }
    for (const { store, replyTo } of replays) {
      replyTo.tell({ type: 'Replayed', records: found?.get(store) ?? [] });
    }
    replays = [];
  }

  return {
    receive(message) {
      switch (message.type) {
        case 'Append':
          return append(message);
        case 'Sync': {
          const { token, replyTo } = message;
          const reply = { type: 'Durable', token, firstLsn: 0 } as const;
          waiting.push({ lsn: log.appendedLsn, reply, replyTo });
          policy.flush();
          return;
        }
        case 'Replay':
          replays.push(message);
          return;
        case 'Truncate': {
          needed.set(message.store, message.fromLsn);
          return log.truncateBefore(Math.min(...needed.values()));
        }
        case 'Timer':
          return;
        case 'Written':
          return written(message.error);
      }
    },
    turnEnd() {
      answer();
      replay();
      consider('turn');
    },
    stopped() {
      log.close();
    },
    describe: () => ({
      appendedLsn: log.appendedLsn,
      durableLsn: log.durableLsn,
      pendingBytes: log.pendingBytes,
      bytes: log.bytes,
      policy: policy.name,
    }),
  };
}
