/**
 * Replies that are too long for one buffer, in pieces: rendered bytes, and long texts by reference,
 * which become bytes as they are taken. A value that is sent many times in a row is in memory once.
 */
import { writeLatin1 } from '../../../storage/types/latin1.ts';

type Piece = Uint8Array | string;

/** Approximate bytes of memory of a text and its header, beside the content. */
const TEXT_BYTES = 256;

export class LongReply {
  /** Bytes that are not taken yet. */
  length = 0;
  /** Bytes of memory that the pieces keep. */
  keptBytes = 0;
  readonly #pieces: Piece[] = [];
  /** By piece: the memory that is free when a text is taken. */
  readonly #kept: number[] = [];
  /** The text that was added last. */
  #lastText = -1;
  /** Pieces that are taken, and bytes of the next one. */
  #passed = 0;
  #taken = 0;

  add(piece: Piece): void {
    if (piece.length === 0) return;
    this.#pieces.push(piece);
    this.length += piece.length;
    this.#charge(this.#pieces.length - 1);
  }

  /** The next `bytes`, or what is left. */
  next(bytes: number): Uint8Array {
    const wanted = Math.min(bytes, this.length);
    this.length -= wanted;
    const first = this.#pieces[this.#passed];
    const from = this.#taken;
    if (typeof first === 'object' && first.length - from >= wanted) {
      this.#pass(wanted, first);
      return first.subarray(from, from + wanted);
    }
    const taken = Buffer.allocUnsafeSlow(wanted);
    for (let at = 0; at < wanted; ) {
      const piece = this.#pieces[this.#passed] as Piece;
      const start = this.#taken;
      const end = Math.min(piece.length, start + wanted - at);
      if (typeof piece === 'string') writeLatin1(taken, piece.slice(start, end), at);
      else taken.set(piece.subarray(start, end), at);
      at += end - start;
      this.#pass(end - start, piece);
    }
    return taken;
  }

  /** Drops what was added behind the first `length` bytes; of these, none may be taken yet. */
  cutBack(length: number): void {
    while (this.length > length) {
      const last = this.#pieces.pop() as Piece;
      this.length -= last.length;
      const left = Math.max(0, length - this.length);
      this.add(typeof last === 'string' ? last.slice(0, left) : last.subarray(0, left));
    }
    // A text that is gone may have been charged with the memory of one that stays.
    this.#lastText = -1;
    this.keptBytes = 0;
    for (let i = 0; i < this.#pieces.length; i += 1) this.#charge(i);
  }

  /** A text that is there already costs nothing; the last one of its kind keeps it. */
  #charge(index: number): void {
    const piece = this.#pieces[index] as Piece;
    this.keptBytes += piece.length;
    if (typeof piece !== 'string') return;
    const last = this.#lastText;
    const isThere = last >= this.#passed && this.#pieces[last] === piece;
    this.#lastText = index;
    this.#kept[index] = TEXT_BYTES + piece.length;
    this.keptBytes += TEXT_BYTES;
    if (!isThere) return;
    this.#kept[last] = TEXT_BYTES;
    this.keptBytes -= piece.length;
  }

  #pass(bytes: number, piece: Piece): void {
    const at = this.#passed;
    this.#taken += bytes;
    if (typeof piece !== 'string') this.keptBytes -= bytes;
    if (this.#taken < piece.length) return;
    if (typeof piece === 'string') this.keptBytes -= this.#kept[at] as number;
    this.#pieces[at] = '';
    this.#passed += 1;
    this.#taken = 0;
  }
}
