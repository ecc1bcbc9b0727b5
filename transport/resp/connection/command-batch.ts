/**
 * Commands for the store with everything that the coordinator needs: their bytes, their conflict
 * slots, and whether they only read. A connection fills one per unit, and one per MULTI block,
 * which becomes part of a unit at EXEC.
 */
import type { Arguments } from '../../../storage/arguments.ts';
import { lastKeyOf } from '../../../storage/commands/command.ts';
import { CallTally } from '../call-tally.ts';
import { ByteRuns } from '../codec/byte-runs.ts';
import { KEYS_LISTED, KEYS_NONE, KEYS_ONE, type StoreRoute } from '../routes.ts';
import type { ExecLocal, PlanItem } from './command-unit.ts';

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
    this.count++;
    this.calls.add(route);
    if (route.keys === KEYS_ONE) {
      this.slots.push(args.slot(route.firstKey));
      if (route.writes) this.readOnly = false;
    } else {
      this.#addRare(route, args);
    }
  }

  #addRare(route: StoreRoute, args: Arguments): void {
    const keys = route.command.keys;
    if (route.keys === KEYS_LISTED && typeof keys !== 'string') {
      const last = lastKeyOf(keys, args.count);
      if (route.writes || last !== keys.first) this.readOnly = false;
      for (let i = keys.first; i <= last; i += keys.step) this.slots.push(args.slot(i));
      return;
    }
    if (route.keys !== KEYS_NONE) this.wholeStore = true;
    if (!route.walksKeys) this.readOnly = false;
  }
}

/** The content of a unit, without its connection. */
export interface UnitContent {
  readonly bytes: Uint8Array;
  readonly count: number;
  readonly readOnly: boolean;
  readonly wholeStore: boolean;
  readonly slots: readonly number[];
  readonly plan: readonly PlanItem[];
  readonly calls: CallTally;
}

/** A batch with the layout of its replies. */
export class UnitBuilder extends CommandBatch {
  /** Bytes of the local replies that the plan holds. */
  localBytes = 0;
  #plan: PlanItem[] = [];
  /** Commands already in `#plan`. */
  #planned = 0;

  /** Adds a known reply, behind those of the commands added so far. */
  addLocal(reply: Uint8Array): void {
    this.#planCommands();
    this.localBytes += reply.length;
    this.#plan.push({ local: reply });
  }

  /** A MULTI block with at least one command. */
  addExec(block: CommandBatch, locals: readonly ExecLocal[]): void {
    this.#planCommands();
    const bytes = block.runs.take();
    this.runs.add(bytes, 0, bytes.length);
    for (const slot of block.slots) this.slots.push(slot);
    this.count += block.count;
    this.calls.addAll(block.calls);
    this.#planned = this.count;
    this.wholeStore ||= block.wholeStore;
    this.readOnly = false;
    for (const local of locals) this.localBytes += local.reply.length;
    this.#plan.push(locals.length === 0 ? { exec: block.count } : { exec: block.count, locals });
  }

  /** Returns the content and starts over. */
  build(): UnitContent {
    this.#planCommands();
    const content: UnitContent = {
      bytes: this.runs.take(),
      count: this.count,
      readOnly: this.readOnly,
      wholeStore: this.wholeStore,
      slots: this.slots,
      plan: this.#plan,
      calls: this.calls,
    };
    this.count = 0;
    this.calls = new CallTally();
    this.slots = [];
    this.wholeStore = false;
    this.readOnly = true;
    this.localBytes = 0;
    this.#plan = [];
    this.#planned = 0;
    return content;
  }

  #planCommands(): void {
    if (this.count > this.#planned) this.#plan.push(this.count - this.#planned);
    this.#planned = this.count;
  }
}
