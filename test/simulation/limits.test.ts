/**
 * Limits are drawn down to the minimum, most keep their usual size, and nodes get them. For each
 * limit that a part of a node takes, the tables name the drawn one, or the reason for none: a new
 * limit does not compile here until that is decided.
 */
import { describe, expect, test } from 'vitest';
import type { CoordinatorLimits } from '../../actors/accord/coordinate/coordinator.ts';
import type { CommandStoreLimits } from '../../actors/accord/local/command-store.ts';
import type { ReplicaLimits } from '../../actors/accord/local/replica-state.ts';
import type { ValidationLimits } from '../../actors/accord/messages/field-validation.ts';
import type { ClockLimits } from '../../actors/accord/primitives/cluster-time.ts';
import type { DepartureLimits } from '../../actors/meta/departures.ts';
import type { NodeWatchLimits } from '../../actors/meta/node-watch.ts';
import type { NodeLimits } from '../../actors/node/node-parts.ts';
import { SeededRng } from '../../actors/runtime/ports/seeded-rng.ts';
import type { BatchLimits } from '../../actors/store/batcher.ts';
import type { GatewayLimits } from '../../transport/resp/limits.ts';
import type { SyncPolicyOptions } from '../../wal/sync-policy.ts';
import type { WalOptions } from '../../wal/wal-options.ts';
import { drawLimits, type LimitName, RANGES, USUAL_LIMITS } from './limits.ts';
import { limitsOf, logLimits, nodeLimits, syncPolicyOf } from './node-limits.ts';
import { drawProfile, type Profile } from './profile.ts';

const NAMES = Object.keys(RANGES) as LimitName[];

/** A limit of the run, something else that is drawn for it, or the reason why it is not. */
type Fate = LimitName | { readonly profile: keyof Profile } | { readonly why: string };
type Fates<T> = Readonly<Record<keyof Required<T>, Fate>>;

const INSIDE = { why: 'a table of its own, below' };
const NO_LIMIT = { why: 'no limit' };
const HONEST = { why: 'honest peers never reach it: what it stops is injected by other tests' };

const NODE: Fates<NodeLimits> = {
  clock: INSIDE,
  replica: INSIDE,
  coordinator: INSIDE,
  batch: INSIDE,
  messages: INSIDE,
  refusedMax: HONEST,
  commandTimeoutMs: { profile: 'commandTimeoutMs' },
  cacheBytesMax: 'cacheBytesMax',
  dirtyBytesMax: 'dirtyBytesMax',
  flushEveryMs: { profile: 'flushEveryMs' },
  replyBytesMax: 'replyBytesMax',
  keptReplyBytesMax: 'keptReplyBytesMax',
  unitWriteBytesMax: 'unitWriteBytesMax',
  spanningReadBytesMax: 'spanningReadBytesMax',
  unflushedBytesMax: 'unflushedBytesMax',
  retainedBytesMax: 'retainedBytesMax',
  backlogBytesMax: 'backlogBytesMax',
  unloggedBytesMax: 'unloggedBytesMax',
  turnRecordBytesMax: { why: 'derived from the log, as a real node does' },
  tickMs: { why: 'a pace; when turns take place is drawn (turnDelayMsMax)' },
  mailboxMax: 'mailboxMax',
  handOverMax: 'handOverMax',
  turnsMax: 'turnsMax',
  outboxHeldMax: 'outboxHeldMax',
  heldReplyBytesMax: 'heldReplyBytesMax',
  heldEventsMax: 'heldEventsMax',
  keysInUnitMax: 'keysInUnitMax',
  listingsMax: 'listingsMax',
  viewChangesMax: 'viewChangesMax',
  sliceCommandsMax: 'sliceCommandsMax',
  stepElementsMax: 'stepElementsMax',
  earlyMax: 'earlyMax',
  trafficKeptMax: 'trafficKeptMax',
  forwarding: INSIDE,
  snapshots: INSIDE,
};

const STORE: Fates<CommandStoreLimits> = {
  replica: INSIDE,
  retainedBytesMax: 'retainedBytesMax',
  backlogBytesMax: 'backlogBytesMax',
  unloggedBytesMax: 'unloggedBytesMax',
  turnRecordBytesMax: { why: 'derived from the log, as a real node does' },
  turnsMax: 'turnsMax',
  handOverMax: 'handOverMax',
};

