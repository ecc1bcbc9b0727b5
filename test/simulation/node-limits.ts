/** The limits of a run as the parts of a node want to be told them. */
import type { NodeLimits } from '../../actors/node/node.ts';
import type { SyncPolicyOptions } from '../../wal/sync-policy.ts';
import type { WalOptions } from '../../wal/wal-options.ts';
import { LOG_RECORD_BYTES_MAX } from './limits.ts';
import type { Profile } from './profile.ts';

const TICK_MS = 20;

export function nodeLimits(profile: Profile): NodeLimits {
  const { limits, pipelineDepth, commandTimeoutMs, flushEveryMs, mailboxMax } = profile;
  const { replicaLimits, unloggedBytesMax, reserveMs, handOverMax, turnsMax } = profile;
  const { unitWriteBytesMax, unflushedBytesMax } = profile;
  const { transactionBytesMax, transactionCommandsMax, readPipelineDepth, waitingMax } = limits;
  const { cacheBytesMax, dirtyBytesMax, replyBytesMax, retainedBytesMax } = limits;
  const sizes = { batchBytesMax: transactionBytesMax, batchCommandsMax: transactionCommandsMax };
  return {
    clock: { reserveUs: Math.ceil(1_000 * reserveMs) },
    // Both take their own and leave the others.
    replica: { ...limits, ...replicaLimits },
    coordinator: limits,
    batch: { ...sizes, pipelineDepth, readPipelineDepth, waitingMax },
    commandTimeoutMs,
    cacheBytesMax,
    dirtyBytesMax,
    flushEveryMs,
    replyBytesMax,
    retainedBytesMax,
    tickMs: TICK_MS,
    mailboxMax,
    handOverMax,
    turnsMax,
    unitWriteBytesMax,
    unflushedBytesMax,
    ...(unloggedBytesMax === undefined ? {} : { unloggedBytesMax }),
  };
}

export function logLimits({ limits, segmentBytes }: Profile): Omit<WalOptions, 'newLogId'> {
  const { writeBytesMax, pendingBytesMax, commitsWaitingMax, sparesMax } = limits;
  const batchBytesMax = Math.min(writeBytesMax, segmentBytes / 4);
  const recordBytesMax = LOG_RECORD_BYTES_MAX;
  const sizes = { segmentBytes, batchBytesMax, recordBytesMax };
  return { ...sizes, pendingBytesMax, commitsWaitingMax, sparesMax };
}

export function syncPolicyOf({ limits, syncPolicy }: Profile): SyncPolicyOptions {
  const { lazySyncMsMax, syncWaitBytesMax } = limits;
  return { name: syncPolicy, lazySyncMsMax, waitBytesMax: syncWaitBytesMax };
}
