/**
 * Renders the replies of one part. The executor calls `next` before each command, and the command
 * writes its reply into `writer`; where a run of the layout ends is noted. It runs no command.
 */
import type { ReplyWriter } from '../codec/encoder.ts';
import type { LongReply } from '../codec/long-reply.ts';
import type { Part, PartReplies } from './part.ts';

export class PartRenderer {
  readonly writer: ReplyWriter;
  #layout: readonly number[] = [];
  /** The run that is being answered. */
  #run = 0;
  /** Commands of the run that are not announced yet. */
  #left = 0;
  /** Commands announced by `next`. */
  #begun = 0;
  #errorsBefore = 0;
  /** Bytes of the replies before the command that was announced last, and ends of runs. */
  #bytesBefore = 0;
  #endsBefore = 0;
  /** Those that are empty are shared by the answers of many parts. */
  #ends: number[] = [];
  #errors: number[] = [];
  #codes: string[] = [];

  /** `writer` may be shared by parts that are answered one after the other. */
  constructor(writer: ReplyWriter) {
    this.writer = writer;
  }

  /** Where the runs of the layout, but for the last one, end. */
  get ends(): readonly number[] {
    return this.#ends;
  }

  /** Indices of commands that failed; usually none. */
  get errors(): readonly number[] {
    return this.#errors;
  }

  begin({ layout, protocol }: Part): void {
    this.writer.protocol = protocol;
    this.#layout = layout;
    this.#run = 0;
    this.#left = layout[0] ?? 0;
    this.#begun = 0;
    this.#errorsBefore = this.writer.errors;
    if (this.#ends.length > 0) this.#ends = [];
    if (this.#errors.length === 0) return;
    this.#errors = [];
    this.#codes = [];
  }

  /** To be called before each command of the part writes its reply. */
  next(): void {
    if (this.writer.errors !== this.#errorsBefore) this.#noteError();
    this.#endsBefore = this.#ends.length;
    if (this.#left === 0) this.#endRun();
    this.#left -= 1;
    this.#begun += 1;
    this.#bytesBefore = this.writer.length;
  }

  /** Commands that were announced. */
  get begun(): number {
    return this.#begun;
  }

  /** Drops the reply of the last command. */
  cutBack(): void {
    this.writer.cutBack(this.#bytesBefore);
  }

  /** The last command is not answered, nor any behind it. */
  stopBefore(): void {
    this.cutBack();
    this.#errorsBefore = this.writer.errors;
    this.#begun -= 1;
    if (this.#ends.length > this.#endsBefore) this.#ends = this.#ends.slice(0, this.#endsBefore);
    this.stop();
  }

  /** No further command is answered. */
  stop(): void {
    this.#left = 0;
    this.#layout = [];
  }

  /** All replies of the part that was begun, in one piece. */
  answer(part: Part, renderedMs = 0): PartReplies {
    return this.answerOf(part, this.finish(), renderedMs);
  }

  /** The first piece of the replies, after `stop` or behind all commands. */
  answerOf({ unit, part }: Part, replies: Uint8Array, renderedMs = 0): PartReplies {
    return {
      type: 'PartReplies',
      unit,
      part,
      from: 0,
      replies,
      ends: this.#ends,
      errors: this.#errors,
      codes: this.#codes,
      answered: this.#begun,
      last: true,
      renderedMs,
    };
  }

  /** All replies so far, for the case that they are long. */
  finishLong(): LongReply {
    this.#check();
    return this.writer.takePieces();
  }

  /** All replies, when every command has written its own. */
  finish(): Uint8Array {
    this.#check();
    return this.writer.take();
  }

  #check(): void {
    if (this.#left > 0 || this.#run < this.#layout.length - 1) {
      throw new Error(`the part has no replies from command ${this.#begun} on`);
    }
    if (this.writer.errors !== this.#errorsBefore) this.#noteError();
  }

  #endRun(): void {
    if (this.#ends.length === 0) this.#ends = [this.writer.length];
    else this.#ends.push(this.writer.length);
    this.#run += 1;
    this.#left = this.#layout[this.#run] ?? 0;
  }

  #noteError(): void {
    this.#errorsBefore = this.writer.errors;
    const { lastErrorCode: code } = this.writer;
    if (this.#errors.length === 0) {
      this.#errors = [this.#begun - 1];
      this.#codes = [code];
    } else {
      this.#errors.push(this.#begun - 1);
      this.#codes.push(code);
    }
  }
}
