/**
 * `holoctl meta-status`, `controller-status` and `state`: the meta group, who works on the topology
 * under which lease, and the changes that have ended; `pause`, `resume` and `freeze`.
 */
import Table from 'cli-table3';
import { escapeText } from '../escape.ts';
import type { TopologyAction } from '../http/topology-report.ts';
import { changed } from './ask.ts';
import { type Flags, nodeOf, type Output, parseFlags, UsageError } from './command-line.ts';
import { topologyOf } from './topology.ts';

/** The meta group, as the node that is asked knows it. */
export async function metaStatus(args: readonly string[], output: Output): Promise<number> {
  const flags = parseFlags(args, ['node'], ['json']);
  const { meta, nodes, epoch } = await topologyOf(nodeOf(flags));
  const up = meta.members.filter((id) => nodes.some((node) => node.id === id && node.alive));
  const needed = Math.floor(meta.members.length / 2) + 1;
  const hasQuorum = up.length >= needed;
  const lines = [
    `epoch ${epoch}, ${meta.appliedSequence} transactions applied`,
    `generation ${meta.generation}, members ${meta.members.join(' ')}, ` +
      `electorate ${meta.electorate.join(' ')}`,
    `${up.length} are connected, ${needed} are needed: ${hasQuorum ? 'a quorum' : 'no quorum'}`,
  ];
  write(output, flags, { ...meta, epoch, connected: up, hasQuorum }, lines.join('\n'));
  return hasQuorum ? 0 : 1;
}

/** A line per controller. */
export async function controllerStatus(args: readonly string[], output: Output): Promise<number> {
  const flags = parseFlags(args, ['node'], ['json']);
  const { controllers } = await topologyOf(nodeOf(flags));
  const head = ['domain', 'holder', 'term', 'remaining ms', 'paused'];
  const table = new Table({ head, style: { head: [], border: [] } });
  for (const { domain, holder, term, remainingMs, isPaused } of controllers) {
    table.push([
      domain,
      holder === 0 ? 'none' : holder,
      term,
      remainingMs,
      isPaused ? 'yes' : 'no',
    ]);
  }
  write(output, flags, controllers, table.toString());
  return 0;
}

/** All of it in one page: changes under way, and those that have ended. */
export async function state(args: readonly string[], output: Output): Promise<number> {
  const flags = parseFlags(args, ['node'], ['json']);
  const topology = await topologyOf(nodeOf(flags));
  const { epoch, ranges, nodes, closingMax, jobs } = topology;
  const alive = nodes.filter((node) => node.alive).length;
  const changing = ranges.flatMap(({ range, generation, phase, change: its }) => {
    if (its === undefined) return [];
    const paused = its.isPaused ? ', paused' : '';
    const what = `change ${its.number}: ${its.kind} of range ${range}, generation ${generation}`;
    const to = its.members === undefined ? '' : `, to nodes ${its.members.join(' ')}`;
    const where = its.atSlot === undefined ? to : `, at slot ${its.atSlot}`;
    return [`${what}${where}: ${phase}${paused}, asked for by ${its.by}`];
  });
  const ended = jobs.map(({ number, kind, outcome, by, startedUs, endedUs }) => {
    const ms = Math.round((endedUs - startedUs) / 1_000);
    return `change ${number}: ${kind} ${outcome} after ${ms} ms, asked for by ${by}`;
  });
  const head = `epoch ${epoch}, ${alive} of ${nodes.length} nodes up, ${ranges.length} ranges`;
  const under = `under way (${closingMax} may close at a time): ${changing.length}`;
  write(output, flags, topology, [head, under, ...changing, 'ended:', ...ended].join('\n'));
  return 0;
}

/** `holoctl pause NAME`, `holoctl resume NAME`. */
export async function setController(
  what: Extract<TopologyAction, 'pause-controller' | 'resume-controller'>,
  args: readonly string[],
  output: Output,
): Promise<number> {
  const flags = parseFlags(args, ['node'], [], 1);
  const [name] = flags.words;
  if (name === undefined) throw new UsageError('which one: ranges, replicas, meta or all');
  return ask(flags, what, name, output);
}

/** `holoctl freeze`: all controllers are paused, and nothing that is not closing yet moves. */
export async function freeze(args: readonly string[], output: Output): Promise<number> {
  const flags = parseFlags(args, ['node', 'frozen']);
  const frozen = flags.values.get('frozen') ?? 'true';
  if (frozen !== 'true' && frozen !== 'false') throw new UsageError('--frozen is true or false');
  const what = frozen === 'true' ? 'pause-controller' : 'resume-controller';
  return ask(flags, what, 'all', output);
}

async function ask(flags: Flags, what: string, name: string, output: Output): Promise<number> {
  const node = nodeOf(flags);
  await changed(node, `/topology?what=${what}&controller=${encodeURIComponent(name)}`);
  output.write('ok\n');
  return 0;
}

function write(output: Output, { on }: Flags, value: unknown, text: string): void {
  output.write(on.has('json') ? `${JSON.stringify(value)}\n` : escapeText(`${text}\n`));
}
