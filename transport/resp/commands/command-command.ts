/**
 * COMMAND: describes all commands of the store and of the gateway from their tables, so that
 * clients find the keys of a command and redis-cli completes names.
 */
import { fitsArity, keysAmong, SYNTAX_ERROR } from '../../../storage/commands/command.ts';
import { matchesGlob } from '../../../storage/commands/glob.ts';
import type { ReplyWriter } from '../codec/encoder.ts';
import type { LocalCommand, LocalContext, Route } from '../routes.ts';
import { withSubcommands } from './subcommands.ts';

function description(route: Route) {
  return route.command ?? route.local;
}

/** One element of COMMAND and COMMAND INFO. */
function writeInfo(route: Route, out: ReplyWriter): void {
  const { flags, categories } = description(route);
  const { keys, fixedKeys } = route.command ?? {};
  const moves = typeof keys === 'function';
  const spec = typeof keys === 'object' ? keys : (fixedKeys ?? { first: 0, last: 0, step: 0 });
  out.array(10);
  out.bulk(route.label);
  out.integer(route.arity);
  writeSet(flags, out);
  out.integer(spec.first);
  out.integer(spec.last);
  out.integer(spec.step);
  writeSet(categories, out);
  out.set(0);
  const writes = route.command?.kind === 'write';
  if (moves) writeUnknownKeySpec(writes, out);
  else if (spec.first === 0) out.set(0);
  else writeKeySpec(spec, writes, out);
  out.array(route.subroutes?.size ?? 0);
  for (const subroute of route.subroutes?.values() ?? []) writeInfo(subroute, out);
}

function writeSet(words: readonly string[], out: ReplyWriter): void {
  out.set(words.length);
  for (const word of words) out.simple(word);
}

/** https://redis.io/docs/latest/develop/reference/key-specs */
function writeKeySpec(
  spec: { first: number; last: number; step: number },
  writes: boolean,
  out: ReplyWriter,
): void {
  out.set(1);
  out.map(3);
  out.bulk('flags');
  writeSet(keyFlags(writes), out);
  out.bulk('begin_search');
  out.map(2);
  out.bulk('type');
  out.bulk('index');
  out.bulk('spec');
  out.map(1);
  out.bulk('index');
  out.integer(spec.first);
  out.bulk('find_keys');
  out.map(2);
  out.bulk('type');
  out.bulk('range');
  out.bulk('spec');
  out.map(3);
  out.bulk('lastkey');
  out.integer(spec.last < 0 ? spec.last : spec.last - spec.first);
  out.bulk('keystep');
  out.integer(spec.step);
  out.bulk('limit');
  out.integer(0);
}

function keyFlags(writes: boolean): readonly string[] {
  return writes ? ['RW', 'access', 'update'] : ['RO', 'access'];
}

/** The keys depend on the arguments: clients ask COMMAND GETKEYS. */
function writeUnknownKeySpec(writes: boolean, out: ReplyWriter): void {
  out.set(1);
  out.map(3);
  out.bulk('flags');
  writeSet([...keyFlags(writes), 'incomplete'], out);
  for (const step of ['begin_search', 'find_keys']) {
    out.bulk(step);
    out.map(2);
    out.bulk('type');
    out.bulk('unknown');
    out.bulk('spec');
    out.map(0);
  }
}

function writeDocs(route: Route, out: ReplyWriter): void {
  const { summary, since, group, complexity } = description(route);
  const fields = { summary, since, group, complexity };
  out.bulk(route.label);
  out.map(4);
  for (const [name, value] of Object.entries(fields)) {
    out.bulk(name);
    out.bulk(value);
  }
}

function info(context: LocalContext, names: readonly string[], out: ReplyWriter): void {
  const routes = names.map((name) => context.routes.named(name.toUpperCase()));
  out.array(routes.length);
  for (const route of routes) {
    if (route === undefined) out.nil();
    else writeInfo(route, out);
  }
}

function allInfo(context: LocalContext, out: ReplyWriter): void {
  out.array(context.routes.size);
  for (const route of context.routes.all()) writeInfo(route, out);
}

function docs(context: LocalContext, names: readonly string[], out: ReplyWriter): void {
  const asked = names.map((name) => context.routes.named(name.toUpperCase()));
  const routes = names.length === 0 ? [...context.routes.all()] : asked;
  const found = routes.filter((route) => route !== undefined);
  out.map(found.length);
  for (const route of found) writeDocs(route, out);
}

function list(context: LocalContext, args: readonly string[], out: ReplyWriter): void {
  const matches = listFilter(args);
  if (matches === undefined) return out.error(SYNTAX_ERROR);
  const found = [...context.routes.withSubcommands()].filter(matches);
  out.array(found.length);
  for (const route of found) out.bulk(route.label);
}

/** COMMAND LIST [FILTERBY MODULE m | ACLCAT c | PATTERN p]. */
function listFilter(args: readonly string[]): ((route: Route) => boolean) | undefined {
  if (args.length === 2) return () => true;
  const value = args[4] ?? '';
  if (args.length !== 5 || (args[2] ?? '').toUpperCase() !== 'FILTERBY') return undefined;
  switch ((args[3] ?? '').toUpperCase()) {
    case 'MODULE':
      return () => false;
    case 'ACLCAT':
      return (route) => description(route).categories.includes(`@${value.toLowerCase()}`);
    case 'PATTERN':
      return (route) => matchesGlob(value.toLowerCase(), route.label);
    default:
      return undefined;
  }
}

function getKeys(context: LocalContext, words: readonly string[], out: ReplyWriter): void {
  const route = context.routes.ofWords(words);
  if (route === undefined) return out.error('ERR Invalid command specified');
  const keys = route.command?.keys;
  if (keys === undefined || typeof keys === 'string') {
    return out.error('ERR The command has no key arguments');
  }
  if (!fitsArity(route.arity, words.length)) {
    return out.error('ERR Invalid number of arguments specified for command');
  }
  const found = keysAmong(keys, { count: words.length, text: (i) => words[i] ?? '' });
  if (found.length === 0) return out.error('ERR Invalid arguments specified for command');
  out.array(found.length);
  for (const i of found) out.bulk(words[i] ?? '');
}

const CONTAINER = withSubcommands({
  name: 'COMMAND',
  flags: ['loading', 'stale'],
  categories: ['@slow', '@connection'],
  group: 'server',
  summary: 'Returns detailed information about all commands.',
  since: '2.8.13',
  complexity: 'O(N) where N is the total number of commands',
  helpCategory: '@connection',
  subcommands: {
    COUNT: { arity: 2, run: (context, _args, out) => out.integer(context.routes.size) },
    DOCS: { arity: -2, run: (context, args, out) => docs(context, args.slice(2), out) },
    INFO: {
      arity: -2,
      run(context, args, out) {
        if (args.length === 2) allInfo(context, out);
        else info(context, args.slice(2), out);
      },
    },
    LIST: { arity: -2, run: list },
    GETKEYS: { arity: -3, run: (context, args, out) => getKeys(context, args.slice(2), out) },
  },
});

export const COMMAND_COMMAND: LocalCommand = {
  ...CONTAINER,
  categories: ['@slow', '@connection'],
  arity: -1,
  run: (context, _args, out) => allInfo(context, out),
};
