/** Planted bugs of nodes that come and go, and of the table that they have from others. */
import type { Mutant } from './mutants.ts';

const NODES = { type: 'unit', file: 'test/actors/meta/nodes.test.ts' } as const;
const LEASES = { type: 'unit', file: 'test/security/acl-lease.test.ts' } as const;

export const NODE_LIFE_MUTANTS: readonly Mutant[] = [
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
    name: 'lease_of_any_node',
    accordItem: 'table: two majorities of those that order its changes have a node in common',
    file: 'actors/node/settings-watch.ts',
    find: '      if (!members.has(peer)) continue;\n',
    replace: '',
    why: 'nodes that order no changes give each other leases on a table that was replaced',
    budgetSeeds: 1,
    config: LEASES,
  },
  {
    name: 'table_of_one_is_new',
    accordItem: 'table: each change before a node began is known to one of any majority',
    file: 'actors/node/settings-watch.ts',
    find: '    if (told.length <= members.size / 2) return;\n',
    replace: '',
    why: 'a node that has joined takes the table of one member for the newest one',
    budgetSeeds: 1,
    config: LEASES,
  },
];
