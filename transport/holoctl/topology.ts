/** `holoctl topology` and `holoctl ranges`: what the nodes of a cluster have agreed on. */
import Table from 'cli-table3';
import { type Endpoint, formatEndpoint } from '../endpoint.ts';
import { escapeText } from '../escape.ts';
import { NO_ADMIN_PORT } from '../http/http-get.ts';
import {
  type DepartureReport,
  isTopologyReport,
  type RangeReport,
  type TopologyReport,
} from '../http/topology-report.ts';
import { ask } from './ask.ts';
import { nodeOf, type Output, parseFlags } from './command-line.ts';

const MIB = 1024 * 1024;

/** The nodes, and how many ranges each has. */
export async function topology(args: readonly string[], output: Output): Promise<number> {
  const { report, isJson } = await asked(args);
  if (isJson) return write(output, JSON.stringify(report));
  const { epoch, digest, behaviourLevel, ranges, rangesMax } = report;
  const head = ['node', 'peer address', 'version', 'state', 'alive', 'ranges', 'elector in'];
  const table = tableOf(head);
  for (const { id, host, port, version, state, alive } of report.nodes) {
    const member = ranges.filter(({ members }) => members.includes(id)).length;
    const elector = ranges.filter(({ electorate }) => electorate.includes(id)).length;
    const place = formatEndpoint({ host, port });
    table.push([id, place, version, state, alive ? 'yes' : 'no', member, elector]);
  }
  const line =
    `epoch ${epoch}, digest ${digest}, behaviour level ${behaviourLevel}, ` +
    `${ranges.length} of at most ${rangesMax} ranges`;
  const leaving = report.nodes.flatMap(({ id, departure }) => {
    return departure === undefined ? [] : [departureText(id, departure)];
  });
  return write(output, [line, table.toString(), metaText(report), ...leaving].join('\n'));
}

/** The members that decide, and those that are to. */
function metaText({ meta }: TopologyReport): string {
  const next = meta.change?.members;
  const change = next === undefined ? '' : `, to be ${next.join(' ')}`;
  return `meta group: generation ${meta.generation}, members ${meta.members.join(' ')}${change}`;
}

/** A line per range. */
export async function ranges(args: readonly string[], output: Output): Promise<number> {
  const { report, isJson } = await asked(args);
  if (isJson) return write(output, JSON.stringify(report.ranges));
  const head = ['range', 'generation', 'slots', 'members', 'electorate', 'phase', 'lacks its data'];
  const table = tableOf(head);
  for (const each of report.ranges) {
    const { range, generation, from, to, members, electorate, phase } = each;
    const slots = `${from}-${to - 1}`;
    const its = [members.join(' '), electorate.join(' '), phase, lackingText(each)];
    table.push([range, generation, slots, ...its]);
  }
  return write(output, table.toString());
}

/** Nodes; and as far as the one that answers knows, how much has come. */
function lackingText({ owed, fetchedBytes, lostBy }: RangeReport): string {
  const come =
    fetchedBytes === undefined ? '' : `: ${(fetchedBytes / MIB).toFixed(1)} MiB have come`;
  if (owed.length > 0) return `${owed.join(' ')}${come}`;
  return lostBy === undefined ? '' : `${lostBy}: they went with its store`;
}

/** For people. */
export function rangeText(range: number): string {
  return range === 0 ? 'the meta group' : `range ${range}`;
}

/** The ranges that a node still has, in one line. */
export function departureText(id: number, { left, moving, stuck }: DepartureReport): string {
  const counted = `node ${id} leaves: ${left} range${left === 1 ? '' : 's'} left`;
  const parts = [
    ...moving.map(({ range, to }) => {
      return to === undefined
        ? `${rangeText(range)} shrinks`
        : `${rangeText(range)} moves to node ${to}`;
    }),
    ...stuck.map(({ range, why }) => `${rangeText(range)} stays: ${why}`),
  ];
  return [counted, ...parts].join('; ');
}

/** For those who wait for a change. @throws Error when it is cancelled */
export function checkNotCancelled({ jobs }: TopologyReport, change: number | undefined): void {
  const ended = jobs.find(({ number }) => number === change);
  if (ended?.outcome === 'cancelled') throw new Error(`change ${ended.number} was cancelled`);
}

async function asked(
  args: readonly string[],
): Promise<{ report: TopologyReport; isJson: boolean }> {
  const flags = parseFlags(args, ['node'], ['json']);
  return { report: await topologyOf(nodeOf(flags)), isJson: flags.on.has('json') };
}

/** As this node knows it. */
export async function topologyOf(node: Endpoint): Promise<TopologyReport> {
  return reportOf(await ask(node, '/topology'), node);
}

function reportOf(text: string, node: Endpoint): TopologyReport {
  try {
    const value: unknown = JSON.parse(text);
    if (isTopologyReport(value)) return value;
  } catch {
    // Told below.
  }
  throw new Error(`${formatEndpoint(node)}: ${NO_ADMIN_PORT}`);
}

function tableOf(head: string[]): Table.Table {
  return new Table({ head, style: { head: [], border: [] } });
}

function write(output: Output, text: string): number {
  output.write(escapeText(`${text}\n`));
  return 0;
}
