/** `holoctl trace`: gathers the traces of nodes, sets them to one clock, and converts them. */
import { writeFileSync } from 'node:fs';
import type { Endpoint } from '../endpoint.ts';
import { escapeText } from '../escape.ts';
import { fileErrorText } from '../file-error.ts';
import { otlpPieces } from '../trace/export-otlp.ts';
import { perfettoPieces } from '../trace/export-perfetto.ts';
import { shivizLines } from '../trace/export-shiviz.ts';
import { type AlignedTrace, alignClocks, parseTraces } from '../trace/node-trace.ts';
import { drawTransaction } from '../trace/transaction-picture.ts';
import { ask } from './ask.ts';
import { type Flags, nodesOf, type Output, parseFlags, UsageError } from './command-line.ts';
import { tail } from './trace-tail.ts';

export const DUMP_FORMATS = ['jsonl', 'perfetto', 'shiviz', 'otlp'] as const;
type DumpFormat = (typeof DUMP_FORMATS)[number];

/** A whole ring is some 80 MB, written while the node serves its clients. */
const DUMP_MS_MAX = 120_000;

export async function trace(args: readonly string[], output: Output): Promise<number> {
  const [action, ...rest] = args;
  if (action === 'dump') return dump(rest, output);
  if (action === 'tail') return tail(rest, output);
  if (action?.includes('/') === true) return picture(action, rest, output);
  throw new UsageError(
    'say "trace dump", or "trace TXNID" with an id such as 1.1/1790000000000000.2.1.0 ' +
      '(see "holoctl help")',
  );
}

async function dump(args: readonly string[], output: Output): Promise<number> {
  const flags = parseFlags(args, ['node', 'nodes', 'format', 'out']);
  const asked = flags.values.get('format') ?? 'jsonl';
  const format = DUMP_FORMATS.find((each) => each === asked);
  if (format === undefined) {
    throw new UsageError(`--format must be one of ${DUMP_FORMATS.join(', ')}, not "${asked}"`);
  }
  const [pieces, note] = await dumped(flags, format);
  const file = flags.values.get('out');
  if (file === undefined) {
    for (const piece of pieces) output.write(escapeText(piece));
    return 0;
  }
  let bytes = 0;
  try {
    const whole = [...pieces].join('');
    bytes = Buffer.byteLength(whole);
    writeFileSync(file, whole);
  } catch (error) {
    throw new Error(`--out ${file} cannot be written: ${fileErrorText(error)}`);
  }
  output.write(`${bytes} bytes written to ${file}${note}\n`);
  return 0;
}

/** One node converts its last events by itself; of several all events are converted here. */
async function dumped(flags: Flags, format: DumpFormat): Promise<[Iterable<string>, string]> {
  const nodes = nodesOf(flags);
  const isConverted = flags.values.has('node') && !flags.values.has('nodes') && format !== 'otlp';
  const texts = await gather(nodes, `/trace?format=${isConverted ? format : 'jsonl'}`);
  // JSON lines stay as they are: the lines about the nodes hold what aligns their clocks.
  if (isConverted || format === 'jsonl') return [texts, ''];
  const aligned = alignClocks(parseTraces(texts.join('')));
  const { events, errorUs } = aligned;
  const note = `; ${accuracyOf(aligned)}`;
  switch (format) {
    case 'perfetto':
      return [perfettoPieces(events, { alignmentErrorUs: errorUs }), note];
    case 'shiviz':
      return [shivizLines(events, errorUs), note];
    default:
      return [otlpPieces(events, errorUs), note];
  }
}

function accuracyOf({ errorUs, reference, unaligned, lost }: AlignedTrace): string {
  const apart = unaligned.map((node) => `, but nobody has compared the clock of node ${node}`);
  const gone = lost === 0 ? '' : `; ${lost} events were overwritten meanwhile`;
  return `times by the clock of node ${reference}, ± ${errorUs} us${apart.join('')}${gone}`;
}

async function picture(txn: string, args: readonly string[], output: Output): Promise<number> {
  const flags = parseFlags(args, ['node', 'nodes'], ['json']);
  const nodes = nodesOf(flags);
  const texts = await gather(nodes, `/trace?txn=${encodeURIComponent(txn)}`);
  const { events, errorUs } = alignClocks(parseTraces(texts.join('')));
  if (flags.on.has('json')) {
    const own = events.filter((event) => 'txn' in event && event.txn === txn);
    if (own.length === 0) throw new Error(forgotten(txn));
    output.write(escapeText(`${JSON.stringify({ txn, errorUs, events: own })}\n`));
    return 0;
  }
  const text = drawTransaction(events, txn, { errorUs });
  if (text === '') throw new Error(forgotten(txn));
  output.write(escapeText(text));
  return 0;
}

function forgotten(txn: string): string {
  return (
    `no node that was asked remembers ${txn}: ask all nodes (--nodes), and soon; of old ones ` +
    'only the slow, the recovered and a sample are kept'
  );
}

function gather(nodes: readonly Endpoint[], path: string): Promise<string[]> {
  return Promise.all(nodes.map((endpoint) => ask(endpoint, path, DUMP_MS_MAX)));
}
