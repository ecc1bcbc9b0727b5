/**
 * A unit that a connection has submitted: merges the answers of its parts, and the replies that the
 * connection gave itself, into the order of its commands. It may outlive the connection: its parts
 * still execute, and their answers are dropped.
 */
import { type CallTally, countFailed } from '../call-tally.ts';
import type { ReplyWriter } from '../codec/encoder.ts';
import type { Routes } from '../routes.ts';
import type { Part, PartAnswer, PartReplies, ReplyCredit, UnitId } from './part.ts';
import { restOf } from './rest-of-part.ts';

/** In the order of the client's commands. */
export type PlanItem = LocalReply | Run | Guard;

/** Known, or to be made when its turn comes. */
export type LocalBytes = Uint8Array | (() => Uint8Array);

interface LocalReply {
  readonly type: 'local';
  readonly reply: LocalBytes;
  /** The part whose MULTI block it belongs to, and fails with; -1: none. */
  readonly block: number;
  /** It is an element of the block's array. */
  readonly inside: boolean;
}

/** The next run of a part's layout. */
interface Run {
  readonly type: 'run';
  readonly part: number;
  /** Error lines when the part fails; a MULTI block has one in all. */
  readonly errors: number;
  /** Its replies are elements of a block's array. */
  readonly inside: boolean;
}

/** The next run of a part's layout, one command: OK, or what answers the block instead of it. */
interface Guard {
  readonly type: 'guard';
  readonly part: number;
}

/** A reply of a command that the gateway ran itself inside a MULTI block (PING, ECHO). */
export interface ExecLocal {
  /** It stands before the reply of the block's command with this index; the count: at the end. */
  readonly before: number;
  readonly reply: LocalBytes;
}

/** Takes the merged replies. */
export interface ReplyOutput {
  reply(bytes: Uint8Array): void;
}

/** The replies to one part so far. */
interface Received {
  /** Not merged yet; the first begins at byte `mergedTo` of the part's replies. */
  pieces: Uint8Array[];
  mergedTo: number;
  receivedTo: number;
  /** The connection has told that it takes so much. */
  creditTo: number;
  isLast: boolean;
  run: number;
  ends: readonly number[];
  /** Commands; those behind them become another part. */
  answered: number;
  failure: string | undefined;
}

/**
 * `ignored`: the part has had another answer. `broken`: the client has read half an answer whose
 * rest will not come.
 */
type Progress = 'more' | 'done' | 'ignored' | 'broken';

const OK = Buffer.from('+OK\r\n', 'latin1');

export class UnitUnderWay {
  /** Of its last attempt. */
  id: UnitId;
  /** The same, where it has waited. */
  startedMs: number;
  /** Nothing is to be submitted: its client waits until its keys are written. */
  isWaiting = false;
  /** The client has asked for no reply (CLIENT REPLY SKIP). */
  readonly discarded: boolean;
  /** Its answers are for the connection itself. */
  readonly isQuestion: boolean;
  /** Some part has failed as a whole. */
  failed = false;
  /** Parts that the coordinators have taken, counted from the first. */
  submitted = 0;
  readonly #parts: Part[];
  readonly #plan: PlanItem[];
  readonly #tallies: readonly CallTally[];
  /** By part; unused where one answer is all. */
  readonly #received: (Received | undefined)[] = [];
  /** Indices of the commands that have answered an error, by part. */
  readonly #errors: (readonly number[])[] = [];
  #item = 0;
  /** The answer of the guard. */
  readonly #guard: Uint8Array[] = [];
  /** Some of the present run is given, and its end is to come. */
  #isMidRun = false;

  constructor(
    parts: readonly Part[],
    plan: readonly PlanItem[],
    tallies: readonly CallTally[],
    frame: Pick<UnitUnderWay, 'id' | 'startedMs' | 'discarded' | 'isQuestion'>,
  ) {
    this.id = frame.id;
    this.startedMs = frame.startedMs;
    this.discarded = frame.discarded;
    this.isQuestion = frame.isQuestion;
    this.#parts = [...parts];
    this.#plan = [...plan];
    this.#tallies = tallies;
  }

