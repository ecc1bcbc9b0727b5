/**
 * Cuts a TCP byte stream into frames: u32 length, then that many bytes; length 0 is a keep-alive.
 * Pure; the links feed it with the bytes they read. It never allocates ahead of the bytes that have
 * arrived, so a false length costs nothing.
 */
import { FrameError } from './frame-error.ts';

export const LENGTH_BYTES = 4;

export class FrameReader {
  readonly #frameBytesMax: number;
  readonly #onFrame: (frame: Uint8Array) => void;
  /** Chunks that belong to an unfinished header or frame. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  /** Bytes needed before anything can be delivered. */
  #neededBytes = LENGTH_BYTES;

  /** `onFrame` is not called for keep-alives. */
  constructor(frameBytesMax: number, onFrame: (frame: Uint8Array) => void) {
    this.#frameBytesMax = frameBytesMax;
    this.#onFrame = onFrame;
  }

  /**
   * Takes the next bytes of the stream; they must not be written to afterwards.
   *
   * @throws FrameError HOLO_FRAME_TOO_LARGE; the stream cannot be used any further.
   */
  push(chunk: Buffer): void {
    let rest = chunk;
    while (this.#heldBytes > 0) {
      const missing = this.#neededBytes - this.#heldBytes;
      if (rest.length < missing) return this.#hold(rest);
      this.#held.push(rest);
      // Just what is needed: a copy of the rest would keep a long frame in memory, too.
      const data = Buffer.concat(this.#held, this.#neededBytes);
      this.#held = [];
      this.#heldBytes = 0;
      rest = rest.subarray(missing);
      this.#cut(data);
    }
    this.#cut(rest);
  }

  #hold(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
  }

  #cut(data: Buffer): void {
    let at = 0;
    while (true) {
      if (data.length - at < LENGTH_BYTES) {
        this.#neededBytes = LENGTH_BYTES;
        break;
      }
      const length = data.readUInt32BE(at);
      if (length > this.#frameBytesMax) {
        throw new FrameError(
          'HOLO_FRAME_TOO_LARGE',
          `a frame of ${length} bytes is above the limit of ${this.#frameBytesMax}`,
        );
      }
      const end = at + LENGTH_BYTES + length;
      if (end > data.length) {
        this.#neededBytes = LENGTH_BYTES + length;
        break;
      }
      if (length > 0) {
        this.#onFrame(data.subarray(at + LENGTH_BYTES, end));
      }
      at = end;
    }
    this.#hold(data.subarray(at));
  }
}
