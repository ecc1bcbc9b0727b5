/**
 * Lays out the replies of one unit by its plan. The executor calls `next` before each command, and
 * the command writes its reply into `writer`; headers of MULTI blocks and local replies are
 * inserted here. It runs no command.
 */

import type { ReplyWriter } from '../codec/encoder.ts';
import type { CommandUnit, ExecItem } from './command-unit.ts';

export class UnitReplies {
  readonly writer: ReplyWriter;
  #unit: CommandUnit | undefined;
  /** The plan item after the one that is being answered. */
  #item = 0;
  /** Commands of the current item that are not announced yet. */
  #left = 0;
  #exec: ExecItem | undefined;
  #execLocal = 0;
  /** Commands announced by `next`. */
  #begun = 0;
  #errorsBefore = 0;
  /** Indices of commands that failed; usually none. */
  #failed: number[] = [];

  /** `writer` may be shared by units that are answered one after the other. */
  constructor(writer: ReplyWriter) {
    this.writer = writer;
  }

  begin(unit: CommandUnit): void {
    this.#unit = unit;
    this.writer.protocol = unit.protocol;
    this.#item = 0;
    this.#left = 0;
    this.#exec = undefined;
    this.#begun = 0;
    this.#errorsBefore = this.writer.errors;
    if (this.#failed.length > 0) this.#failed = [];
  }

  /** To be called before each command of the unit writes its reply. */
  next(): void {
    if (this.writer.errors !== this.#errorsBefore) this.#noteError();
    if (this.#left === 0) this.#enter();
    if (this.#exec !== undefined) this.#execLocals(this.#exec.exec - this.#left);
    this.#left--;
    this.#begun++;
  }

  /** The bytes for `unit.complete`, when every command has written its reply. */
  finish(): Uint8Array {
    this.#enter();
    if (this.#left > 0) throw new Error(`${this.#left} commands of the unit were not answered`);
    if (this.writer.errors !== this.#errorsBefore) this.#noteError();
    if (this.#failed.length > 0) this.#unit?.errorsAt?.(this.#failed);
    this.#unit = undefined;
    return this.writer.take();
  }

  #noteError(): void {
    this.#errorsBefore = this.writer.errors;
    this.#failed.push(this.#begun - 1);
  }

  /** Writes local replies up to the next item that has commands. */
  #enter(): void {
    if (this.#exec !== undefined && this.#left === 0) {
      this.#execLocals(this.#exec.exec);
      this.#exec = undefined;
    }
    const plan = this.#unit?.plan ?? [];
    while (this.#left === 0 && this.#item < plan.length) {
      const item = plan[this.#item++];
      if (item === undefined) return;
      if (typeof item === 'number') {
        this.#left = item;
      } else if ('local' in item) {
        this.writer.raw(item.local);
      } else {
        this.writer.array(item.exec + (item.locals?.length ?? 0));
        this.#exec = item;
        this.#execLocal = 0;
        this.#left = item.exec;
      }
    }
  }

  #execLocals(before: number): void {
    const locals = this.#exec?.locals;
    while (locals !== undefined && locals[this.#execLocal]?.before === before) {
      this.writer.raw(locals[this.#execLocal++]?.reply as Uint8Array);
    }
  }
}

/** The replies of a unit that failed as a whole. */
export function failureReplies(unit: CommandUnit, writer: ReplyWriter, line: string): Uint8Array {
  writer.protocol = unit.protocol;
  for (const item of unit.plan) {
    if (typeof item === 'number') for (let i = 0; i < item; i++) writer.error(line);
    else if ('local' in item) writer.raw(item.local);
    else writer.error(line);
  }
  return writer.take();
}
