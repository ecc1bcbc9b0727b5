/** Configurations of the model. */

export interface InitialGroup {
  readonly keys: string;
  readonly members: readonly number[];
  readonly electorate: readonly number[];
}

export interface Config {
  readonly groups: readonly InitialGroup[];
  readonly nodes: number;
  readonly bias?: 'loss' | 'tear' | 'reads' | 'dead' | 'owed';
  /** Pruning and durability rounds inside of groups. */
  readonly rounds?: boolean;
  /** Crashes that lose the tail of the log. */
  readonly restarts?: boolean;
  /** Learners that follow before they are members. */
  readonly learners?: boolean;
  /** Nodes that may be away at the same time. */
  readonly away?: number;
  /** Changes are decided by a meta group, which changes too. */
  readonly meta?: boolean;
}

const TWO: readonly InitialGroup[] = [
  { keys: 'ab', members: [1, 2, 3], electorate: [1, 2] },
  { keys: 'cd', members: [2, 3, 4], electorate: [2, 3] },
];
const ONE: readonly InitialGroup[] = [{ keys: 'ab', members: [1, 2, 3], electorate: [1, 2, 3] }];
const META: InitialGroup = { keys: 'M', members: [1, 2, 3], electorate: [1, 2, 3] };

export const CONFIGS: Readonly<Record<string, Config>> = {
  one3: { groups: ONE, nodes: 5 },
  one3e2: { groups: [{ keys: 'abc', members: [1, 2, 3], electorate: [1, 2] }], nodes: 4 },
  two3: {
    groups: [
      { keys: 'ab', members: [1, 2, 3], electorate: [1, 2, 3] },
      { keys: 'cd', members: [2, 3, 4], electorate: [2, 3, 4] },
    ],
    nodes: 5,
  },
  two5: {
    groups: [
      { keys: 'ab', members: [1, 2, 3, 4, 5], electorate: [1, 2, 3] },
      { keys: 'cd', members: [2, 3, 4, 5, 6], electorate: [2, 3, 4, 5, 6] },
    ],
    nodes: 6,
  },
  three: {
    groups: [
      { keys: 'ab', members: [1, 2, 3], electorate: [1, 2] },
      { keys: 'c', members: [3, 4, 5], electorate: [3, 4, 5] },
      { keys: 'd', members: [1, 4, 5], electorate: [1, 4] },
    ],
    nodes: 5,
  },
  loss: { groups: TWO, nodes: 5, bias: 'loss' },
  tear: { groups: TWO, nodes: 5, bias: 'tear' },
  reads: { groups: ONE, nodes: 5, bias: 'reads' },
  dead: { groups: TWO, nodes: 5, bias: 'dead' },
  owed: { groups: ONE, nodes: 4, bias: 'owed', rounds: true },
  restarts: { groups: TWO, nodes: 5, restarts: true },
  rounds: { groups: TWO, nodes: 5, rounds: true },
  learners: { groups: TWO, nodes: 5, learners: true },
  away: { groups: TWO, nodes: 6, away: 3 },
  meta: { groups: [META, ...ONE], nodes: 5, meta: true },
  all: {
    groups: [META, ...TWO],
    nodes: 6,
    rounds: true,
    restarts: true,
    learners: true,
    away: 3,
    meta: true,
  },
  worst: {
    groups: TWO,
    nodes: 5,
    bias: 'loss',
    rounds: true,
    restarts: true,
    learners: true,
    away: 2,
  },
};

export function configNamed(name: string): Config {
  const config = CONFIGS[name];
  if (config === undefined) throw new RangeError(`no configuration ${name}`);
  return config;
}
