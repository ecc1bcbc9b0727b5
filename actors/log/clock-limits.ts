/**
 * The clock's reservation, a property of the node: every timestamp that leaves it, of whatever
 * store, lies below a limit that is in the log. The log's stream writes the limits and tells the
 * stores of them. Its newest limit must outlive every cut of the log. Pure.
 */

/** Records of the node itself have types from here on; the types below belong to groups. */
export const NODE_RECORDS_FROM = 128;

const CODES = { ClockLimit: 128 } as const;
const CLOCK_LIMIT_BYTES = 8;

interface NodeRecord {
  readonly type: number;
  readonly parts: readonly Uint8Array[];
}

/** No timestamp at or above the limit was given out before the record was durable. */
export function encodeClockLimit(limitUs: number): NodeRecord {
  const payload = new Uint8Array(CLOCK_LIMIT_BYTES);
  new DataView(payload.buffer).setFloat64(0, limitUs);
  return { type: CODES.ClockLimit, parts: [payload] };
}

/** Throws RangeError on a record that is none of the node's. */
export function decodeClockLimit(type: number, payload: Uint8Array): number {
  if (type !== CODES.ClockLimit || payload.length !== CLOCK_LIMIT_BYTES) {
    throw new RangeError(`log: ${payload.length} bytes of unknown type ${type}`);
  }
  return new DataView(payload.buffer, payload.byteOffset).getFloat64(0);
}

export class ClockLimits {
  #askedUs = 0;
  #durableUs = 0;
  /** Of the newest record that is durable; 0: there is none. */
  #lsn = 0;
  /** A record is on its way to the disk. */
  #underWay = 0;

  /** The highest limit that is durable. */
  get durableUs(): number {
    return this.#durableUs;
  }

  /** A record that was read from the log. */
  found(limitUs: number, lsn: number): void {
    this.#askedUs = Math.max(this.#askedUs, limitUs);
    this.#durableUs = Math.max(this.#durableUs, limitUs);
    this.#lsn = lsn;
  }

  /** A store needs this limit. `true`: it must be written. */
  ask(limitUs: number): boolean {
    return limitUs > this.#askedUs;
  }

  /** The limit for a record that is being appended. */
  append(limitUs = this.#askedUs): number {
    this.#askedUs = Math.max(this.#askedUs, limitUs);
    this.#underWay += 1;
    return this.#askedUs;
  }

  durable(limitUs: number, lsn: number): void {
    this.#underWay -= 1;
    this.#durableUs = Math.max(this.#durableUs, limitUs);
    this.#lsn = lsn;
  }

  /** Whether a cut to `fromLsn`, which takes whole segments, would take the newest limit along. */
  isLostBy(fromLsn: number, segments: Iterable<{ readonly firstLsn: number }>): boolean {
    for (const { firstLsn } of segments) {
      if (firstLsn > this.#lsn && firstLsn <= fromLsn) return this.#lsn > 0;
    }
    return false;
  }

  /** Whether a newer record is on its way, behind which the log can be cut. */
  get isUnderWay(): boolean {
    return this.#underWay > 0;
  }
}
