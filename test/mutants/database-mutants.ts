/** Planted bugs of databases and watched keys, and the mixes in which they show. */
import { PLAIN_MIX, type Profile } from '../simulation/profile.ts';
import type { Mutant } from './mutants.ts';
import { BUSY, CALM, FAIR, nodes, RESTARTS } from './node-mutants.ts';

const NOTHING = Object.fromEntries(
  Object.keys(PLAIN_MIX).map((kind) => [kind, 0]),
) as Profile['mix'];

/** Keys that are watched, written and removed, and nodes that flush often, each in its own time. */
const WATCHING = nodes({
  ...FAIR,
  ...BUSY,
  flushEveryMs: 30,
  databases: 1,
  mix: { ...NOTHING, register: 1, watch: 1.5 },
});

/** Keys in several databases, of which two are swapped and cleared. */
const DATABASES: Partial<Profile> = {
  ...FAIR,
  ...CALM,
  databases: 4,
  mix: { ...NOTHING, register: 1, transaction: 1, mixed: 2, wholeStore: 1 },
};

/** Settings change all the time, and new collections show which ones hold. */
const SETTINGS: Partial<Profile> = { ...FAIR, ...BUSY, mix: { ...NOTHING, settings: 1 } };

export const DATABASE_MUTANTS: readonly Mutant[] = [
  {
    name: 'version_from_cache',
    accordItem: 'storage: WATCH uses replicated state only',
    file: 'storage/keyspace/group-keyspace.ts',
    find: 'return max(this.#clearedAt, this.#counts.removedAt(redisSlotOf(args.slot(i))));',
    replace: `const kept = this.#cache.find(args, i, args.tableHash(i, this.#hash));
    return max(this.#clearedAt, kept?.entry.version ?? this.#clearedAt);`,
    why: 'the state of an absent key is what a flush has left of it in the cache',
    budgetSeeds: 20,
    config: WATCHING,
  },
  {
    name: 'absent_is_absent',
    accordItem: 'storage: WATCH of an absent key',
    file: 'storage/commands/watched.ts',
    find: 'found?.entry.version ?? keyspace.lastRemoval(args, i);',
    replace: 'found?.entry.version ?? keyspace.swappedAt(database);',
    why: 'a key that was created and removed again counts as unchanged',
    budgetSeeds: 40,
    config: WATCHING,
  },
  {
    name: 'block_runs_on',
    accordItem: 'storage: EXEC with a changed key',
    file: 'storage/state-machine.ts',
    find: 'this.#unitEnded = true;\n      out.nilArray();',
    replace: 'this.#unitEnded = false;\n      out.nilArray();',
    why: 'the rest of a block runs although a watched key has changed',
    budgetSeeds: 10,
    config: WATCHING,
  },
  {
    name: 'database_of_the_unit_before',
    accordItem: 'storage: a unit begins with database 0',
    file: 'storage/arguments.ts',
    find: 'head === UNIT_HEAD ? 0 : databaseOfHead(head);',
    replace: 'head === UNIT_HEAD ? this.database : databaseOfHead(head);',
    why: 'a unit runs in the database that another client has selected',
    budgetSeeds: 10,
    config: nodes({ ...DATABASES, ...BUSY, pipelineDepth: 1 }),
  },
  {
    name: 'swap_not_stored',
    accordItem: 'storage: SWAPDB is durable',
    file: 'storage/keyspace/databases.ts',
    find: '      databases: this.#marks,\n',
    replace: '      databases: emptyMeta(this.#group).databases,\n',
    why: 'a node that restarts behind a flush takes the numbers of databases as they were at first',
    budgetSeeds: 20,
    config: nodes({ ...RESTARTS, databases: 4, mix: DATABASES.mix ?? NOTHING, flushes: false }),
  },
  {
    name: 'clear_of_one_forgotten',
    accordItem: 'storage: FLUSHDB is durable',
    file: 'storage/keyspace/databases.ts',
    find: '(version, database) => this.#byNumber[database]?.clearedAt ?? version,',
    replace:
      '(version, database) => (database === 0 ? this.#byNumber[0]?.clearedAt : version) ?? version,',
    why: 'the mark of a database that was cleared is lost at the next restart',
    budgetSeeds: 20,
    config: nodes({ ...RESTARTS, databases: 4, mix: DATABASES.mix ?? NOTHING, flushes: false }),
  },
  {
    name: 'settings_of_the_replica',
    accordItem: 'storage: a transaction runs with the settings that its body names',
    file: 'actors/store/running-executor.ts',
    find: 'undefined, isRepeated, settingsOfBody(body));',
    replace: 'undefined, isRepeated, bodySettingsOf(this.#machines.settings));',
    also: [
      {
        file: 'actors/store/running-executor.ts',
        find: "import { settingsOfBody } from '../../storage/body-settings.ts';",
        replace: `import { settingsOfBody } from '../../storage/body-settings.ts';
import { bodySettingsOf } from '../../storage/cluster-settings.ts';`,
      },
    ],
    why: 'replicas execute a transaction with the settings that each of them has by then',
    budgetSeeds: 10,
    config: nodes(SETTINGS),
  },
  {
    name: 'table_forgotten',
    accordItem: 'storage: a node begins with the table that it has stored',
    file: 'storage/keyspace/databases.ts',
    find: '    if (this.isMeta) this.context.settings = storedSettings(engine);\n',
    replace: '',
    why: 'a node that restarts behind a flush never knows the settings, and begins nothing',
    budgetSeeds: 20,
    config: nodes({ ...SETTINGS, faultEveryMsMax: 400, faultMix: RESTARTS.faultMix ?? {} }),
  },
];
