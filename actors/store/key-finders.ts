/**
 * Commands of this node whose runs have met keys that they do not name, such as scripts that make
 * up names of keys. Their next runs begin with all keys of their group: one transaction in place of
 * one in vain and another, and a pipeline of them is one, too. What is known here only chooses
 * footprints: to forget it, or to take one command for another, costs time alone. Pure.
 */
import { Arguments } from '../../storage/arguments.ts';
import { commandFor } from '../../storage/commands/command-table.ts';
import type { Part } from '../../transport/resp/connection/part.ts';

export interface KeyFinderLimits {
  /** Commands that are known. */
  readonly keyFindersMax: number;
  /** Runs with all keys; the next one shows whether the command still needs them. */
  readonly wideRunsMax: number;
}

/** Bytes of a script that tell it from others. */
const SAMPLES = 64;

export class KeyFinders {
  readonly #limits: KeyFinderLimits;
  /** By their marks, with the runs that are left; those that were met last are behind. */
  readonly #runsLeft = new Map<number, number>();
  readonly #args = new Arguments();

  constructor(limits: KeyFinderLimits) {
    this.#limits = limits;
  }

  /** A run of the first command of the part has met keys that its footprint lacks. */
  met(part: Part): void {
    const mark = this.#markOf(part);
    if (mark === undefined) return;
    this.#runsLeft.delete(mark);
    this.#runsLeft.set(mark, this.#limits.wideRunsMax);
    for (const oldest of this.#runsLeft.keys()) {
      if (this.#runsLeft.size <= this.#limits.keyFindersMax) return;
      this.#runsLeft.delete(oldest);
    }
  }

  /** All keys of its group have not been enough: they are of several groups. */
  inVain(part: Part): void {
    const mark = this.#markOf(part);
    if (mark !== undefined) this.#runsLeft.delete(mark);
  }

  /** Whether the part should have all keys of its group; counts its run. */
  isWide(part: Part): boolean {
    if (this.#runsLeft.size === 0) return false;
    const mark = this.#markOf(part);
    const left = mark === undefined ? undefined : this.#runsLeft.get(mark);
    if (mark === undefined || left === undefined) return false;
    if (left > 1) this.#runsLeft.set(mark, left - 1);
    else this.#runsLeft.delete(mark);
    return true;
  }

  /** Of the first command: all behind one that finds keys begins anew with it. */
  #markOf({ bytes, wholeStore }: Part): number | undefined {
    if (wholeStore) return undefined;
    const args = this.#args;
    args.next(bytes, 0);
    const command = commandFor(args);
    if (command?.findsKeys?.(args) !== true) return undefined;
    const from = args.start(1);
    const length = args.bytes(1);
    let mark = length;
    for (let i = 0; i < SAMPLES; i += 1) {
      const at = from + Math.floor((i * length) / SAMPLES);
      mark = (Math.imul(mark, 31) + (bytes[at] as number)) | 0;
    }
    return mark;
  }
}
