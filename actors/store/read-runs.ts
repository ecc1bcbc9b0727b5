/**
 * Runs the reads behind the barriers of an executor: in their turn, perhaps over several slices, or
 * ahead of executions that have no slot of theirs. The executor says when.
 */
import { Arguments } from '../../storage/arguments.ts';
import type { ReadOutcome, StateMachine } from '../../storage/state-machine.ts';
import { ReplyWriter } from '../../transport/resp/codec/encoder.ts';
import type { Part } from '../../transport/resp/connection/part.ts';
import { PartRenderer } from '../../transport/resp/connection/part-renderer.ts';
import type { AppliedSlots } from '../accord/local/applied-slots.ts';
import type { ReadDone } from './messages.ts';
import type { Reading } from './reading.ts';

/** With more commands, a read waits for its turn. */
const AHEAD_COMMANDS_MAX = 1_024;

interface ReadRunsOptions {
  readonly keptReplyBytesMax: number;
  /** The cluster's time. */
  nowMs(): number;
  groupOf(reading: Reading): { readonly machine: StateMachine; readonly slots: AppliedSlots };
  /** A command was run. */
  ran(): void;
  /** `false`: the slice is over. */
  hasTime(): boolean;
  /** `false`: the replies of the part are long, and the rest is another one. */
  mayReadOn(renderer: PartRenderer, part: Part, args: Arguments): boolean;
  reply(renderer: PartRenderer, part: Part): void;
  /** Tells the keyspace events behind the first `from`. */
  tellEvents(reading: Reading, from: number): void;
}

export class ReadRuns {
  readonly #options: ReadRunsOptions;
  /** Those of the reads in turn, perhaps over several turns, */
  readonly #args = new Arguments();
  readonly #renderer = new PartRenderer(new ReplyWriter(2));
  /** and of reads ahead of what waits. */
  readonly #aheadArgs = new Arguments();
  readonly #aheadRenderer = new PartRenderer(new ReplyWriter(2));
  /** The reads that wait for the next slice; nothing is applied meanwhile. */
  #reading: Reading | undefined;
  #done: ReadDone[] = [];

  constructor(options: ReadRunsOptions) {
    this.#options = options;
    this.#renderer.writer.keptBytesMax = options.keptReplyBytesMax;
    this.#aheadRenderer.writer.keptBytesMax = options.keptReplyBytesMax;
  }

  get isHalfWay(): boolean {
    return this.#reading !== undefined;
  }

  begin(reading: Reading): void {
    this.#reading = reading;
  }

  /** The group of the read has ended: its successors may answer, behind barriers of their own. */
  giveUp(reading: Reading): void {
    reading.uncovered.push(...reading.parts.keys());
    this.#ended(reading);
  }

  /** Those that have ended since the last call. */
  takeDone(): readonly ReadDone[] {
    const done = this.#done;
    this.#done = [];
    return done;
  }

  /** Goes on with reads in their turn; `false`: the rest waits for the next slice. */
  goOn(): boolean {
    const reading = this.#reading;
    if (reading === undefined) return true;
    for (; reading.index < reading.parts.length; reading.index += 1) {
      const part = reading.parts[reading.index] as Part;
      if (!reading.isWithinPart) {
        reading.nowMs = this.#options.nowMs();
        if (!this.#isCovered(reading, part)) continue;
        this.#renderer.begin(part);
        reading.at = 0;
        reading.left = part.count;
      }
      reading.isWithinPart = !this.#readPart(reading, part);
      if (reading.isWithinPart) return false;
    }
    this.#reading = undefined;
    this.#ended(reading);
    return true;
  }

  /** Short reads, none of whose slots `waits`. `false`: they are to wait for their turn. */
  readAhead(reading: Reading, waiting: ReadonlySet<number> | 'all'): boolean {
    if (waiting === 'all') return false;
    const isFree = ({ wholeStore, participants }: Part): boolean =>
      !wholeStore && !participants.some((slot) => waiting.has(slot));
    if (!reading.parts.every(isFree)) return false;
    reading.nowMs = this.#options.nowMs();
    for (; reading.index < reading.parts.length; reading.index += 1) {
      const part = reading.parts[reading.index] as Part;
      if (this.#isCovered(reading, part) && !this.#readPartAhead(reading, part)) return false;
    }
    this.#ended(reading);
    return true;
  }

  #ended({ token, expired, uncovered }: Reading): void {
    this.#done.push({ token, expired, uncovered });
  }

  /** `false`: it takes long, and waits for its turn. */
  #readPartAhead(reading: Reading, part: Part): boolean {
    if (part.count > AHEAD_COMMANDS_MAX) return false;
    const args = this.#aheadArgs;
    const renderer = this.#aheadRenderer;
    const { writer } = renderer;
    const { machine } = this.#options.groupOf(reading);
    const before = machine.eventCount;
    renderer.begin(part);
    let at = 0;
    for (let left = part.count; left > 0; left -= 1) {
      at = args.next(part.bytes, at);
      renderer.next();
      const outcome = machine.readBetween(args, reading.nowMs, writer);
      if (outcome !== 'done') {
        writer.cutBack(0);
        machine.takeEvents(before);
        if (outcome === 'transaction') reading.expired.push(reading.index);
        return outcome === 'transaction';
      }
      if (!this.#options.mayReadOn(renderer, part, args)) break;
    }
    this.#options.tellEvents(reading, before);
    this.#options.reply(renderer, part);
    return true;
  }

  /** `false`: some slot of the part was written since the barrier. */
  #isCovered(reading: Reading, part: Part): boolean {
    const { barrierSequence, uncovered, index } = reading;
    const { slots } = this.#options.groupOf(reading);
    const isCovered = slots.covers(part.participants, barrierSequence);
    if (!isCovered) uncovered.push(index);
    return isCovered;
  }

  /** `false`: the rest of the part waits for the next slice. */
  #readPart(reading: Reading, part: Part): boolean {
    const renderer = this.#renderer;
    const { machine } = this.#options.groupOf(reading);
    for (;;) {
      const outcome = this.#readCommand(machine, reading, part);
      if (outcome === 'transaction') {
        // A key is past its deadline, and only a transaction may decide that it is gone.
        renderer.writer.cutBack(0);
        machine.takeEvents();
        reading.expired.push(reading.index);
        return true;
      }
      const isOver = outcome === 'done' && !this.#options.mayReadOn(renderer, part, this.#args);
      if (isOver || (outcome === 'done' && reading.left === 0)) break;
      if (!this.#options.hasTime()) return false;
    }
    this.#options.tellEvents(reading, 0);
    this.#options.reply(renderer, part);
    return true;
  }

  /** Begins the next command of the part, or goes on with the one that has begun. */
  #readCommand(machine: StateMachine, reading: Reading, part: Part): ReadOutcome {
    const args = this.#args;
    let outcome: ReadOutcome;
    if (reading.isWithinCommand) {
      outcome = machine.moreOfRead();
    } else {
      reading.at = args.next(part.bytes, reading.at);
      reading.left -= 1;
      this.#renderer.next();
      outcome = machine.startRead(args, reading.nowMs, this.#renderer.writer);
    }
    reading.isWithinCommand = outcome === 'more';
    this.#options.ran();
    return outcome;
  }
}
