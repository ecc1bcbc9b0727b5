/** Planted bugs of the leases on the cluster's table, and the mix in which they show. */
import { onlyFaults } from '../simulation/fault-kinds.ts';
import { PLAIN_MIX, type Profile } from '../simulation/profile.ts';
import type { LinkWeather } from '../simulation/sim-network.ts';
import type { Mutant } from './mutants.ts';
import { FAIR, nodes } from './node-mutants.ts';

const SETTINGS_ALONE = {
  ...Object.fromEntries(Object.keys(PLAIN_MIX).map((kind) => [kind, 0])),
  settings: 1,
} as Profile['mix'];

const WEATHER: LinkWeather = {
  ...{ delayMsMin: 0.05, delayMsMax: 3, lossRate: 0.2, duplicateRate: 0 },
  ...{ stallRate: 0.01, stallMsMax: 2_000, ordered: false },
};

/** The table changes all the time, while nodes are cut off and come back. */
const LEASES: Partial<Profile> = {
  ...FAIR,
  clients: 4,
  thinkMsMax: 60,
  weather: WEATHER,
  driftPpm: 200,
  faultEveryMsMax: 200,
  faultMix: onlyFaults({ isolate: 10 }),
  mix: SETTINGS_ALONE,
};

/** They crash and are back at once, having forgotten the last changes. */
const FORGETFUL: Partial<Profile> = {
  ...LEASES,
  downMsMax: 20,
  faultMix: onlyFaults({ isolate: 10, crash: 10 }),
};

const WATCH = 'actors/node/settings-watch.ts';

export const LEASE_MUTANTS: readonly Mutant[] = [
  {
    name: 'served_without_a_lease',
    accordItem: 'table: no node acts by users that an answered change has replaced',
    file: WATCH,
    find: 'return askedMs > sinceMs && version <= this.#own.version && view <= own;',
    replace: 'return true;',
    why: 'a node without a lease goes on serving the users of its table',
    budgetSeeds: 20,
    config: nodes(LEASES),
  },
  {
    name: 'lease_of_a_later_table',
    accordItem: 'table: no node acts by users that an answered change has replaced',
    file: WATCH,
    find: 'return askedMs > sinceMs && version <= this.#own.version && view <= own;',
    replace: 'return askedMs > sinceMs && view <= own;',
    why: 'a peer that knows a later table gives a lease on this one',
    budgetSeeds: 60,
    config: nodes(LEASES),
  },
  {
    name: 'lease_from_the_answer',
    accordItem: 'table: a lease runs from the question on',
    file: WATCH,
    find: 'this.#confirmed.set(peer, answer);',
    replace: 'this.#confirmed.set(peer, { ...answer, askedMs: this.#options.nowMs() });',
    why: 'a lease lasts longer by the time that the answer was under way',
    budgetSeeds: 1,
    config: { type: 'unit', file: 'test/security/acl-lease.test.ts' },
  },
  {
    name: 'change_answered_too_soon',
    accordItem: 'table: a change is answered when the leases on the table before it have run out',
    file: WATCH,
    find: '    return this.#isOver(this.#held.sinceMs);',
    replace: '    return this.#isOver(this.#held.sinceMs - this.#options.leaseMs / 2);',
    why: 'the leases of nodes that are away are not waited for to their end',
    budgetSeeds: 100,
    config: nodes(LEASES),
  },
  {
    name: 'change_of_a_minority',
    accordItem: 'table: a lease is waited for behind a majority that has the change',
    file: WATCH,
    find: '    if (!this.#isMajority(has)) return false;\n',
    replace: '',
    why: 'a node that is alone with a change answers it, though the others renew their leases',
    budgetSeeds: 100,
    config: nodes(LEASES),
  },
  {
    name: 'lease_of_the_forgetful',
    accordItem: 'table: a node that begins again gives no lease before it has read the table',
    file: WATCH,
    find: '    return this.known?.version ?? TABLE_UNKNOWN;',
    replace: '    return this.#own.version;',
    also: [
      {
        file: WATCH,
        find: '    if (this.known === undefined) return false;\n',
        replace: '',
      },
    ],
    why: 'a node answers for a table that it has forgotten to have changed',
    budgetSeeds: 300,
    config: nodes(FORGETFUL),
  },
];
