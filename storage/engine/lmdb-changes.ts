/**
 * The changes of a commit as bytes. The event loop encodes them piece by piece, and the thread of
 * commits gets the memory itself, so that nothing is copied on the way. A change is
 *
 *     table u8 · key bytes u16 · record bytes u32, or `NO_RECORD` to remove the key · key · record
 */

/** Databases of the environment. */
export const Table = { Data: 0, Elements: 1, Info: 2 } as const;
export type Table = (typeof Table)[keyof typeof Table];

/** Memory with whole changes. */
export interface ChangesPiece {
  readonly memory: ArrayBuffer;
  /** Bytes in use. */
  readonly used: number;
}

/** Size of the pieces; a longer change has one of its own. */
export const PIECE_BYTES = 256 * 1024;
const HEAD_BYTES = 7;
const NO_RECORD = 2 ** 32 - 1;

export class LmdbChanges {
  readonly #pieces: ChangesPiece[] = [];
  #piece = Buffer.alloc(0);
  #used = 0;
  /** Bytes of all changes. */
  bytes = 0;

  remove(table: Table, key: Uint8Array): void {
    this.#add(table, key, NO_RECORD);
  }

  /** The caller fills the record that it gets. */
  put(table: Table, key: Uint8Array, recordBytes: number): Buffer {
    return this.#add(table, key, recordBytes);
  }

  /** Takes all changes away. */
  take(): ChangesPiece[] {
    this.#endPiece();
    return this.#pieces.splice(0);
  }

  #add(table: Table, key: Uint8Array, recordBytes: number): Buffer {
    const length = recordBytes === NO_RECORD ? 0 : recordBytes;
    const bytes = HEAD_BYTES + key.length + length;
    this.bytes += bytes;
    const into = this.#reserve(bytes);
    into.writeUInt8(table, 0);
    into.writeUInt16LE(key.length, 1);
    into.writeUInt32LE(recordBytes, 3);
    into.set(key, HEAD_BYTES);
    return into.subarray(HEAD_BYTES + key.length);
  }

  /** The changes of a key stay in their order: a row that is cleared may be written anew. */
  #reserve(bytes: number): Buffer {
    if (this.#used + bytes > this.#piece.length) {
      this.#endPiece();
      this.#piece = Buffer.allocUnsafeSlow(Math.max(bytes, PIECE_BYTES));
    }
    this.#used += bytes;
    return this.#piece.subarray(this.#used - bytes, this.#used);
  }

  #endPiece(): void {
    if (this.#used > 0) {
      this.#pieces.push({ memory: this.#piece.buffer as ArrayBuffer, used: this.#used });
    }
    this.#piece = Buffer.alloc(0);
    this.#used = 0;
  }
}

/** Visits the changes of a piece in their order; a change without a record removes its key. */
export function forEachChange(
  { memory, used }: ChangesPiece,
  visit: (table: Table, key: Buffer, record: Buffer | undefined) => void,
): void {
  const bytes = Buffer.from(memory);
  let at = 0;
  while (at < used) {
    const keyEnd = at + HEAD_BYTES + bytes.readUInt16LE(at + 1);
    const recordBytes = bytes.readUInt32LE(at + 3);
    const end = keyEnd + (recordBytes === NO_RECORD ? 0 : recordBytes);
    const record = recordBytes === NO_RECORD ? undefined : bytes.subarray(keyEnd, end);
    visit(bytes[at] as Table, bytes.subarray(at + HEAD_BYTES, keyEnd), record);
    at = end;
  }
}
