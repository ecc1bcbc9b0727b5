/** The kinds of faults with their relative frequency; `faults.ts` inflicts them. */
export const FAULT_WEIGHTS = {
  crash: 30,
  crashAll: 4,
  isolate: 15,
  cutOneWay: 10,
  swizzle: 10,
  slowDisk: 10,
  crashActor: 12,
  pause: 10,
  failSync: 6,
  fillDisk: 6,
  clockJump: 12,
  emptyDisk: 4,
  rotLog: 4,
  rotStore: 4,
  loseStore: 3,
  loseLog: 3,
  commit: 8,
  healOneByOne: 6,
  strayAndCrash: 4,
  crashAtEffect: 12,
  /** Only where the topology changes: the data come with another generation. */
  healStore: 0,
} as const;

export type FaultKind = keyof typeof FAULT_WEIGHTS;
export type FaultMix = Readonly<Partial<Record<FaultKind, number>>>;

/** Without what destroys a disk for good. */
export const NO_DAMAGE: FaultMix = {
  emptyDisk: 0,
  rotLog: 0,
  rotStore: 0,
  loseStore: 0,
  loseLog: 0,
};

export const FAULT_KINDS = Object.keys(FAULT_WEIGHTS) as readonly FaultKind[];

/** These faults and no others. */
export function onlyFaults(mix: FaultMix): FaultMix {
  return { ...Object.fromEntries(FAULT_KINDS.map((kind) => [kind, 0])), ...mix };
}
