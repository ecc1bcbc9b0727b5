/** `holoctl split`: divides a range in two, and waits until the node that is asked has done so. */
import { setTimeout as sleep } from 'node:timers/promises';
import { redisSlotOf, slotOfText } from '../../storage/keyspace/slots.ts';
import { type Endpoint, formatEndpoint } from '../endpoint.ts';
import type { RangeReport } from '../http/topology-report.ts';
import { change } from './ask.ts';
import { nodeOf, type Output, parseFlags, UsageError } from './command-line.ts';
import { topologyOf } from './topology.ts';

/** Until then it is proposed again; it may still be done later. */
const TIMEOUT_MS = 30_000;
const AGAIN_MS = 100;

export async function split(args: readonly string[], output: Output): Promise<number> {
  const flags = parseFlags(args, ['node', 'at-slot', 'at-key', 'range'], ['json']);
  const node = nodeOf(flags);
  const slot = slotIn(flags.values);
  const range = flags.values.get('range');
  const untilMs = Date.now() + TIMEOUT_MS;
  for (let tries = 0; ; tries += 1) {
    const { ranges } = await topologyOf(node);
    const holder = ranges.find(({ from, to }) => slot >= from && slot < to);
    if (holder?.from === slot && tries > 0) return report(output, ranges, slot, flags.on);
    // Behind the first proposal the slot may be of the other half.
    if (tries === 0 && range !== undefined && String(holder?.range) !== range) {
      throw new Error(`slot ${slot} is in range ${holder?.range ?? 'none'}, not in ${range}`);
    }
    if (Date.now() > untilMs) {
      throw new Error(`not split within ${TIMEOUT_MS / 1_000} s; it may still be: ask again`);
    }
    await propose(node, slot, tries);
    await sleep(AGAIN_MS);
  }
}

async function propose(node: Endpoint, slot: number, tries: number): Promise<void> {
  const { status, body } = await change(node, `/split?slot=${slot}`);
  // Once it was proposed, a refusal says that it has been done.
  if (status === 200 || (status === 400 && tries > 0)) return;
  throw new Error(`${formatEndpoint(node)}: ${body.trim().slice(0, 300)}`);
}

function slotIn(values: ReadonlyMap<string, string>): number {
  const [slot, key] = [values.get('at-slot'), values.get('at-key')];
  if ((slot === undefined) === (key === undefined)) {
    throw new UsageError('split takes --at-slot N or --at-key KEY (see "holoctl help")');
  }
  if (key !== undefined) return redisSlotOf(slotOfText(Buffer.from(key).toString('latin1')));
  if (!/^\d+$/.test(slot ?? '')) throw new UsageError(`--at-slot ${slot} is no number of a slot`);
  return Number(slot);
}

function report(
  output: Output,
  ranges: readonly RangeReport[],
  slot: number,
  on: ReadonlySet<string>,
): number {
  const halves = ranges.filter(({ from, to }) => from === slot || to === slot);
  const lines = halves.map(({ range, generation, from, to }) => {
    return `range ${range}, generation ${generation}: slots ${from}-${to - 1}`;
  });
  output.write(on.has('json') ? `${JSON.stringify(halves)}\n` : `${lines.join('\n')}\n`);
  return 0;
}