  /** Its command has found nothing: it is to be submitted once more, under another id. */
  repeat(id: UnitId, again: Uint8Array | undefined): void {
    const part = this.#parts[0] as Part;
    this.id = id;
    this.#parts[0] = { ...part, unit: id, bytes: again ?? part.bytes };
    this.submitted = 0;
  }

  /** In the order in which they are to be submitted; the rest of a part becomes another one. */
  get parts(): readonly Part[] {
    return this.#parts;
  }

  get commands(): number {
    let commands = 0;
    // Behind them are the rests of some of them.
    for (let i = 0; i < this.#tallies.length; i += 1) commands += (this.#parts[i] as Part).count;
    return commands;
  }

  /** Between two replies: the client can be sent something else. */
  get isAtBoundary(): boolean {
    const item = this.#plan[this.#item];
    return !this.#isMidRun && (item === undefined || item.type === 'guard' || !item.inside);
  }

  /** Gives what is next in order to `output`; `writer` renders failures. */
  receive(answer: PartAnswer, output: ReplyOutput, writer: ReplyWriter): Progress {
    if (this.#plan.length === 1 && answer.type === 'PartReplies' && this.#isWhole(answer)) {
      if (this.#received.length > 0) return 'ignored';
      this.#errors[0] = answer.errors;
      output.reply(answer.replies);
      return 'done';
    }
    const received = this.#receivedOf(answer.part);
    if (isOver(received)) return 'ignored';
    if (answer.type === 'RepliesLost') return 'broken';
    if (answer.type === 'PartFailed') {
      if (received.receivedTo > 0) return 'ignored';
      this.failed = true;
      received.failure = answer.line;
    } else {
      if (answer.from !== received.receivedTo) return 'broken';
      if (answer.from === 0) this.#errors[answer.part] = answer.errors;
      notePiece(received, answer);
    }
    return this.#merge(output, writer);
  }

  /** Credit for parts of which more is to come, as far as what came is merged. */
  credits(): ReplyCredit[] {
    const credits: ReplyCredit[] = [];
    for (const { window, part } of this.halfReceived()) {
      const received = this.#received[part] as Received;
      const upTo = received.mergedTo + window;
      if (upTo <= received.creditTo) continue;
      received.creditTo = upTo;
      credits.push({ type: 'ReplyCredit', unit: this.id, part, upTo });
    }
    return credits;
  }

  /** Parts of whose replies the rest waits for credit. */
  halfReceived(): Part[] {
    return this.#parts.filter((_, part) => {
      const received = this.#received[part];
      return received !== undefined && received.receivedTo > 0 && !isOver(received);
    });
  }

  /** For the counters that INFO shows; when the unit is done. */
  countDone(tookMs: number, routes: Routes): void {
    const count = this.commands;
    for (const tally of this.#tallies) tally.countTime(tookMs * 1000, count, routes);
    for (const [number, part] of this.#parts.entries()) {
      const errors = this.#errors[number] ?? [];
      const isFailed = this.#received[number]?.failure !== undefined;
      if (isFailed && number < this.#tallies.length) this.#tallies[number]?.countFailures();
      else if (isFailed) countFailed(routes, part.bytes, [...Array(part.count).keys()]);
      else if (errors.length > 0) countFailed(routes, part.bytes, errors);
    }
  }

  /** All replies to the part that was asked first. */
  #isWhole({ part, from, last, answered }: PartReplies): boolean {
    return part === 0 && from === 0 && last && answered === this.#parts[0]?.count;
  }

  #receivedOf(part: number): Received {
    const received = this.#received[part] ?? newReceived(this.#parts[part] as Part);
    this.#received[part] = received;
    return received;
  }

