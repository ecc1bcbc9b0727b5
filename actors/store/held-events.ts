/**
 * Keyspace events of executions that the log could still lose. A node that begins again executes
 * what was lost once more, and each event is to be told at most once: they leave when the log holds
 * their executions. Pure.
 */
import type { Notification } from '../../storage/keyspace/key-events.ts';
import type { GroupId } from '../accord/topology/group-id.ts';

/** Events of one transaction. */
export interface ToldEvents {
  readonly group: GroupId;
  readonly events: readonly Notification[];
}

/** Events that wait; further ones are lost, as where a mailbox is full. */
const HELD_EVENTS_MAX = 65_536;

interface HeldEventsOptions {
  /** `HELD_EVENTS_MAX` by default. */
  readonly max?: number | undefined;
  /** `durable` is to be called when the log holds all that was executed so far. */
  readonly awaitLog: () => void;
  readonly leave: (told: ToldEvents) => void;
}

export class HeldEvents {
  readonly #max: number;
  readonly #options: HeldEventsOptions;
  /** Those that the log is asked for, and those behind them. */
  #asked: ToldEvents[] = [];
  #behind: ToldEvents[] = [];
  #count = 0;

  constructor(options: HeldEventsOptions) {
    this.#max = options.max ?? HELD_EVENTS_MAX;
    this.#options = options;
  }

  get count(): number {
    return this.#count;
  }

  add(told: ToldEvents): void {
    if (this.#count + told.events.length > this.#max) return;
    this.#count += told.events.length;
    this.#behind.push(told);
    if (this.#asked.length === 0) this.#ask();
  }

  durable(): void {
    for (const told of this.#asked) {
      this.#count -= told.events.length;
      this.#options.leave(told);
    }
    this.#asked = [];
    if (this.#behind.length > 0) this.#ask();
  }

  #ask(): void {
    this.#asked = this.#behind;
    this.#behind = [];
    this.#options.awaitLog();
  }
}
