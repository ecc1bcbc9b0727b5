/** MEMORY: the process's memory under Redis' names. The store answers MEMORY USAGE. */
import type { ReplyWriter } from '../codec/encoder.ts';
import type { MemoryUse } from '../gateway-services.ts';
import type { LocalCommand, LocalContext } from '../routes.ts';
import { replyWith, withSubcommands } from './subcommands.ts';

/** Below this there is nothing to diagnose. */
const DIAGNOSED_BYTES_MIN = 5 * 1024 * 1024;
const PEAK_RATIO_MAX = 1.5;
const RESIDENT_RATIO_MAX = 1.4;
/** An empty process of this runtime already has about 100 MiB. */
const RESIDENT_BYTES_MIN = 256 * 1024 * 1024;
const CLIENT_BYTES_MAX = 200 * 1024;

const HELP = [
  'DOCTOR',
  '    Return memory problems reports.',
  'MALLOC-STATS',
  '    Return internal statistics report from the memory allocator.',
  'PURGE',
  '    Attempt to purge dirty pages for reclamation by the allocator.',
  'STATS',
  '    Return information about the memory usage of the server.',
  'USAGE <key> [SAMPLES <count>]',
  '    Return memory in bytes used by <key> and its value. Nested values are',
  '    sampled up to <count> times (default: 5, 0 means sample all).',
];

/** Integers, and doubles where a name says ratio, percentage or fragmentation. */
function statsOf(use: MemoryUse, clientBytes: number): [string, number][] {
  const dataset = Math.min(use.datasetBytes, use.allocatedBytes);
  const overhead = use.allocatedBytes - dataset;
  const net = Math.max(1, use.allocatedBytes - use.startupBytes);
  return [
    ['peak.allocated', use.peakBytes],
    ['total.allocated', use.allocatedBytes],
    ['startup.allocated', use.startupBytes],
    ['replication.backlog', use.retainedBytes],
    ['clients.slaves', 0],
    ['clients.normal', clientBytes],
    ['cluster.links', 0],
    ['aof.buffer', 0],
    ['lua.caches', 0],
    ['functions.caches', 0],
    ['overhead.total', overhead],
    ['keys.count', use.keys],
    ['keys.bytes-per-key', use.keys === 0 ? 0 : Math.floor(net / use.keys)],
    ['dataset.bytes', dataset],
    ['dataset.percentage', Math.min(100, (dataset * 100) / net)],
    ['peak.percentage', (use.allocatedBytes * 100) / Math.max(1, use.peakBytes)],
    ['allocator.allocated', use.allocatedBytes],
    ['allocator.active', use.reservedBytes],
    ['allocator.resident', use.residentBytes],
    ['allocator-fragmentation.ratio', ratio(use.reservedBytes, use.allocatedBytes)],
    ['allocator-fragmentation.bytes', use.reservedBytes - use.allocatedBytes],
    ['allocator-rss.ratio', ratio(use.residentBytes, use.reservedBytes)],
    ['allocator-rss.bytes', use.residentBytes - use.reservedBytes],
    ['rss-overhead.ratio', 1],
    ['rss-overhead.bytes', 0],
    ['fragmentation', ratio(use.residentBytes, use.allocatedBytes)],
    ['fragmentation.bytes', use.residentBytes - use.allocatedBytes],
  ];
}

function ratio(a: number, b: number): number {
  return a / Math.max(1, b);
}

function clientBytes(context: LocalContext): number {
  let bytes = 0;
  for (const { inputBytes, outputBytes, multiBytes } of context.clients.all()) {
    bytes += inputBytes + outputBytes + multiBytes;
  }
  return bytes;
}

function stats(context: LocalContext, _args: readonly string[], out: ReplyWriter): void {
  const all = statsOf(context.services.memory(), clientBytes(context));
  out.map(all.length);
  for (const [name, value] of all) {
    out.bulk(name);
    if (/ratio|percentage|fragmentation$/.test(name)) out.double(value);
    else out.integer(Math.round(value));
  }
}

/** Redis' rules, as far as they apply here. */
export function diagnosis(use: MemoryUse, clientBytes: number, clients: number): string {
  if (use.allocatedBytes < DIAGNOSED_BYTES_MIN) {
    return 'This node is empty or uses very little memory: there is nothing to be found.\n';
  }
  const found: string[] = [];
  if (use.peakBytes > use.allocatedBytes * PEAK_RATIO_MAX) {
    found.push(
      `Peak memory: it took ${use.peakBytes} bytes once and takes ${use.allocatedBytes} now; ` +
        'the process may keep the rest for a while.',
    );
  }
  const beyond = use.residentBytes - use.allocatedBytes;
  if (use.residentBytes > use.allocatedBytes * RESIDENT_RATIO_MAX && beyond > RESIDENT_BYTES_MIN) {
    found.push(
      `Resident memory: the process has ${use.residentBytes} bytes of the system, ${beyond} more ` +
        'than it uses. Garbage that is not collected yet is a part of it, mapped files of the ' +
        'store another; both are given back when memory is short.',
    );
  }
  if (clients > 0 && clientBytes / clients > CLIENT_BYTES_MAX) {
    found.push(
      `Client buffers: ${Math.round(clientBytes / clients)} bytes for each client on average. ` +
        'Look for slow readers with CLIENT LIST (omem), and see output-bytes-max.',
    );
  }
  if (found.length === 0) return 'No memory problem was found on this node.\n';
  return `${found.map((line) => ` * ${line}\n`).join('\n')}`;
}

export const MEMORY_COMMAND: LocalCommand = withSubcommands({
  name: 'MEMORY',
  flags: ['loading', 'stale'],
  categories: ['@slow'],
  group: 'server',
  summary: 'A container for memory diagnostics commands.',
  since: '4.0.0',
  complexity: 'Depends on subcommand.',
  help: HELP,
  subcommands: {
    STATS: { arity: 2, run: stats },
    DOCTOR: {
      arity: 2,
      run(context, _args, out) {
        const bytes = clientBytes(context);
        out.verbatim(diagnosis(context.services.memory(), bytes, context.clients.size));
      },
    },
    // The garbage collector returns memory by itself; Redis answers the same for allocators other
    // than its own.
    PURGE: replyWith(2, (out) => out.simple('OK')),
    'MALLOC-STATS': replyWith(2, (out) =>
      out.bulk('Stats not supported for the current allocator'),
    ),
  },
});
