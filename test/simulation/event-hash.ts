/**
 * A digest of everything that happened in a run: cheap enough to be fed every delivery. Two runs of
 * one seed must end with the same one. Not cryptographic.
 */
import { crc32 } from 'node:zlib';

export class EventHash {
  #a = 0x9e3779b9;
  #b = 0x85ebca6b;

  number(value: number): void {
    // Both halves of a double count: times are fractions, timestamps exceed 32 bits.
    const high = Math.floor(value / 2 ** 20) | 0;
    const low = Math.floor((value % 2 ** 20) * 2 ** 11) | 0;
    this.#a = Math.imul(this.#a ^ low, 0xcc9e2d51) ^ (this.#a >>> 15);
    this.#b = Math.imul(this.#b ^ high ^ this.#a, 0x1b873593) ^ (this.#b >>> 13);
  }

  bytes(bytes: Uint8Array): void {
    this.number(crc32(bytes));
  }

  text(text: string): void {
    this.number(crc32(text));
  }

  digest(): string {
    return [this.#a, this.#b].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('');
  }
}
