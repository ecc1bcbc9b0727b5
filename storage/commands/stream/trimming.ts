/**
 * The options of XADD and XTRIM that remove the oldest entries: `MAXLEN|MINID [=|~] threshold
 * [LIMIT entries]`. With `~` whole blocks go, and only as many as fit into the limit.
 */
import type { Arguments } from '../../arguments.ts';
import type { Steps } from '../../steps.ts';
import { BLOCK_ENTRIES_MAX } from '../../types/stream/entry-block.ts';
import type { Stream } from '../../types/stream/stream.ts';
import type { StreamId } from '../../types/stream/stream-id.ts';
import { integerAt } from '../integer-arguments.ts';
import { idAt } from './ids.ts';

const BOTH = 'ERR syntax error, MAXLEN and MINID options at the same time are not compatible';
const LIMIT_ALONE = 'ERR syntax error, LIMIT cannot be used without specifying a trimming strategy';
const LIMIT_EXACT = 'ERR syntax error, LIMIT cannot be used without the special ~ option';
/** Of `~` without LIMIT: whole blocks, a hundred of full ones. */
const LIMIT_DEFAULT = 100 * BLOCK_ENTRIES_MAX;

export interface Trimming {
  /** Entries that may stay, */
  readonly length: number;
  /** and the first id that may. */
  readonly from: StreamId;
  readonly isExact: boolean;
  /** Entries that go at most; 0: all that should. */
  readonly limit: number;
}

/** Collects the options one by one. */
export class TrimmingOptions {
  #threshold: Pick<Trimming, 'length' | 'from'> | undefined;
  #isExact = true;
  #limit: number | undefined;

  /**
   * Takes the option in argument `i`. Returns the index of the next one; -1: it is another option;
   * or the error line.
   */
  take(args: Arguments, i: number): number | string {
    if (i + 1 >= args.count) return -1;
    if (args.is(i, 'LIMIT')) return this.#takeLimit(args, i + 1);
    const isLength = args.is(i, 'MAXLEN');
    if (!isLength && !args.is(i, 'MINID')) return -1;
    if (this.#threshold !== undefined) return BOTH;
    const hasForm = i + 2 < args.count && (args.equals(i + 1, '~') || args.equals(i + 1, '='));
    this.#isExact = !(hasForm && args.equals(i + 1, '~'));
    const at = hasForm ? i + 2 : i + 1;
    const error = isLength ? this.#takeLength(args, at) : this.#takeFrom(args, at);
    return error ?? at + 1;
  }

  /** `undefined`: nothing is trimmed. Or the error line. */
  end(): Trimming | string | undefined {
    const limit = this.#limit;
    if (this.#threshold === undefined) return limit ? LIMIT_ALONE : undefined;
    if (this.#isExact && limit !== undefined) return LIMIT_EXACT;
    const isExact = this.#isExact;
    return { ...this.#threshold, isExact, limit: isExact ? 0 : (limit ?? LIMIT_DEFAULT) };
  }

  #takeLimit(args: Arguments, i: number): number | string {
    const limit = integerAt(args, i);
    if (typeof limit === 'string') return limit;
    if (limit < 0) return 'ERR The LIMIT argument must be >= 0.';
    this.#limit = limit;
    return i + 1;
  }

  #takeLength(args: Arguments, i: number): string | undefined {
    const length = integerAt(args, i);
    if (typeof length === 'string') return length;
    if (length < 0) return 'ERR The MAXLEN argument must be >= 0.';
    this.#threshold = { length, from: '' };
    return undefined;
  }

  #takeFrom(args: Arguments, i: number): string | undefined {
    const from = idAt(args, i);
    if (typeof from === 'string') return from;
    this.#threshold = { length: Number.POSITIVE_INFINITY, from: from.value };
    return undefined;
  }
}

/** Entries of the first block, and how many of them are to go. */
function excessOf(stream: Stream, trimming: Trimming): { size: number; excess: number } {
  const { length, from, isExact } = trimming;
  const first = stream.firstBlock;
  if (first === undefined) return { size: 0, excess: 0 };
  const { size, last } = first;
  const beyond = Math.min(size, stream.count - length);
  if (beyond > 0) return { size, excess: beyond };
  if (last < from) return { size, excess: size };
  // As in Redis, a block whose last entry was removed stays as long as that one would.
  return { size, excess: isExact ? Math.min(size, stream.entries.countBefore(from)) : 0 };
}

/** Trims a stream that may be changed; tells how many entries are gone. `each`: blocks at once. */
export function* trimmed(stream: Stream, trimming: Trimming, each: number): Steps<number> {
  const { isExact, limit } = trimming;
  let gone = 0;
  for (let blocks = 1; ; blocks += 1) {
    const { size, excess } = excessOf(stream, trimming);
    const isOver = limit > 0 && gone + size > limit;
    if (excess === 0 || isOver || (excess < size && !isExact)) return gone;
    stream.dropFirst(excess);
    gone += excess;
    if (excess < size) return gone;
    if (blocks % each === 0) yield;
  }
}
