/**
 * Effects of scripts beside the keys: messages that they publish, and lines for the log. They are
 * no part of the state. The node whose client waits does them, once, when the transaction has run
 * there; where that node fails, nobody does.
 */
import type { Notification } from './key-events.ts';

/** Of one transaction; the lines of scripts beyond them are dropped. */
const LINES_MAX = 100;

export interface LogLine {
  /** 0 to 3, as of `redis.LOG_DEBUG` to `redis.LOG_WARNING`. */
  readonly level: number;
  readonly text: string;
}

export class SideEffects {
  #messages: Notification[] = [];
  #lines: LogLine[] = [];
  /** As of the beginning of the current command. */
  #messagesBefore = 0;
  #linesBefore = 0;

  publish(message: Notification): void {
    this.#messages.push(message);
  }

  log(line: LogLine): void {
    if (this.#lines.length < LINES_MAX) this.#lines.push(line);
  }

  get isEmpty(): boolean {
    return this.#messages.length === 0 && this.#lines.length === 0;
  }

  beginCommand(): void {
    this.#messagesBefore = this.#messages.length;
    this.#linesBefore = this.#lines.length;
  }

  undoCommand(): void {
    this.#messages.length = this.#messagesBefore;
    this.#lines.length = this.#linesBefore;
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
}
