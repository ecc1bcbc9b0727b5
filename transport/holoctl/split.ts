/**
 * `holoctl split`: has the cluster decide to divide a range in two, and waits until the node that
 * is asked has done so. With `--pause`, `--resume` or `--cancel`: of a split that is not closing.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { redisSlotOf, slotOfText } from '../../storage/keyspace/slots.ts';
import type { Endpoint } from '../endpoint.ts';
import type { RangeReport } from '../http/topology-report.ts';
import { change, changed, refusalText } from './ask.ts';
import { nodeOf, type Output, parseFlags, UsageError } from './command-line.ts';
import { checkNotCancelled, topologyOf } from './topology.ts';

/** Until then it is asked for again; it may still be done later. */
const TIMEOUT_MS = 30_000;
const AGAIN_MS = 100;
const ACTIONS = ['pause', 'resume', 'cancel'] as const;

type Values = ReadonlyMap<string, string>;

export async function split(args: readonly string[], output: Output): Promise<number> {
  const names = ['node', 'at-slot', 'at-key', 'range'];
  const flags = parseFlags(args, names, ['json', 'no-wait', ...ACTIONS]);
  const node = nodeOf(flags);
  const [action, second] = ACTIONS.filter((name) => flags.on.has(name));
  if (second !== undefined) throw new UsageError(`split takes one of --${ACTIONS.join(', --')}`);
  if (action !== undefined) {
    const text = await changed(node, `/topology?what=${action}${placeIn(flags.values)}`);
    output.write(`${text}\n`);
    return 0;
  }
  const slot = slotIn(flags.values);
  return new Attempt(node, slot, flags.values.get('range')).run(output, flags.on);
}

class Attempt {
  readonly #node: Endpoint;
  readonly #slot: number;
  readonly #range: string | undefined;
  /** The number of the change, once the cluster has decided on it. */
  #decided: number | undefined;
  #why = 'it waits';

  constructor(node: Endpoint, slot: number, range: string | undefined) {
    this.#node = node;
    this.#slot = slot;
    this.#range = range;
  }

  async run(output: Output, on: ReadonlySet<string>): Promise<number> {
    const untilMs = Date.now() + TIMEOUT_MS;
    for (let tries = 0; Date.now() < untilMs; tries += 1) {
      const topology = await topologyOf(this.#node);
      const slot = this.#slot;
      const holder = topology.ranges.find(({ from, to }) => slot >= from && slot < to);
      if (holder?.from === slot && tries > 0) return report(output, topology.ranges, slot, on);
      // Behind the first proposal the slot may be of the other half.
      if (tries === 0 && this.#range !== undefined && String(holder?.range) !== this.#range) {
        const where = holder?.range ?? 'none';
        throw new Error(`slot ${slot} is in range ${where}, not in ${this.#range}`);
      }
      checkNotCancelled(topology, this.#decided);
      if (this.#decided === undefined) await this.#propose(tries);
      if (this.#decided !== undefined && on.has('no-wait')) {
        output.write(`change ${this.#decided}\n`);
        return 0;
      }
      await sleep(AGAIN_MS);
    }
    const seconds = TIMEOUT_MS / 1_000;
    throw new Error(`not split within ${seconds} s (${this.#why}); it may still be: ask again`);
  }

  /** A refusal for now may end with another change of the range. */
  async #propose(tries: number): Promise<void> {
    const { status, body } = await change(this.#node, `/topology?what=split&slot=${this.#slot}`);
    const [, number] = /^change (\d+)/.exec(body) ?? [];
    if (status === 200) this.#decided = Number(number);
    else if (status === 409 || status === 503) this.#why = body.trim().slice(0, 300);
    // Once it was proposed, a refusal says that it has been done.
    else if (status !== 400 || tries === 0) throw new Error(refusalText(this.#node, body));
  }
}

function placeIn(values: Values): string {
  const range = values.get('range');
  const hasSlot = values.has('at-slot') || values.has('at-key');
  if (range === undefined && !hasSlot) {
    throw new UsageError('which one: --range R, --at-slot N or --at-key KEY (see "holoctl help")');
  }
  const slot = hasSlot ? `&slot=${slotIn(values)}` : '';
  return range === undefined ? slot : `${slot}&range=${encodeURIComponent(range)}`;
}

function slotIn(values: Values): number {
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
