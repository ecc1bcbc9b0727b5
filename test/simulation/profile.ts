/**
 * The part of a run that its seed decides beforehand: size, load, weather, faults. Uniform
 * randomness alone finds few recovery bugs; so links stall with long tails, several writers meet on
 * few keys, and nodes crash right after a send.
 */
import type { ReplicaLimits } from '../../actors/accord/local/replica-state.ts';
import type { SeededRng } from '../../actors/runtime/ports/seeded-rng.ts';
import type { SyncPolicyName } from '../../wal/sync-policy.ts';
import type { SimFrames } from '../bpf/sim-frames.ts';
import type { FaultMix } from './fault-kinds.ts';
import { drawLimits, type Limits } from './limits.ts';
import type { CrashKind } from './sim-disk.ts';
import type { LinkWeather } from './sim-network.ts';

/** The work of clients; see `workload.ts`. */
export const KINDS = [
  'register',
  'volatile',
  'group',
  'readMany',
  'transaction',
  'mixed',
  'wholeStore',
  'walk',
  'big',
  'watch',
  'settings',
] as const;

export type Kind = (typeof KINDS)[number];

/** How often each kind is done, in relation to the others. */
export type Mix = Readonly<Record<Kind, number>>;

export const PLAIN_MIX: Mix = {
  register: 0.35,
  volatile: 0.15,
  group: 0.1,
  readMany: 0.1,
  transaction: 0.3,
  mixed: 0,
  wholeStore: 0,
  walk: 0,
  big: 0,
  watch: 0,
  settings: 0,
};

/** A limit that is named here is the one of the run, whatever was drawn. */
export interface Profile extends Partial<Limits> {
  readonly nodes: number;
  /** Size of the fast-path electorate. */
  readonly electorate: number;
  readonly keys: number;
  readonly clients: number;
  /** Pause of a client between two operations, at most. */
  readonly thinkMsMax: number;
  readonly weather: LinkWeather;
  /** A node crashes after a send this often. */
  readonly crashAfterSendRate: number;
  /** And when its log has been cut, this often. */
  readonly crashAfterCutRate: number;
  /** Share of those crashes that take all nodes with them. */
  readonly blackoutRate: number;
  /** A node that has crashed is back within about this time. */
  readonly downMsMax: number;
  /** Pause between two drawn faults, at most; 0: none. */
  readonly faultEveryMsMax: number;
  /** Other weights than usual. */
  readonly faultMix: FaultMix;
  readonly crashKind: CrashKind;
  /** Clocks are off by up to this much, and drift by up to so many millionths. */
  readonly skewMs: number;
  readonly driftPpm: number;
  /** Clocks are also set, forwards and back. */
  readonly clockJumps: boolean;
  /** As nodes crash, all clocks are set back together, in sum by so much; 0: never. */
  readonly setBackMsMax: number;
  /** Disks and files may be damaged for good, as long as a majority is left. */
  readonly damage: boolean;
  readonly diskMsMax: number;
  readonly segmentBytes: number;
  readonly flushEveryMs: number;
  /** All keyspace events are told, whatever the table says. */
  readonly tellsEvents: boolean;
  readonly pipelineDepth: number;
  readonly commandTimeoutMs: number;
  /** Keys with a deadline live this long, at most. */
  readonly ttlMsMax: number;
  /** Operations that are pipelines of GETs, or writes of one key for them to meet. */
  readonly readPipelineRate: number;
  /** A turn begins up to this long after its wake, with all that has come meanwhile. */
  readonly turnDelayMsMax: number;
  readonly replicaLimits: Partial<ReplicaLimits>;
  /** Where there are several groups, some transactions are over several of them. By default. */
  readonly spans?: boolean;
  /** All of them are, also commands over all keys; those of single groups are left out. */
  readonly spansOnly?: boolean;
  /** Each acknowledged write is followed by a read at another node. */
  readonly readBack: boolean;
  /** How far ahead timestamps are reserved on disk. */
  readonly reserveMs: number;
  readonly mix: Mix;
  /** FLUSHALL is among the whole-store commands; there are no lists then. */
  readonly flushes: boolean;
  /** Reads of keys that are not in the cache wait up to this long; 0: they do not. */
  readonly readMsMax: number;
  /** How many databases there are keys in. */
  readonly databases: number;
  /** The keys of mixed units share one conflict slot. */
  readonly sameSlot: boolean;
  /** Command bytes of a big unit. */
  readonly bigBytesMax: number;
  readonly limits: Limits;
  /** So many nodes are down from the start, for so long, however short the load is. */
  readonly away: { readonly nodes: number; readonly ms: number } | undefined;
  readonly syncPolicy: SyncPolicyName;
  /** Small messages travel as frames of their own, and votes are counted below the actors. */
  readonly frames: SimFrames | undefined;
}

