/**
 * `holoctl move`: has the cluster decide that another node becomes a member of a range in the place
 * of one, and waits until it has the data. The meta group is range 0.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Endpoint } from '../endpoint.ts';
import type { TopologyReport } from '../http/topology-report.ts';
import { changed, refusalText } from './ask.ts';
import { nodeOf, type Output, parseFlags, UsageError } from './command-line.ts';
import { checkNotCancelled, rangeText, topologyOf } from './topology.ts';

/** It goes on when nobody waits any more. */
const TIMEOUT_MS = 600_000;
const AGAIN_MS = 200;

export async function move(args: readonly string[], output: Output): Promise<number> {
  const flags = parseFlags(args, ['node', 'range', 'from', 'to'], ['json', 'no-wait']);
  const node = nodeOf(flags);
  const [range, from, to] = ['range', 'from', 'to'].map((name) => {
    const text = flags.values.get(name) ?? '';
    if (/^\d+$/.test(text)) return Number(text);
    throw new UsageError('move takes --range R --from NODE --to NODE (see "holoctl help")');
  }) as [number, number, number];
  const query = `what=move&range=${range}&from=${from}&to=${to}`;
  const body = await changed(node, `/topology?${query}`);
  const [, number] = /^change (\d+)/.exec(body) ?? [];
  if (number === undefined) throw new Error(refusalText(node, body));
  if (flags.on.has('no-wait')) {
    output.write(`change ${number}\n`);
    return 0;
  }
  const done = await moved(node, range, Number(number));
  const { generation, members } = done;
  const line = `${rangeText(range)}, generation ${generation}: nodes ${members.join(' ')}`;
  output.write(flags.on.has('json') ? `${JSON.stringify(done)}\n` : `${line}\n`);
  return 0;
}

type Moved = Pick<TopologyReport['meta'], 'generation' | 'members' | 'owed'>;

async function moved(node: Endpoint, range: number, change: number): Promise<Moved> {
  const untilMs = Date.now() + TIMEOUT_MS;
  while (Date.now() < untilMs) {
    const topology = await topologyOf(node);
    const { ranges, meta } = topology;
    const found = range === 0 ? meta : ranges.find((each) => each.range === range);
    if (isDone(topology, change) && found?.owed?.length === 0) return found;
    await sleep(AGAIN_MS);
  }
  throw new Error(`not moved within ${TIMEOUT_MS / 1_000} s; it goes on: see "holoctl ranges"`);
}

function isDone(topology: TopologyReport, change: number): boolean {
  checkNotCancelled(topology, change);
  const { jobs, ranges, meta } = topology;
  return (
    jobs.some(({ number }) => number === change) &&
    [...ranges, meta].every((range) => range.change?.number !== change)
  );
}
