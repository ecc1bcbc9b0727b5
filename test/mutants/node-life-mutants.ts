/** Planted bugs of nodes that come and go, and of the table that they have from others. */
import type { Mutant } from './mutants.ts';

const NODES = { type: 'unit', file: 'test/actors/meta/nodes.test.ts' } as const;
const DEPARTURES = { type: 'unit', file: 'test/actors/meta/departures.test.ts' } as const;
const RANGE_MANAGER = { type: 'unit', file: 'test/actors/meta/range-manager.test.ts' } as const;
const CONTROLLERS = { type: 'unit', file: 'test/actors/node/topology-actor.test.ts' } as const;
const LEASES = { type: 'unit', file: 'test/security/acl-lease.test.ts' } as const;

export const NODE_LIFE_MUTANTS: readonly Mutant[] = [
  {
    name: 'proposals_without_a_pause',
    accordItem: 'nodes: a meta group that does not get on is not asked more and more',
    file: 'actors/node/topology-actor.ts',
    find: 'this.#nowMs() + this.#backoff.delayMs(0)',
    replace: 'this.#nowMs()',
    why: 'undecided commands pile up behind a slow disk, and none is decided any more (8054)',
    budgetSeeds: 1,
    config: CONTROLLERS,
  },
  {
    name: 'id_given_again',
    accordItem: 'nodes: an id is given to one node alone, for ever',
    file: 'actors/meta/nodes.ts',
    find: '  const id = command.id ?? lastNode + 1;',
    replace: '  const id = command.id ?? (nodes.at(-1)?.id ?? 0) + 1;',
    also: [
      {
        file: 'actors/meta/nodes.ts',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: it is source text
        find: '  if (!isWhole(id, lastNode + 1, ID_MAX)) return `ids up to ${lastNode} were given before`;\n',
        replace: '',
      },
    ],
    why: 'a new node has the id of one that was removed, and passes for it',
    budgetSeeds: 1,
    config: NODES,
  },
  {
    name: 'older_start_counts',
    accordItem: 'nodes: the incarnation decides where a node is',
    file: 'actors/meta/nodes.ts',
    find: '  if (incarnation < known.incarnation)',
    replace: '  if (incarnation < 0)',
    why: 'the address of an older start replaces that of the present one',
    budgetSeeds: 1,
    config: NODES,
  },
  {
    name: 'left_with_the_only_data',
    accordItem: 'nodes: none has left while a new member lacks its data',
    file: 'actors/meta/nodes.ts',
    find: "state === 'decommissioning' && !isLacking &&",
    replace: "state === 'decommissioning' &&",
    why: 'a node is stopped that alone has the data of a range',
    budgetSeeds: 1,
    config: DEPARTURES,
  },
  {
    name: 'moves_to_one_that_is_gone',
    accordItem: 'nodes: a range moves to a node that is there',
    file: 'actors/meta/departures.ts',
    find: "return state === 'active' && isUp(id) && !isMissed(topology, id);",
    replace: "return state === 'active' && !isMissed(topology, id);",
    why: 'a range loses a member that is there for one that is not',
    budgetSeeds: 1,
    config: DEPARTURES,
  },
  {
    name: 'replaces_many_at_once',
    accordItem: 'nodes: where several are gone, people decide',
    file: 'actors/meta/departures.ts',
    find: 'away.length === 1 && replaceAfterMs > 0',
    replace: 'replaceAfterMs > 0',
    why: 'what a cut leaves on one side takes the ranges of the other side',
    budgetSeeds: 1,
    config: DEPARTURES,
  },
  {
    name: 'moved_by_a_former_holder',
    accordItem: 'nodes: one node at a time moves ranges, under a lease',
    file: 'actors/meta/replica-manager.ts',
    find: 'if (holder !== undefined && holder !== this.#self) return undefined;',
    replace: 'if (holder === 0) return undefined;',
    why: 'several nodes move ranges at the same time, more than may move',
    budgetSeeds: 1,
    config: DEPARTURES,
  },
  {
    name: 'replaces_as_it_begins',
    accordItem: 'nodes: one that begins has patience with those that begin as well',
    file: 'actors/meta/replica-manager.ts',
    find: 'return isPatient ? { ...this.#limits, replaceAfterMs: 0 } : this.#limits;',
    replace: 'return isPatient ? this.#limits : this.#limits;',
    why: 'when a whole cluster starts, the last node to come has lost its ranges',
    budgetSeeds: 1,
    config: DEPARTURES,
  },
  {
    name: 'begins_while_it_drains',
    accordItem: 'nodes: one that drains begins no change',
    file: 'actors/meta/range-manager.ts',
    find: '    if (!mayLead) return undefined;\n',
    replace: '',
    why: 'a node is stopped in the middle of what it has just begun, and others wait for its lease',
    budgetSeeds: 1,
    config: RANGE_MANAGER,
  },
  {
    name: 'lease_of_any_node',
    accordItem: 'table: two majorities of those that order its changes have a node in common',
    file: 'actors/node/settings-watch.ts',
    find: 'for (const member of group) if',
    replace: 'for (const member of [...group, ...this.#confirmed.keys()]) if',
    why: 'nodes that order no changes give each other leases on a table that was replaced',
    budgetSeeds: 1,
    config: LEASES,
  },
  {
    name: 'table_of_one_is_new',
    accordItem: 'table: each change before a node began is known to one of any majority',
    file: 'actors/node/settings-watch.ts',
    find: '      if (told.length <= group.size / 2) return;\n',
    replace: '',
    why: 'a node that has joined takes the table of one member for the newest one',
    budgetSeeds: 1,
    config: LEASES,
  },
];
