/**
 * Every limit of a node, drawn per seed down to 1: the behaviour at a limit needs tests too, and no
 * run reaches it at the sizes of production. Most limits of a run keep their usual size, so that
 * the run makes progress.
 */
import { MEMBERS_MAX } from '../../actors/accord/topology/group.ts';
import type { Rng } from '../../actors/runtime/ports/ports.ts';
import {
  KEYS_IN_UNIT_MAX,
  SPANNING_READ_BYTES_MAX,
  UNIT_WRITE_BYTES_MAX,
} from '../../storage/limits.ts';
import { UNFLUSHED_BYTES_MAX_DEFAULT } from '../../storage/state-machine.ts';
import { KEPT_REPLY_BYTES_MAX, REPLY_BYTES_MAX } from '../../transport/resp/limits.ts';

/** Largest record of the log: what all clients can have under way at once is less. */
export const LOG_RECORD_BYTES_MAX = 1024 ** 2;

export const SEGMENT_UNIT_BYTES = 4_096;

/** By name: the smallest value that is drawn, and the usual one. */
export const RANGES = {
  // The replica's.
  barrierIdsMax: [1, 4_096],
  listIdsMax: [1, 4_096],
  fetchBytesMax: [1, 4 * 2 ** 20],
  heldBytesMax: [1, 2 ** 30],
  progressDelayMs: [20, 400],
  ownProgressDelayMs: [20, 2_000],
  progressDelayMsMax: [50, 4_000],
  durabilityEveryMs: [20, 500],
  durabilityLagMs: [100, 1_000],
  standInMs: [50, 5_000],
  hintEveryMs: [20, 2_000],
  hintFetchEveryMs: [1, 100],
  barriersMax: [1, 64],
  barrierWaitsMax: [1, 16_384],
  barrierResendMs: [1, 100],
  barrierMsMax: [20, 10_000],
  // The coordinator's.
  recoveriesMax: [1, 256],
  slowPathMs: [1, 20],
  slowPathMsMax: [1, 250],
  resendMs: [20, 250],
  // The batcher's.
  batchBytesMax: [1, 2 ** 20],
  batchCommandsMax: [1, 16_384],
  batchKeysMax: [1, 16_384],
  // With less, no client could write at all.
  transactionBytesMax: [256, 48 * 2 ** 20],
  readPipelineDepth: [1, 2],
  readTriesMax: [1, 3],
  footprintTriesMax: [1, 3],
  keyFindersMax: [1, 1_024],
  wideRunsMax: [1, 1_024],
  waitingMax: [1, 65_536],
  // The clock's.
  skewUsMax: [1, 60_000_000],
  probeEveryMs: [20, 500],
  // Three probes, or no clock is known for long enough.
  readingMsMax: [1_500, 10_000],
  roundTripMsMax: [1, 500],
  // The node's.
  cacheBytesMax: [1, 2 ** 20],
  dirtyBytesMax: [1, 64 * 1_024],
  replyBytesMax: [1, REPLY_BYTES_MAX],
  keptReplyBytesMax: [1, KEPT_REPLY_BYTES_MAX],
  replyWindowBytes: [1, 2 ** 20],
  listingsMax: [1, 16],
  viewChangesMax: [1, 1_000_000],
  sliceCommandsMax: [1, 16_384],
  stepElementsMax: [1, 256],
  heldReplyBytesMax: [1, 2 ** 29],
  heldEventsMax: [1, 65_536],
  retainedBytesMax: [1, 64 * 2 ** 20],
  backlogBytesMax: [1, 64 * 2 ** 20],
  mailboxMax: [1, 65_536],
  handOverMax: [1, 4_096],
  turnsMax: [1, 1_024],
  unloggedBytesMax: [1, 32 * 2 ** 20],
  unflushedBytesMax: [1, UNFLUSHED_BYTES_MAX_DEFAULT],
  unitWriteBytesMax: [1, UNIT_WRITE_BYTES_MAX],
  // A message to every peer, or no recovery that waits for a reservation can begin.
  outboxHeldMax: [MEMBERS_MAX - 1, 65_536],
  earlyMax: [1, 65_536],
  trafficKeptMax: [1, 1_024],
  // The log's.
  writeBytesMax: [1, 64 * 1_024],
  pendingBytesMax: [LOG_RECORD_BYTES_MAX, 64 * 2 ** 20],
  commitsWaitingMax: [1, 4_096],
  sparesMax: [1, 2],
  segmentBytesMax: [SEGMENT_UNIT_BYTES, 256 * 1_024],
  groupCommitMsMax: [1, 2],
  lazySyncMsMax: [1, 20],
  syncWaitBytesMax: [1, 2 ** 20],
  // Of transactions over several groups.
  spanningDepth: [1, 64],
  spanningReadBytesMax: [1, SPANNING_READ_BYTES_MAX],
  keysInUnitMax: [1, KEYS_IN_UNIT_MAX],
  // Of nodes that are missed.
  missedMs: [20, 2_000],
  backMs: [20, 10_000],
  backMsMax: [20, 600_000],
  // Of nodes that leave.
  movesMax: [1, 4],
  replaceAfterMs: [20, 300_000],
} as const satisfies Record<string, readonly [least: number, usual: number]>;

