/**
 * Commands about what took long and what is named often, on the node that is asked: SLOWLOG,
 * LATENCY, and HOLOHOTKEYS, which Redis does not have.
 */
import { printable } from '../../../storage/commands/command.ts';
import { parseInteger } from '../../../storage/types/integers.ts';
import type { HdrHistogram } from '../../hdr-histogram.ts';
import type { ReplyWriter } from '../codec/encoder.ts';
import type { LocalCommand, LocalContext, Route } from '../routes.ts';
import { withSubcommands } from './subcommands.ts';

const CONTAINER = {
  flags: ['loading', 'stale'],
  categories: ['@admin', '@slow', '@dangerous'],
  group: 'server',
  complexity: 'Depends on subcommand.',
} as const;

const HOT_KEYS_DEFAULT = 10;

function slowlogGet({ insight }: LocalContext, args: readonly string[], out: ReplyWriter): void {
  const count = parseInteger(args[2] ?? '10');
  if (count === undefined || count < -1) {
    return out.error('ERR count should be greater than or equal to -1');
  }
  const entries = insight.slowLog.newest(Number(count));
  out.array(entries.length);
  for (const { id, atSeconds, tookUs, words, address, name } of entries) {
    out.array(6);
    out.integer(id);
    out.integer(atSeconds);
    out.integer(tookUs);
    out.array(words.length);
    for (const word of words) out.bulk(word);
    out.bulk(address);
    out.bulk(name);
  }
}

function latencyLatest(
  { insight }: LocalContext,
  _args: readonly string[],
  out: ReplyWriter,
): void {
  const all = insight.latency.all();
  out.array(all.length);
  for (const { event, samples, maxMs } of all) {
    const last = samples.at(-1);
    out.array(4);
    out.bulk(event);
    out.integer(last?.atSeconds ?? 0);
    out.integer(last?.ms ?? 0);
    out.integer(maxMs);
  }
}

function latencyHistory(
  { insight }: LocalContext,
  args: readonly string[],
  out: ReplyWriter,
): void {
  const samples = insight.latency.history(args[2] ?? '');
  out.array(samples.length);
  for (const { atSeconds, ms } of samples) {
    out.array(2);
    out.integer(atSeconds);
    out.integer(ms);
  }
}

type Measured = Route & { readonly latency: HdrHistogram };

/** Of the named commands, or of all; a command with subcommands stands for these. */
function latencyHistogram(
  { routes }: LocalContext,
  args: readonly string[],
  out: ReplyWriter,
): void {
  const named = args.slice(2).flatMap((word) => {
    const route = routes.named(word.toUpperCase());
    return route === undefined ? [] : [route, ...(route.subroutes?.values() ?? [])];
  });
  const wanted = args.length > 2 ? named : [...routes.withSubcommands()];
  const found = wanted.filter((route): route is Measured => route.latency !== undefined);
  out.map(found.length);
  for (const { label, latency } of found) {
    const powers = [...latency.powers()];
    out.bulk(label);
    out.map(2);
    out.bulk('calls');
    out.integer(latency.count);
    out.bulk('histogram_usec');
    out.map(powers.length);
    for (const [belowUs, count] of powers) {
      out.integer(belowUs);
      out.integer(count);
    }
  }
}

/** HOLOHOTKEYS [count]: database, key and commands per second, the hottest first. */
function hotKeys({ insight }: LocalContext, args: readonly string[], out: ReplyWriter): void {
  const count = args.length > 1 ? parseInteger(args[1] ?? '') : HOT_KEYS_DEFAULT;
  if (count === undefined || count < 1) {
    return out.error(`ERR count must be a number above 0, not '${printable(args[1] ?? '')}'`);
  }
  const keys = insight.hotKeys.top(Number(count));
  out.array(keys.length);
  for (const { database, key, perSecond } of keys) {
    out.array(3);
    out.integer(database);
    out.bulk(key);
    out.integer(Math.round(perSecond));
  }
}

export const INSIGHT_COMMANDS: readonly LocalCommand[] = [
  withSubcommands({
    ...CONTAINER,
    name: 'SLOWLOG',
    summary: 'A container for slow log commands.',
    since: '2.2.12',
    subcommands: {
      GET: { arity: -2, run: slowlogGet },
      LEN: { arity: 2, run: ({ insight }, _args, out) => out.integer(insight.slowLog.length) },
      RESET: {
        arity: 2,
        run({ insight }, _args, out) {
          insight.slowLog.reset();
          out.simple('OK');
        },
      },
    },
  }),
  withSubcommands({
    ...CONTAINER,
    name: 'LATENCY',
    summary: 'A container for latency diagnostics commands.',
    since: '2.8.13',
    subcommands: {
      LATEST: { arity: 2, run: latencyLatest },
      HISTORY: { arity: 3, run: latencyHistory },
      HISTOGRAM: { arity: -2, run: latencyHistogram },
      DOCTOR: {
        arity: 2,
        run: ({ insight }, _args, out) =>
          out.verbatim(insight.latency.advice(insight.slowLog.thresholdUs)),
      },
      RESET: {
        arity: -2,
        run: ({ insight }, args, out) => out.integer(insight.latency.reset(args.slice(2))),
      },
    },
  }),
  {
    ...CONTAINER,
    name: 'HOLOHOTKEYS',
    arity: -1,
    complexity: 'O(1)',
    summary:
      'Returns the keys that clients of this node name most often, with commands per second.',
    since: '0.1.0',
    run: hotKeys,
  },
];
