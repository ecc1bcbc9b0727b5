/** The README's table of commands, from the tables that COMMAND answers from. */
import { COMMANDS } from '../../storage/commands/command-table.ts';
import { LOCAL_COMMANDS } from '../../transport/resp/local-commands.ts';

const BEGIN = '<!-- from the tables of commands: HOLO_README=write npm run check -->';
const END = '<!-- end of the tables -->';
/** Lines of requests in HTTP, which are answered by closing the connection. */
const NOT_TOLD = ['POST', 'HOST:'];

const GROUPS = [
  ['string', 'strings'],
  ['hash', 'hashes'],
  ['set', 'sets'],
  ['list', 'lists'],
  ['sorted-set', 'sorted sets'],
  ['stream', 'streams'],
  ['generic', 'keys'],
  ['transactions', 'transactions'],
  ['connection', 'connections'],
  ['pubsub', 'pub/sub'],
  ['scripting', 'scripts'],
  ['server', 'server'],
  ['cluster', 'clusters'],
] as const;

interface Told {
  readonly name: string;
  readonly group: string;
  readonly subcommands?: readonly { readonly name: string }[];
}

/** Subcommands by the name of their command; none where it has none. */
function subcommandsOf(told: readonly Told[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const names = told.flatMap(({ name, subcommands = [] }) => [
    name,
    ...subcommands.map((each) => each.name),
  ]);
  for (const [command = '', subcommand] of names.map((name) => name.split('|'))) {
    const all = found.get(command) ?? [];
    if (subcommand !== undefined && subcommand !== 'HELP') all.push(subcommand);
    found.set(command, all);
  }
  return found;
}

function rowOf(told: readonly Told[]): string {
  const commands = [...subcommandsOf(told)].toSorted(([a], [b]) => Number(a > b) - Number(a < b));
  return commands
    .map(([name, all]) => (all.length === 0 ? name : `${name} (${all.toSorted().join(' ')})`))
    .map((text) => `\`${text}\``)
    .join(', ');
}

export function commandTable(): string {
  const told: readonly Told[] = [...COMMANDS, ...LOCAL_COMMANDS].filter(
    ({ name }) => !NOT_TOLD.includes(name),
  );
  const strange = told.find(({ group }) => !GROUPS.some(([each]) => each === group));
  if (strange !== undefined) throw new Error(`no row for the group of ${strange.name}`);
  const rows = GROUPS.map(
    ([group, title]) => `| ${title} | ${rowOf(told.filter((each) => each.group === group))} |`,
  );
  return ['| on | commands |', '|---|---|', ...rows].join('\n');
}

/** The same text with the table that is current. */
export function withCommandTable(text: string): string {
  const from = text.indexOf(BEGIN);
  const to = text.indexOf(END);
  if (from === -1 || to === -1) throw new Error('the README has no place for the commands');
  return `${text.slice(0, from + BEGIN.length)}\n${commandTable()}\n${text.slice(to)}`;
}