export type LimitName = keyof typeof RANGES;
export type Limits = Readonly<Record<LimitName, number>>;

const OF_SPANNING: ReadonlySet<string> = new Set<LimitName>([
  'spanningDepth',
  'spanningReadBytesMax',
  'keysInUnitMax',
]);

const OF_ABSENCES: ReadonlySet<string> = new Set<LimitName>([
  ...(['missedMs', 'backMs', 'backMsMax', 'movesMax', 'replaceAfterMs'] as const),
]);

const DRAWN_RATE = 0.25;

export const USUAL_LIMITS = Object.fromEntries(
  Object.entries(RANGES).map(([name, [, usual]]) => [name, usual]),
) as Limits;

/** Small values are as likely as large ones. */
export function drawLimits(rng: Rng): Limits {
  const drawn: Record<string, number> = { ...USUAL_LIMITS };
  for (const [name, [least, usual]] of Object.entries(RANGES)) {
    if (OF_SPANNING.has(name) || OF_ABSENCES.has(name)) continue;
    const value = Math.floor(least * (usual / least) ** rng.next());
    const isDrawn = rng.next() < DRAWN_RATE;
    if (isDrawn) drawn[name] = value;
  }
  return drawn as Limits;
}

/** Drawn where some transactions span groups. */
export function drawSpanningLimits(rng: Rng): Partial<Limits> {
  const drawn: Partial<Record<LimitName, number>> = {};
  for (const name of OF_SPANNING as ReadonlySet<LimitName>) {
    const [least, usual] = RANGES[name];
    const value = Math.floor(least * (usual / least) ** rng.next());
    if (rng.next() < DRAWN_RATE) drawn[name] = value;
  }
  return drawn;
}

/** Drawn where groups are renewed: shorter than usual, or a run would see few renewals. */
export function drawAbsenceLimits(rng: Rng): Pick<Limits, 'missedMs' | 'backMs' | 'backMsMax'> {
  const draw = (least: number, most: number): number =>
    Math.floor(least * (most / least) ** rng.next());
  return { missedMs: draw(20, 1_000), backMs: draw(20, 1_000), backMsMax: draw(20, 4_000) };
}

/** Drawn where nodes leave: shorter than usual, too. */
export function drawDepartureLimits(rng: Rng): Pick<Limits, 'movesMax' | 'replaceAfterMs'> {
  const { movesMax } = USUAL_LIMITS;
  return {
    movesMax: 1 + Math.floor(rng.next() * movesMax),
    replaceAfterMs: Math.floor(20 * 100 ** rng.next()),
  };
}

/** The counters of all limits that are drawn. */
export function drawnLimits(): string[] {
  const names = Object.keys(RANGES) as LimitName[];
  return names.map((name) => `limit ${name}`);
}

/** The limits of this run that are smaller than usual, as counters. */
export function drawnNames(limits: Limits): string[] {
  return Object.entries(limits).flatMap(([name, value]) =>
    value < USUAL_LIMITS[name as LimitName] ? [`limit ${name}`] : [],
  );
}