  #merge(output: ReplyOutput, writer: ReplyWriter): Progress {
    for (; this.#item < this.#plan.length; this.#item += 1) {
      const item = this.#plan[this.#item] as PlanItem;
      const placed = this.#mergeItem(item, output, writer);
      if (!placed) return 'more';
    }
    return 'done';
  }

  #mergeItem(item: PlanItem, output: ReplyOutput, writer: ReplyWriter): boolean {
    switch (item.type) {
      case 'run':
        return this.#mergeRun(item, output, writer);
      case 'guard':
        return this.#mergeGuard(item, output);
      case 'local':
        return this.#mergeLocal(item, output, this.#received[item.block]);
    }
  }

  /** The block, the last of its unit, may have been stopped: then this is all of its answer. */
  #mergeGuard({ part }: Guard, output: ReplyOutput): boolean {
    const received = this.#received[part];
    if (received === undefined) return false;
    if (received.failure !== undefined) return true;
    const guard = this.#guard;
    const pieces: ReplyOutput = { reply: (bytes) => guard.push(bytes) };
    if (!mergePieces(received, pieces)) return false;
    const answer = Buffer.concat(guard);
    if (answer.equals(OK)) return true;
    output.reply(answer);
    this.#item = this.#plan.length;
    return true;
  }

  /** `false`: it is not known yet whether the block that it belongs to has failed. */
  #mergeLocal(
    { reply, block }: LocalReply,
    output: ReplyOutput,
    received: Received | undefined,
  ): boolean {
    if (block >= 0 && received === undefined) return false;
    if (received?.failure !== undefined) return true;
    output.reply(typeof reply === 'function' ? reply() : reply);
    return true;
  }

  /** `false`: more of the run is to come. */
  #mergeRun({ part, errors }: Run, output: ReplyOutput, writer: ReplyWriter): boolean {
    const received = this.#received[part];
    if (received === undefined) return false;
    if (received.failure !== undefined) {
      writer.protocol = this.#parts[part]?.protocol ?? 2;
      for (let left = errors; left > 0; left -= 1) writer.error(received.failure);
      if (errors > 0) output.reply(writer.take());
      return true;
    }
    const before = received.mergedTo;
    const isComplete = mergePieces(received, output);
    this.#isMidRun = !isComplete && (this.#isMidRun || received.mergedTo > before);
    const { answered } = received;
    const isCut = isComplete && received.run > received.ends.length;
    if (isCut && answered < (this.#parts[part]?.count ?? 0)) return this.#goOn(part, answered);
    return isComplete;
  }

  /** The commands behind the first `answered` ones become a part; `false`: some are of this run. */
  #goOn(part: number, answered: number): boolean {
    const cut = this.#parts[part] as Part;
    const number = this.#parts.length;
    let left = -answered;
    let run = 0;
    while (left < 0) left += cut.layout[run++] as number;
    this.#parts.push(restOf(cut, answered, number));
    const next = this.#item;
    for (let item = next; item < this.#plan.length; item += 1) {
      const planned = this.#plan[item] as PlanItem;
      if (planned.type !== 'run' || planned.part !== part) continue;
      if (item > next) this.#plan[item] = { ...planned, part: number };
      else if (left > 0) this.#plan[item] = { ...planned, part: number, errors: left };
    }
    return left === 0;
  }
}

function isOver({ isLast, failure }: Received): boolean {
  return isLast || failure !== undefined;
}

function newReceived({ window }: Part): Received {
  return {
    pieces: [],
    mergedTo: 0,
    receivedTo: 0,
    creditTo: window,
    isLast: false,
    run: 0,
    ends: [],
    answered: 0,
    failure: undefined,
  };
}

function notePiece(received: Received, answer: PartReplies): void {
  const { from, replies, ends, answered, last } = answer;
  if (from === 0) received.ends = ends;
  received.answered = answered;
  received.pieces.push(replies);
  received.receivedTo += replies.length;
  received.isLast = last;
}

/** Up to the end of the present run; `false`: it has not come whole. */
function mergePieces(received: Received, output: ReplyOutput): boolean {
  const isLastRun = received.run === received.ends.length;
  const end = received.ends[received.run] ?? Number.POSITIVE_INFINITY;
  for (;;) {
    const [piece] = received.pieces;
    const left = end - received.mergedTo;
    if (piece === undefined || left <= 0) break;
    const taken = piece.length <= left ? piece : piece.subarray(0, left);
    if (taken === piece) received.pieces.shift();
    else received.pieces[0] = piece.subarray(left);
    received.mergedTo += taken.length;
    output.reply(taken);
  }
  const isComplete = isLastRun ? received.isLast : received.mergedTo === end;
  if (isComplete) received.run += 1;
  return isComplete;
}