/** Some watch keys, some use several databases, some change settings; what was drawn before stays. */
export function drawProfile(rng: SeededRng, nodes: number): Profile {
  const profile = drawBase(rng, nodes);
  const watch = rng.next() < 0.5 ? 0.3 * rng.next() : 0;
  const databases = rng.next() < 0.4 ? 4 : 1;
  const settings = rng.next() < 0.3 ? 0.2 * rng.next() : 0;
  const readMsMax = rng.next() < 0.3 ? 20 * rng.next() : 0;
  return { ...profile, databases, readMsMax, mix: { ...profile.mix, watch, settings } };
}

function drawBase(rng: SeededRng, nodes: number): Omit<Profile, 'databases' | 'readMsMax'> {
  const chance = (rate: number): boolean => rng.next() < rate;
  const between = (min: number, max: number): number => min + (max - min) * rng.next();
  const slow = nodes - Math.floor((nodes - 1) / 2);
  const electorate = nodes === 5 && chance(0.6) ? 3 : chance(0.5) ? nodes : slow;
  const harsh = chance(0.7);
  const hasSmallSegments = chance(0.15);
  return {
    nodes,
    electorate,
    keys: Math.round(between(1, 6)),
    clients: Math.round(between(3, 10)),
    thinkMsMax: between(1, 60),
    weather: {
      delayMsMin: 0.05,
      delayMsMax: between(0.3, 5),
      lossRate: harsh ? between(0, 0.05) : 0,
      duplicateRate: chance(0.5) ? between(0, 0.05) : 0,
      stallRate: harsh ? between(0, 0.02) : 0,
      stallMsMax: between(50, 3_000),
      ordered: chance(0.4),
    },
    crashAfterSendRate: chance(0.5) ? between(0, 0.002) : 0,
    faultEveryMsMax: chance(0.9) ? between(300, 3_000) : 0,
    faultMix: {},
    crashKind: chance(0.8) ? 'power' : 'process',
    skewMs: chance(0.5) ? between(0, 50) : between(0, 1),
    driftPpm: chance(0.5) ? between(0, 200) : 0,
    clockJumps: chance(0.4),
    damage: chance(0.3),
    diskMsMax: chance(0.2) ? between(1, 30) : between(0.05, 1),
    segmentBytes: hasSmallSegments ? 4_096 : chance(0.7) ? 32 * 1024 : 256 * 1024,
    flushEveryMs: between(50, 2_000),
    tellsEvents: true,
    pipelineDepth: Math.ceil(between(0.01, 8)),
    commandTimeoutMs: between(300, 4_000),
    ttlMsMax: between(20, 1_500),
    turnDelayMsMax: chance(0.3) ? between(1, 20) : 0,
    replicaLimits: {},
    readPipelineRate: chance(0.3) ? between(0, 0.6) : 0.05,
    readBack: true,
    reserveMs: chance(0.5) ? between(0.001, 20) : 400,
    downMsMax: chance(0.3) ? between(10, 300) : 3_000,
    blackoutRate: chance(0.3) ? between(0, 0.3) : 0,
    setBackMsMax: chance(0.15) ? between(500, 10_000) : 0,
    ...(chance(0.3) ? { unflushedBytesMax: Math.ceil(between(0, 4_000)) } : {}),
    // Big units fill small segments: one begins between marks and the cut behind them.
    ...drawWorkload(rng, hasSmallSegments ? BIG_OFTEN : BIG_SELDOM),
    limits: drawLimits(rng),
    syncPolicy: chance(0.7) ? 'every_batch' : drawSyncPolicy(rng),
    frames: chance(0.7) ? undefined : chance(0.5) ? 'counted' : 'alone',
    crashAfterCutRate: chance(0.2) ? between(0, 0.3) : 0,
    away: chance(0.06)
      ? { nodes: nodes >= 5 && chance(0.6) ? 2 : 1, ms: between(30_000, 40_000) }
      : undefined,
  };
}

function drawSyncPolicy(rng: SeededRng): SyncPolicyName {
  const others = ['group_commit', 'every_record', 'on_flush'] as const;
  return others[Math.floor(others.length * rng.next())] ?? 'every_batch';
}

/** How heavily big units weigh, at most, and in how many runs they occur. */
const BIG_SELDOM = { weight: 0.1, rate: 0.3 };
const BIG_OFTEN = { weight: 1, rate: 1 };

function drawWorkload(
  rng: SeededRng,
  often: typeof BIG_SELDOM,
): Pick<Profile, 'mix' | 'flushes' | 'sameSlot' | 'bigBytesMax'> & Partial<Profile> {
  const chance = (rate: number): boolean => rng.next() < rate;
  const flushes = chance(0.15);
  const lists = flushes ? 0 : 1;
  const mix = {
    ...PLAIN_MIX,
    readMany: 0.1 * lists,
    transaction: 0.3 * lists,
    mixed: chance(0.7) ? 0.5 * rng.next() : 0,
    wholeStore: flushes || chance(0.3) ? 0.15 * rng.next() : 0,
    walk: chance(0.3) ? 0.05 * lists : 0,
    big: chance(often.rate) ? often.weight * rng.next() : 0,
  };
  const pipelines = flushes ? { readPipelineRate: 0 } : {};
  return { ...pipelines, mix, flushes, sameSlot: chance(0.3), bigBytesMax: 4_000 };
}
