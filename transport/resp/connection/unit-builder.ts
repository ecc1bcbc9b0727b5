/**
 * Cuts the commands of a connection into the parts of a unit, and plans the order of their replies.
 *
 * A unit holds any commands of single groups, in one part per group; the parts execute at the same
 * time. A command or MULTI block that spans groups is a unit by itself, in one part that names them
 * all: since a connection has one unit in progress, it waits for the parts before it, and those
 * behind it wait for it. In the order of the connection a unit has one part only.
 */
import type { Arguments } from '../../../storage/arguments.ts';
import type { PipelineOrder } from '../limits.ts';
import { KEYS_LISTED, KEYS_ONE, type StoreRoute } from '../routes.ts';
import { CommandBatch } from './command-batch.ts';
import type { MultiBlock } from './multi-block.ts';
import type { Part, UnitId } from './part.ts';
import type { Placement } from './placement.ts';
import type { TableRequest } from './table-request.ts';
import { type ExecLocal, type LocalBytes, type PlanItem, UnitUnderWay } from './unit-under-way.ts';
import type { OwnCommand } from './watched-keys.ts';

/** The connection's facts about the unit that it submits. */
interface UnitFrame {
  readonly id: UnitId;
  readonly protocol: 2 | 3;
  readonly window: number;
  readonly startedMs: number;
  /** The way of its parts is measured. */
  readonly isSample: boolean;
  /** The client has asked for no reply (CLIENT REPLY SKIP). */
  readonly discarded: boolean;
  /** Its answers are for the connection itself. */
  readonly isQuestion: boolean;
}

class PartBuilder extends CommandBatch {
  readonly layout: number[] = [];
  /** Commands in `layout`. */
  planned = 0;
  /** Its client waits where it finds nothing. */
  waits = false;
  readonly number: number;
  /** Indices in the placement. */
  readonly groups: readonly number[];

  constructor(number: number, groups: readonly number[]) {
    super();
    this.number = number;
    this.groups = groups;
  }
}

export class UnitBuilder {
  /** Commands, and their bytes. */
  count = 0;
  bytes = 0;
  /** Keys that its commands name. */
  keys = 0;
  /** Bytes of the local replies that the plan holds. */
  localBytes = 0;
  /** Nothing may come behind what it holds: a block whose outcome matters, or questions. */
  isAlone = false;
  /** Its answers are for the connection itself. */
  isQuestion = false;
  /** Some command may be begun anew, and all behind it: all of them are of one group. */
  #hasFinder = false;
  #hasBlock = false;
  readonly #placement: Placement;
  #parts: PartBuilder[] = [];
  /** The part of the command that was added last. */
  #part: PartBuilder | undefined;
  #plan: PlanItem[] = [];

  /** Only what is of one group travels together: `--pipeline-order connection`. */
  readonly #isOrdered: boolean;

  constructor(placement: Placement, order: PipelineOrder) {
    this.#placement = placement;
    this.#isOrdered = order === 'connection';
  }