const REPLICA: Fates<ReplicaLimits> = {
  progressDelayMs: 'progressDelayMs',
  ownProgressDelayMs: 'ownProgressDelayMs',
  progressDelayMsMax: 'progressDelayMsMax',
  barrierIdsMax: 'barrierIdsMax',
  barrierWaitsMax: 'barrierWaitsMax',
  barriersMax: 'barriersMax',
  barrierResendMs: 'barrierResendMs',
  barrierMsMax: 'barrierMsMax',
  listIdsMax: 'listIdsMax',
  fetchBytesMax: 'fetchBytesMax',
  heldBytesMax: 'heldBytesMax',
  durabilityLagMs: 'durabilityLagMs',
  durabilityEveryMs: 'durabilityEveryMs',
  standInMs: 'standInMs',
  hintEveryMs: 'hintEveryMs',
  hintFetchEveryMs: 'hintFetchEveryMs',
};

const COORDINATOR: Fates<CoordinatorLimits> = {
  slowPathMs: 'slowPathMs',
  slowPathMsMax: 'slowPathMsMax',
  resendMs: 'resendMs',
  recoveriesMax: 'recoveriesMax',
};

const BATCH: Fates<BatchLimits> = {
  batchBytesMax: 'batchBytesMax',
  transactionBytesMax: 'transactionBytesMax',
  batchCommandsMax: 'batchCommandsMax',
  batchKeysMax: 'batchKeysMax',
  pipelineDepth: { profile: 'pipelineDepth' },
  readPipelineDepth: 'readPipelineDepth',
  readTriesMax: 'readTriesMax',
  spanningDepth: 'spanningDepth',
  footprintTriesMax: 'footprintTriesMax',
  keyFindersMax: 'keyFindersMax',
  wideRunsMax: 'wideRunsMax',
  waitingMax: 'waitingMax',
};

const CLOCK: Fates<ClockLimits> = {
  reserveUs: { profile: 'reserveMs' },
  skewUsMax: 'skewUsMax',
  toleranceUs: { why: 'less than a comparison may be off by would make time less right' },
  probeEveryMs: 'probeEveryMs',
  readingMsMax: 'readingMsMax',
  roundTripMsMax: 'roundTripMsMax',
};

const WATCH: Fates<NodeWatchLimits> = {
  missedMs: 'missedMs',
  backMs: 'backMs',
  backMsMax: 'backMsMax',
};

const DEPARTURES: Fates<DepartureLimits> = {
  movesMax: 'movesMax',
  replaceAfterMs: 'replaceAfterMs',
};

const MESSAGES: Fates<ValidationLimits> = {
  bodyBytesMax: HONEST,
  idsMax: HONEST,
  aheadUsMax: HONEST,
};

const LOG: Fates<WalOptions> = {
  newLogId: NO_LIMIT,
  segmentBytes: 'segmentBytesMax',
  batchBytesMax: 'writeBytesMax',
  recordBytesMax: { why: 'derived from the others at start: no record of a node may exceed it' },
  pendingBytesMax: 'pendingBytesMax',
  commitsWaitingMax: 'commitsWaitingMax',
  sparesMax: 'sparesMax',
  logBytesMax: { why: 'as good as a full disk, which is a fault' },
  onSegments: NO_LIMIT,
};

const SYNC: Fates<SyncPolicyOptions> = {
  name: { profile: 'syncPolicy' },
  groupCommitMsMax: 'groupCommitMsMax',
  lazySyncMsMax: 'lazySyncMsMax',
  waitBytesMax: 'syncWaitBytesMax',
};

const OUTSIDE = { why: 'simulated clients hand in parts as a connection makes them' };

