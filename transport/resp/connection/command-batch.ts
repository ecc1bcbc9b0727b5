/**
 * Commands for the store with everything that the coordinator needs: their bytes, their conflict
 * slots, and whether they only read. A unit has one for each of its parts; a MULTI block is one,
 * and becomes part of a unit at EXEC.
 */
import type { Arguments } from '../../../storage/arguments.ts';
import { keysAmong } from '../../../storage/commands/command.ts';
import { CallTally } from '../call-tally.ts';
import { ByteRuns } from '../codec/byte-runs.ts';
import { KEYS_LISTED, KEYS_NONE, KEYS_ONE, type StoreRoute } from '../routes.ts';

export class CommandBatch {
  /** Commands that need the store. */
  count = 0;
  readonly runs = new ByteRuns();
  slots: number[] = [];
  wholeStore = false;
  /** Every command reads exactly one key, or walks the keys (SCAN). */
  readOnly = true;
  calls = new CallTally();

  /** The request array is `[start, end)` of `buffer`, `args` a view of it. */
  addCommand(
    route: StoreRoute,
    args: Arguments,
    buffer: Uint8Array,
    start: number,
    end: number,
  ): void {
    this.runs.add(buffer, start, end);
    this.count += 1;
    this.calls.add(route);
    if (route.keys === KEYS_ONE) {
      this.slots.push(args.slot(route.firstKey));
      if (route.writes) this.readOnly = false;
    } else {
      this.#addRare(route, args);
    }
  }

  addBatch(batch: CommandBatch): void {
    const bytes = batch.runs.take();
    this.runs.add(bytes, 0, bytes.length);
    for (const slot of batch.slots) this.slots.push(slot);
    this.count += batch.count;
    this.calls.addAll(batch.calls);
    this.wholeStore ||= batch.wholeStore;
    this.readOnly &&= batch.readOnly;
  }

  /** The keys of a command alone. */
  addKeys(route: StoreRoute, args: Arguments): void {
    const { keys } = route.command;
    if (route.keys === KEYS_NONE) return;
    if (typeof keys === 'string') {
      this.wholeStore = true;
      return;
    }
    for (const i of keysAmong(keys, args)) this.slots.push(args.slot(i));
  }

  #addRare(route: StoreRoute, args: Arguments): void {
    const before = this.slots.length;
    this.addKeys(route, args);
    if (route.keys === KEYS_LISTED) {
      if (route.writes || this.slots.length - before !== 1) this.readOnly = false;
    } else if (!route.walksKeys) {
      this.readOnly = false;
    }
  }
}