  /** `false`: it spans groups, or the unit does, and may not travel with the rest of the unit. */
  admits(route: StoreRoute, args: Arguments): boolean {
    if ((route.listsKeys || waitsFor(route, args)) && this.count > 0) return false;
    const isFinder = findsKeys(route, args);
    if (isFinder && this.#hasBlock) return false;
    if (this.#placement.isSole) return true;
    const groups = this.#spanOf(route, args);
    if ((isFinder || this.#hasFinder) && !this.#isOnly(groups)) return false;
    return this.#admitsSpan(groups);
  }

  /** All that the unit holds is of this one group. */
  #isOnly(groups: readonly number[]): boolean {
    const [part, ...others] = this.#parts;
    if (part === undefined) return true;
    const isOne = others.length === 0 && part.groups.length === 1 && groups.length === 1;
    return isOne && part.groups[0] === groups[0];
  }

  admitsBlock(block: MultiBlock): boolean {
    if (this.count > 0 && (block.travelsAlone || this.#hasFinder)) return false;
    return this.#admitsSpan(this.#placement.span(block.slots, block.wholeStore));
  }

  /** A command that the unit admits: the request array is `[start, end)` of `buffer`. */
  addCommand(
    route: StoreRoute,
    args: Arguments,
    buffer: Uint8Array,
    start: number,
    end: number,
    database: number,
  ): void {
    const part = this.#placement.isSole
      ? this.#solePart()
      : this.#partFor(this.#spanOf(route, args));
    if (route.listsKeys) this.isAlone = true;
    if (waitsFor(route, args)) {
      this.isAlone = true;
      part.waits = true;
    }
    const keysBefore = part.slots.length;
    part.addCommand(route, args, buffer, start, end, database);
    // Only a transaction has a place in the order from which on nothing is missed.
    if (part.waits) part.readOnly = false;
    this.keys += part.slots.length - keysBefore;
    if (findsKeys(route, args)) this.#hasFinder = true;
    this.count += 1;
    this.bytes += end - start;
  }

  /** Adds a known reply, behind those of the commands added so far. */
  addLocal(reply: Uint8Array): void {
    this.#planRun();
    this.#addLocal(reply, -1, false);
  }

  /** Commands of which each has one key to read, as a unit of their own. */
  addQuestions(questions: readonly OwnCommand[]): void {
    this.isAlone = true;
    this.isQuestion = true;
    for (const question of questions) {
      const part = this.#partFor(this.#placement.span(question.slots, false));
      part.addOwn(question);
      this.count += 1;
      this.bytes += question.bytes.length;
    }
  }

  /** A request for the cluster's table, as a unit of its own. */
  addTableRequest({ command, isRead }: TableRequest): void {
    this.isAlone = true;
    this.isQuestion = true;
    const part = this.#partFor([this.#placement.meta]);
    part.addOwn(command);
    part.wholeStore = !isRead;
    part.readOnly = isRead;
    this.count += 1;
    this.bytes += command.bytes.length;
  }

  /**
   * A MULTI block, which the unit admits, with at least one command, or with one that guards it: if
   * that answers anything but OK, this is the answer to the block.
   */
  addExec(block: MultiBlock, locals: readonly ExecLocal[], guard?: OwnCommand): void {
    const { count } = block;
    this.isAlone = block.travelsAlone;
    this.#hasBlock = true;
    const slots = guard === undefined ? block.slots : [...guard.slots, ...block.slots];
    const part = this.#partFor(this.#placement.span(slots, block.wholeStore));
    this.#planRun();
    if (guard !== undefined) this.#addGuard(part, guard);
    this.bytes += block.runs.length;
    this.count += count;
    this.keys += block.slots.length;
    part.addBatch(block);
    // A block is a transaction even if it only reads.
    part.readOnly = false;
    part.readsFrom = part.count;
    const head = Buffer.from(`*${count + locals.length}\r\n`, 'latin1');
    this.#addLocal(head, part.number, false);
    let planned = 0;
    for (const { before, reply } of locals) {
      this.#planBlock(part, before - planned, planned === 0);
      planned = before;
      this.#addLocal(reply, part.number, true);
    }
    this.#planBlock(part, count - planned, planned === 0);
  }

  /** Returns the unit and starts over. */
  build(frame: UnitFrame): UnitUnderWay {
    this.#planRun();
    const parts = this.#parts.map((part) => this.#built(part, frame));
    const tallies = this.#parts.map(({ calls }) => calls);
    const unit = new UnitUnderWay(parts, this.#plan, tallies, frame);
    this.count = 0;
    this.bytes = 0;
    this.keys = 0;
    this.localBytes = 0;
    this.isAlone = false;
    this.isQuestion = false;
    this.#hasFinder = false;
    this.#hasBlock = false;
    this.#parts = [];
    this.#part = undefined;
    this.#plan = [];
    return unit;
  }

  #built(part: PartBuilder, frame: UnitFrame): Part {
    const { id, protocol, window, isSample, startedMs } = frame;
    return {
      unit: id,
      part: part.number,
      groups: part.groups.map((index) => this.#placement.groups[index] as Part['groups'][number]),
      bytes: part.runs.take(),
      count: part.count,
      layout: part.layout,
      protocol,
      readOnly: part.readOnly,
      readsFrom: part.readsFrom,
      wholeStore: part.wholeStore,
      waits: part.waits,
      participants: part.slots,
      window,
      sampledMs: isSample ? startedMs : 0,
    };
  }

  #spanOf(route: StoreRoute, args: Arguments): readonly number[] {
    if (route.keys === KEYS_ONE) return [this.#placement.groupOf(args.slot(route.firstKey))];
    const walked = route.command.walksFrom?.(args);
    if (walked !== undefined) return [this.#placement.groupOf(walked)];
    const keys = new CommandBatch();
    keys.addKeys(route, args);
    return this.#placement.span(keys.slots, keys.wholeStore);
  }

  #admitsSpan(groups: readonly number[]): boolean {
    const [first] = this.#parts;
    if (this.#isOrdered) return this.#isOnly(groups);
    return first === undefined || (groups.length === 1 && first.groups.length === 1);
  }

  #solePart(): PartBuilder {
    this.#part ??= this.#newPart([this.#placement.sole]);
    return this.#part;
  }

  #partFor(groups: readonly number[]): PartBuilder {
    const [group] = groups;
    if (this.#part?.groups[0] === group && this.#part !== undefined) return this.#part;
    this.#planRun();
    this.#part = this.#parts.find((part) => part.groups[0] === group) ?? this.#newPart(groups);
    return this.#part;
  }

  #newPart(groups: readonly number[]): PartBuilder {
    const part = new PartBuilder(this.#parts.length, groups);
    this.#parts.push(part);
    return part;
  }

  #addGuard(part: PartBuilder, guard: OwnCommand): void {
    part.addOwn(guard);
    this.count += 1;
    this.bytes += guard.bytes.length;
    part.layout.push(1);
    part.planned += 1;
    this.#plan.push({ type: 'guard', part: part.number });
  }

  /** Commands of the present part that have no place in the plan yet. */
  #planRun(): void {
    const part = this.#part;
    if (part === undefined || part.count === part.planned) return;
    const commands = part.count - part.planned;
    this.#addRun(part, commands, commands, false);
  }

  /** A MULTI block that fails is one error. */
  #planBlock(part: PartBuilder, commands: number, isFirst: boolean): void {
    if (commands > 0) this.#addRun(part, commands, isFirst ? 1 : 0, true);
  }

  #addRun(part: PartBuilder, commands: number, errors: number, inside: boolean): void {
    part.layout.push(commands);
    part.planned += commands;
    this.#plan.push({ type: 'run', part: part.number, errors, inside });
  }

  #addLocal(reply: LocalBytes, block: number, inside: boolean): void {
    if (typeof reply !== 'function') this.localBytes += reply.length;
    this.#plan.push({ type: 'local', reply, block, inside });
  }
}

/** Such a command may run several times, with all that are behind it. */
function findsKeys({ keys, command }: StoreRoute, args: Arguments): boolean {
  return keys === KEYS_LISTED && command.findsKeys?.(args) === true;
}

function waitsFor({ waits, command }: StoreRoute, args: Arguments): boolean {
  return waits && command.waits?.timeoutMs(args) !== undefined;
}
