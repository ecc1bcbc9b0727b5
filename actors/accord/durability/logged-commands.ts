/**
 * Where the log holds the first record of each command, oldest first: how far the log may be cut
 * costs the same however much is retained. Records become durable in the order of their LSN, so an
 * addition is an append. Forgotten commands are passed over, once each; only their keys stay till
 * then, not their bodies.
 */
import type { Command } from '../local/command.ts';

/** Entries that were passed over are released when there are so many, and they are half. */
const PASSED_MIN = 1_024;

export class LoggedCommands {
  readonly #commands: ReadonlyMap<string, Command>;
  #keys: string[] = [];
  #lsns: number[] = [];
  #first = 0;

  /** `commands`: those that are held, by key. */
  constructor(commands: ReadonlyMap<string, Command>) {
    this.#commands = commands;
  }

  /** The first record of the command is durable at this LSN, which is not below an earlier one. */
  add(command: Command, lsn: number): void {
    if (command.firstLsn !== 0) return;
    command.firstLsn = lsn;
    this.#keys.push(command.key);
    this.#lsns.push(lsn);
  }

  /** Entries in memory. */
  get size(): number {
    return this.#keys.length;
  }

  /** Of all commands that are held; undefined when none of them has a durable record. */
  oldestLsn(): number | undefined {
    while (this.#first < this.#keys.length) {
      const lsn = this.#lsns[this.#first] as number;
      if (this.#commands.get(this.#keys[this.#first] as string)?.firstLsn === lsn) return lsn;
      this.#first += 1;
      this.#trim();
    }
    return undefined;
  }

  #trim(): void {
    if (this.#first < PASSED_MIN || this.#first * 2 < this.#keys.length) return;
    this.#keys = this.#keys.slice(this.#first);
    this.#lsns = this.#lsns.slice(this.#first);
    this.#first = 0;
  }
}
