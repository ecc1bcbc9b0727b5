/**
 * `holoctl check`: whether a cluster is as it should be, for scripts: exit code 0, or 1 with a line
 * for each threshold that is passed.
 */

import { formatEndpoint } from '../endpoint.ts';
import { escapeText } from '../escape.ts';
import type { RangeReport, TopologyReport } from '../http/topology-report.ts';
import { nodesOf, type Output, parseFlags, UsageError } from './command-line.ts';
import { rangeText, topologyOf } from './topology.ts';

const US_PER_S = 1_000_000;

interface Thresholds {
  /** Nodes that may be down. */
  readonly downMax: number;
  /** A change may be under way for so long, unless it is paused, and data on their way. */
  readonly changeSMax: number;
  /** Epochs that a node may be behind. */
  readonly epochsMax: number;
}

export async function check(args: readonly string[], output: Output): Promise<number> {
  const names = ['node', 'nodes', 'down-max', 'change-s-max', 'epochs-max'];
  const flags = parseFlags(args, names, ['json']);
  const numberIn = (name: string, standard: number): number => {
    const value = Number(flags.values.get(name) ?? standard);
    if (Number.isSafeInteger(value) && value >= 0) return value;
    throw new UsageError(`--${name} is a whole number`);
  };
  const thresholds = {
    downMax: numberIn('down-max', 0),
    changeSMax: numberIn('change-s-max', 60),
    epochsMax: numberIn('epochs-max', 2),
  };
  const nodes = nodesOf(flags);
  const asked = await Promise.allSettled(nodes.map((node) => topologyOf(node)));
  const problems = asked.flatMap((each, at) => {
    if (each.status === 'fulfilled') return [];
    const reason = each.reason instanceof Error ? each.reason.message : 'no answer';
    const name = nodes[at] === undefined ? '' : formatEndpoint(nodes[at]);
    return [reason.startsWith(name) ? reason : `${name}: ${reason}`];
  });
  const reports = asked.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const all = [...problems, ...problemsOf(reports, thresholds, Date.now() * 1_000)];
  const lines = all.length === 0 ? ['ok'] : all;
  output.write(
    flags.on.has('json')
      ? `${JSON.stringify({ ok: all.length === 0, problems: all })}\n`
      : escapeText(`${lines.join('\n')}\n`),
  );
  return all.length === 0 ? 0 : 1;
}

/** A line for each threshold that these reports of nodes pass. */
function problemsOf(
  reports: readonly TopologyReport[],
  { downMax, changeSMax, epochsMax }: Thresholds,
  nowUs: number,
): readonly string[] {
  const newest = reports.toSorted((a, b) => b.epoch - a.epoch)[0];
  if (newest === undefined) return [];
  const { nodes, ranges, epoch, meta } = newest;
  // That one may be stopped.
  const stays = nodes.filter(({ state }) => state !== 'decommissioned');
  const down = stays.filter(({ alive }) => !alive).map(({ id }) => id);
  const isUp = (id: number): boolean => !down.includes(id);
  const lost = ranges.filter((range) => !isQuorum(range.members.filter(isUp), range));
  const lacking = ranges.flatMap(({ range, owed, sinceUs }) => {
    const seconds = Math.round((nowUs - sinceUs) / US_PER_S);
    if (owed.length === 0 || seconds <= changeSMax) return [];
    return [`range ${range}: node ${owed.join(' ')} lacks its data for ${seconds} s`];
  });
  const unheld = ranges.flatMap(({ range, generation, members, owed }) => {
    const isLost = (node: number): boolean =>
      reports.some((report) =>
        report.ranges.some((its) => {
          return its.range === range && its.generation === generation && its.lostBy === node;
        }),
      );
    const holders = members.filter((node) => !owed.includes(node) && !isLost(node));
    const there = holders.filter(isUp);
    const isSaid = !isQuorum(members.filter(isUp), { members });
    if (isSaid || isQuorum(there, { members })) return [];
    const who = there.length === 0 ? 'no member' : `node ${there.join(' ')} alone`;
    return [`range ${range}: ${who} of ${members.join(' ')} is there with its data`];
  });
  const slow = ranges.flatMap(({ range, change }) => {
    if (change === undefined || change.isPaused) return [];
    const seconds = Math.round((nowUs - change.startedUs) / US_PER_S);
    return seconds > changeSMax ? [`range ${range}: its ${change.kind} takes ${seconds} s`] : [];
  });
  const behind = reports.filter((report) => epoch - report.epoch > epochsMax).length;
  return [
    ...(down.length > downMax ? [`nodes down: ${down.join(' ')} (at most ${downMax})`] : []),
    ...nodes.flatMap(({ id, departure }) => {
      return (
        departure?.stuck.map(({ range, why }) => `node ${id} keeps ${rangeText(range)}: ${why}`) ??
        []
      );
    }),
    ...(isQuorum(meta.members.filter(isUp), meta)
      ? []
      : ['the meta group has no quorum: nothing can be changed']),
    ...lost.map(({ range }) => `range ${range} has no quorum of its members`),
    ...unheld,
    ...slow,
    ...lacking,
    ...(behind > 0 ? [`${behind} nodes are more than ${epochsMax} epochs behind`] : []),
  ];
}

function isQuorum(some: readonly number[], { members }: Pick<RangeReport, 'members'>): boolean {
  return some.length > members.length / 2;
}
