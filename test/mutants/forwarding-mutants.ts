/** Planted bugs of nodes that hand parts of their clients to members, and of those members. */
import { onlyFaults } from '../simulation/fault-kinds.ts';
import type { Harness, Mutant } from './mutants.ts';

const FOLDER = 'actors/node/forwarding/';

/** Members are lost, and come back, all the time. */
const LOST_MEMBERS = {
  type: 'spread',
  timeMs: 4_000,
  profile: {
    spans: false,
    flushes: false,
    thinkMsMax: 5,
    faultEveryMsMax: 300,
    faultMix: onlyFaults({ crash: 10, isolate: 10, swizzle: 10 }),
    downMsMax: 500,
  },
} as const satisfies Harness;

/** Actors of members crash with what was forwarded. */
const CRASHED_ACTORS: Harness = {
  type: 'spread',
  timeMs: 4_000,
  profile: { ...LOST_MEMBERS.profile, faultMix: onlyFaults({ crashActor: 10 }) },
};

export const FORWARDING_MUTANTS: readonly Mutant[] = [
  {
    name: 'keys_elsewhere_not_noted',
    accordItem: 'waiting: each group of a command notes its keys, also of other nodes',
    file: 'storage/keyspace/group-keyspace.ts',
    find: '    this.#context.waited.add(wait, { ...its, database: this.database, entries });\n',
    replace: '    void entries;\n',
    why: 'a member says that it has noted the keys of a client of another node, and has not',
    budgetSeeds: 12,
    config: { type: 'waiting' },
  },
  {
    name: 'forwarded_write_sent_twice',
    accordItem: 'ranges: a write is handed over once',
    file: `${FOLDER}sent-parts.ts`,
    find: 'if (part.readOnly && !isTold) {',
    replace: 'if (!isTold) {',
    why: 'the member that was lost may have done it',
    budgetSeeds: 20,
    config: LOST_MEMBERS,
  },
  {
    name: 'forwarded_frame_taken_twice',
    accordItem: 'ranges: a member takes an attempt once',
    file: `${FOLDER}taken-parts.ts`,
    find: 'if (!this.#isNew(peer, id)) return;',
    replace: 'this.#isNew(peer, id);',
    why: 'a frame that comes again runs a write again',
    budgetSeeds: 20,
    config: LOST_MEMBERS,
  },
  {
    name: 'indeterminate_runs_elsewhere',
    accordItem: 'ranges: only what is refused for certain goes to another member',
    file: 'actors/store/client-errors.ts',
    find: 'NOQUORUM|SHUTDOWN) refused/',
    replace: 'NOQUORUM|SHUTDOWN) /',
    why: 'it may have been done, or may yet be',
    budgetSeeds: 20,
    config: CRASHED_ACTORS,
  },
];
