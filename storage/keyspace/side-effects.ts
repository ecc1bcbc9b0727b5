/**
 * Effects of scripts beside the keys: messages that they publish, lines for the log, and what their
 * users were denied. They are no part of the state. The node whose client waits does them, once,
 * when the transaction has run there; where that node fails, nobody does.
 */
import type { Notification } from './key-events.ts';

/** Of one transaction; the lines and denials of scripts beyond them are dropped. */
const LINES_MAX = 100;

export interface LogLine {
  /** 0 to 3, as of `redis.LOG_DEBUG` to `redis.LOG_WARNING`. */
  readonly level: number;
  readonly text: string;
}

/** A command that the user of a script may not run. */
export interface ScriptDenial {
  readonly username: string;
  readonly reason: 'command' | 'key' | 'channel';
  /** The command, key or channel. */
  readonly object: string;
}

export class SideEffects {
  #messages: Notification[] = [];
  #lines: LogLine[] = [];
  #denials: ScriptDenial[] = [];
  /** As of the beginning of the current command. */
  #messagesBefore = 0;
  #linesBefore = 0;
  #denialsBefore = 0;

  publish(message: Notification): void {
    this.#messages.push(message);
  }

  log(line: LogLine): void {
    if (this.#lines.length < LINES_MAX) this.#lines.push(line);
  }

  deny(denial: ScriptDenial): void {
    if (this.#denials.length < LINES_MAX) this.#denials.push(denial);
  }

  get isEmpty(): boolean {
    return this.#messages.length === 0 && this.#lines.length === 0 && this.#denials.length === 0;
  }

  beginCommand(): void {
    this.#messagesBefore = this.#messages.length;
    this.#linesBefore = this.#lines.length;
    this.#denialsBefore = this.#denials.length;
  }

  undoCommand(): void {
    this.#messages.length = this.#messagesBefore;
    this.#lines.length = this.#linesBefore;
    this.#denials.length = this.#denialsBefore;
  }

  takeMessages(): readonly Notification[] {
    const messages = this.#messages;
    this.#messages = [];
    return messages;
  }

  takeLines(): readonly LogLine[] {
    const lines = this.#lines;
    this.#lines = [];
    return lines;
  }

  takeDenials(): readonly ScriptDenial[] {
    const denials = this.#denials;
    this.#denials = [];
    return denials;
  }
}
