/**
 * The conditions of one run of the protocol cluster. Each mix stresses another part of the
 * protocol; uniform chance alone hardly ever reaches the rules of recovery (accord.md §4.2).
 */
import type { CoordinatorLimits } from '../../../actors/accord/coordinate/coordinator.ts';
import type { ReplicaLimits } from '../../../actors/accord/local/replica-state.ts';

export interface Knobs {
  readonly nodes: number;
  readonly electorate: number;
  readonly slots: number;
  readonly slotsPerTransaction: number;
  readonly transactions: number;
  /** Operations that begin within 3 ms of each other. */
  readonly burst: number;
  readonly burstGapMs: number;
  readonly wholeStoreRate: number;
  readonly readRate: number;
  /** Faults of messages between nodes, while the chaos lasts. */
  readonly lossRate: number;
  readonly duplicateRate: number;
  /** A repetition comes up to so much later. */
  readonly replayMsMax: number;
  readonly stallRate: number;
  readonly stallMsMax: number;
  /** A crash of the sender right behind a message. */
  readonly crashRate: number;
  /** A crash soon after a cut of the log. */
  readonly cutCrashRate: number;
  readonly downMsMax: number;
  readonly skewMs: number;
  /** At a restart the wall clock may have gone back by so much. */
  readonly stepBackMs: number;
  /** A sync of the log takes up to so long; now and then up to `syncStallMsMax`. */
  readonly syncMsMax: number;
  readonly syncStallRate: number;
  readonly syncStallMsMax: number;
  /** Per node and tick: the node recovers a transaction that needs no help. */
  readonly meddleRate: number;
  readonly flushRate: number;
  readonly chaosMs: number;
  /** At the end nothing may be left in memory. */
  readonly forgets: boolean;
  readonly replica: Partial<ReplicaLimits>;
  readonly coordinator: Partial<CoordinatorLimits>;
}

export const STANDARD: Knobs = {
  nodes: 3,
  electorate: 3,
  slots: 3,
  slotsPerTransaction: 2,
  transactions: 24,
  burst: 4,
  burstGapMs: 300,
  wholeStoreRate: 0.03,
  readRate: 0.3,
  lossRate: 0.05,
  duplicateRate: 0.05,
  replayMsMax: 20,
  stallRate: 0.05,
  stallMsMax: 3_000,
  crashRate: 0.02,
  cutCrashRate: 0,
  downMsMax: 3_000,
  skewMs: 5,
  stepBackMs: 0,
  syncMsMax: 2.2,
  syncStallRate: 0,
  syncStallMsMax: 0,
  meddleRate: 0,
  flushRate: 0.05,
  chaosMs: 6_000,
  forgets: false,
  replica: {},
  coordinator: {},
};

/** A few transactions on one slot, and recoverers everywhere: what §2.11 is for. */
export const STORM: Knobs = {
  ...STANDARD,
  nodes: 5,
  electorate: 3,
  slots: 1,
  slotsPerTransaction: 1,
  transactions: 6,
  burst: 3,
  burstGapMs: 60,
  wholeStoreRate: 0,
  readRate: 0,
  lossRate: 0.15,
  duplicateRate: 0.1,
  stallRate: 0.1,
  stallMsMax: 200,
  crashRate: 0.03,
  downMsMax: 300,
  skewMs: 1,
  meddleRate: 0.15,
  chaosMs: 1_500,
  replica: { progressDelayMs: 60, ownProgressDelayMs: 150, progressDelayMsMax: 400 },
  coordinator: { slowPathMs: 5, resendMs: 60 },
};

/** Fences close behind the clock, members that are away, everything forgotten soon. */
export const SETTLING: Knobs = {
  ...STANDARD,
  nodes: 5,
  electorate: 3,
  transactions: 30,
  burst: 3,
  burstGapMs: 120,
  readRate: 0.15,
  lossRate: 0.1,
  replayMsMax: 2_500,
  stallMsMax: 600,
  crashRate: 0.015,
  downMsMax: 1_200,
  flushRate: 0.3,
  chaosMs: 4_000,
  forgets: true,
  replica: {
    progressDelayMs: 100,
    ownProgressDelayMs: 300,
    progressDelayMsMax: 600,
    durabilityLagMs: 40,
    durabilityEveryMs: 60,
  },
};

/** Power cuts, slow disks and clocks that go back. */
export const POWER_CUTS: Knobs = {
  ...STANDARD,
  transactions: 30,
  slots: 2,
  burst: 3,
  burstGapMs: 150,
  lossRate: 0.03,
  crashRate: 0.04,
  downMsMax: 500,
  stepBackMs: 10_000,
  syncStallRate: 0.1,
  syncStallMsMax: 700,
  chaosMs: 4_000,
};

/** Many reads beside few writes, members that lag. */
export const READERS: Knobs = {
  ...STANDARD,
  transactions: 60,
  slots: 2,
  burst: 5,
  burstGapMs: 25,
  readRate: 0.6,
  lossRate: 0.12,
  stallRate: 0.12,
  stallMsMax: 400,
  crashRate: 0.003,
  chaosMs: 2_500,
};

export const MIXES = { STANDARD, STORM, SETTLING, POWER_CUTS, READERS } as const;
export type MixName = keyof typeof MIXES;