/** Clients of the simulator have this one, and no others. */
const GATEWAY: Fates<GatewayLimits> = {
  inlineBytesMax: OUTSIDE,
  requestBulkBytesMax: OUTSIDE,
  argumentsMax: OUTSIDE,
  requestBytesMax: OUTSIDE,
  unitBytesMax: OUTSIDE,
  unitCommandsMax: OUTSIDE,
  pendingBytesMax: OUTSIDE,
  outputBytesMax: OUTSIDE,
  replyWindowBytes: 'replyWindowBytes',
  localReplyBytesMax: OUTSIDE,
  multiCommandsMax: OUTSIDE,
  multiBytesMax: OUTSIDE,
  subscriptionsMax: OUTSIDE,
  pubsubOutput: OUTSIDE,
  watchedKeysMax: OUTSIDE,
  settingWaitMsMax: OUTSIDE,
  transactionKeysMax: OUTSIDE,
  partialRequestMsMax: OUTSIDE,
  idleTimeoutMs: OUTSIDE,
  pipelineOrder: OUTSIDE,
  maxClients: OUTSIDE,
  memoryBytesMax: OUTSIDE,
  derivedMemoryBytes: OUTSIDE,
  clientMemoryBytesMax: OUTSIDE,
  clientsMax: OUTSIDE,
  transactionBytesMax: OUTSIDE,
};

/** Nothing that is drawn keeps these values as they are. */
const PLAIN = {
  turnDelayMsMax: 0,
  clockJumps: false,
  setBackMsMax: 0,
  skewMs: 0,
  segmentBytes: 256 * 1_024,
};

describe.each<[string, Readonly<Record<string, Fate>>, (profile: Profile) => unknown]>([
  ['NodeLimits', NODE, nodeLimits],
  ['CommandStoreLimits', STORE, nodeLimits],
  ['ReplicaLimits', REPLICA, (profile) => nodeLimits(profile).replica],
  ['CoordinatorLimits', COORDINATOR, (profile) => nodeLimits(profile).coordinator],
  ['BatchLimits', BATCH, (profile) => nodeLimits(profile).batch],
  ['ClockLimits', CLOCK, (profile) => nodeLimits(profile).clock],
  ['NodeWatchLimits', WATCH, limitsOf],
  ['DepartureLimits', DEPARTURES, limitsOf],
  ['WalOptions', LOG, logLimits],
  ['SyncPolicyOptions', SYNC, syncPolicyOf],
])('%s', (_name, fates, given) => {
  const drawn = Object.entries(fates).flatMap(([field, fate]) =>
    typeof fate === 'string' ? [[field, fate] as const] : [],
  );

  test.each(drawn)('%s is what was drawn as %s', (field, name) => {
    const value = name === 'segmentBytesMax' ? 8_192 : RANGES[name][1] - 1;
    const profile = { ...drawProfile(new SeededRng(3), 3), ...PLAIN };
    const limits = { ...USUAL_LIMITS, [name]: value };
    expect(given({ ...profile, limits })).toMatchObject({ [field]: value });
  });
});

test('nothing is drawn that no part is given', () => {
  const parts = [NODE, STORE, REPLICA, COORDINATOR, BATCH, CLOCK, WATCH, DEPARTURES];
  const tables = [...parts, MESSAGES, LOG, SYNC, GATEWAY];
  const used = new Set<Fate>(tables.flatMap((fates) => Object.values<Fate>(fates)));
  expect(NAMES.filter((name) => !used.has(name))).toEqual([]);
});

test('each limit is within its range, and most have their usual size', () => {
  const rng = new SeededRng(1);
  let usual = 0;
  for (let seed = 0; seed < 200; seed += 1) {
    const limits = drawLimits(rng);
    for (const name of NAMES) {
      const [least, most] = RANGES[name];
      expect(limits[name]).toBeGreaterThanOrEqual(least);
      expect(limits[name]).toBeLessThanOrEqual(most);
      if (limits[name] === USUAL_LIMITS[name]) usual += 1;
    }
  }
  expect(usual / (200 * NAMES.length)).toBeGreaterThan(0.6);
});

test('small values are drawn', () => {
  const rng = new SeededRng(2);
  const least = { ...USUAL_LIMITS };
  for (let seed = 0; seed < 2_000; seed += 1) {
    const limits = drawLimits(rng);
    for (const name of NAMES) {
      const value = Math.min(least[name], limits[name]);
      Object.assign(least, { [name]: value });
    }
  }
  expect(least.listIdsMax).toBe(1);
  expect(least.recoveriesMax).toBe(1);
  expect(least.waitingMax).toBe(1);
  expect(least.retainedBytesMax).toBeLessThan(4);
  expect(least.backlogBytesMax).toBeLessThan(4);
});
