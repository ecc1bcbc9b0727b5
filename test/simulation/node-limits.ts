/** The limits of a run as the parts of a node want to be told them. */
import type { NodeLimits } from '../../actors/node/node-parts.ts';
import type { SyncPolicyOptions } from '../../wal/sync-policy.ts';
import type { WalOptions } from '../../wal/wal-options.ts';
import { type LimitName, type Limits, LOG_RECORD_BYTES_MAX, SEGMENT_UNIT_BYTES } from './limits.ts';
import type { Profile } from './profile.ts';

const TICK_MS = 20;
const JUMPS_US_MAX = 60_000_000;
const DRIFT_US_MAX = 100_000;
const LATE_MAILBOX = 8;
const HELD_BYTES_MIN = 8_192;

/** The drawn limits, with those that the profile sets itself. */
export function limitsOf(profile: Profile): Limits {
  const names = Object.keys(profile.limits) as LimitName[];
  const set = names.map((name) => [name, profile[name] ?? profile.limits[name]] as const);
  return Object.fromEntries(set) as Limits;
}

export function nodeLimits(profile: Profile): NodeLimits {
  const limits = limitsOf(profile);
  const { pipelineDepth, commandTimeoutMs, flushEveryMs, reserveMs } = profile;
  const reserveUs = Math.ceil(1_000 * reserveMs);
  // Each part takes its own and leaves the others. The log's are derived as `start-node.ts` does.
  return {
    ...limits,
    backlogBytesMax: backlogBytesMaxOf(profile),
    unloggedBytesMax: Math.min(limits.unloggedBytesMax, limits.pendingBytesMax / 2),
    turnRecordBytesMax: limits.pendingBytesMax / 4,
    mailboxMax: mailboxMaxOf(profile),
    clock: { ...limits, reserveUs, skewUsMax: skewUsMaxOf(profile) },
    replica: {
      ...limits,
      heldBytesMax: heldBytesMaxOf(profile),
      barrierMsMax: barrierMsMaxOf(profile),
      ...profile.replicaLimits,
    },
    coordinator: limits,
    batch: { ...limits, pipelineDepth },
    snapshots: { chunkBytes: 512, bytesPerS: 1024 * 1024, leftRetentionMs: 300, lackingMs: 200 },
    commandTimeoutMs,
    flushEveryMs,
    tickMs: TICK_MS,
  };
}

/** Clocks that are never set right must be within the limit, or a majority never agrees. */
function skewUsMaxOf(profile: Profile): number {
  const { skewUsMax } = profile.limits;
  if (profile.skewUsMax !== undefined) return profile.skewUsMax;
  if (profile.clockJumps || profile.setBackMsMax > 0) return Math.max(skewUsMax, JUMPS_US_MAX);
  return Math.max(skewUsMax, 2_000 * profile.skewMs + DRIFT_US_MAX);
}

/** One transaction of each member, or what they hold at once may be finished too late for a run. */
function heldBytesMaxOf(profile: Profile): number {
  const { heldBytesMax } = limitsOf(profile);
  return Math.max(heldBytesMax, HELD_BYTES_MIN * profile.nodes);
}

/**
 * As a real node derives one from the other: a node begins no more than its peers have room for, or
 * none of them could finish what the others have begun.
 */
function backlogBytesMaxOf(profile: Profile): number {
  const { backlogBytesMax } = limitsOf(profile);
  const room = heldBytesMaxOf(profile) - HELD_BYTES_MIN * profile.nodes;
  return Math.min(backlogBytesMax, Math.max(1, Math.floor(room / 2)));
}

/** A barrier takes four turns, and a tick: with less time than that no read is ever served. */
function barrierMsMaxOf(profile: Profile): number {
  return Math.max(limitsOf(profile).barrierMsMax, 2 * (4 * profile.turnDelayMsMax + TICK_MS));
}

/** A turn takes what is in the mailbox: late turns of one message each fall behind for ever. */
function mailboxMaxOf(profile: Profile): number {
  const { mailboxMax } = profile.limits;
  if (profile.mailboxMax !== undefined) return profile.mailboxMax;
  return profile.turnDelayMsMax > 0 ? Math.max(mailboxMax, LATE_MAILBOX) : mailboxMax;
}

export function logLimits(profile: Profile): Omit<WalOptions, 'newLogId'> {
  const limits = limitsOf(profile);
  const bytes = Math.min(profile.segmentBytes, limits.segmentBytesMax);
  const segmentBytes = Math.ceil(bytes / SEGMENT_UNIT_BYTES) * SEGMENT_UNIT_BYTES;
  const { writeBytesMax, pendingBytesMax, commitsWaitingMax, sparesMax } = limits;
  const batchBytesMax = Math.min(writeBytesMax, segmentBytes / 4);
  const recordBytesMax = LOG_RECORD_BYTES_MAX;
  const sizes = { segmentBytes, batchBytesMax, recordBytesMax };
  return { ...sizes, pendingBytesMax, commitsWaitingMax, sparesMax };
}

export function syncPolicyOf(profile: Profile): SyncPolicyOptions {
  const { syncPolicy } = profile;
  const { groupCommitMsMax, lazySyncMsMax, syncWaitBytesMax } = limitsOf(profile);
  const waitBytesMax = syncWaitBytesMax;
  return { name: syncPolicy, groupCommitMsMax, lazySyncMsMax, waitBytesMax };
}
