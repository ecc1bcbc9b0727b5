/**
 * ACL LOG of one node: what was denied of late, the newest first; like denials share an entry.
 * Pure.
 */

type LogReason = 'command' | 'key' | 'channel' | 'auth';

interface Denied {
  readonly reason: LogReason;
  readonly context: 'toplevel' | 'multi' | 'lua';
  readonly object: string;
  readonly username: string;
  /** As CLIENT INFO shows it. */
  readonly client: string;
}

export interface LogEntry extends Denied {
  readonly id: number;
  count: number;
  readonly createdMs: number;
  updatedMs: number;
}

/** Denials of one kind within this time share an entry. */
const GROUPED_MS = 60_000;
const SHOWN_BYTES_MAX = 128;

export class AclLog {
  /** `acllog-max-len`. */
  max = 128;
  readonly #entries: LogEntry[] = [];
  #nextId = 0;

  /** `nowMs`: Unix time. */
  add(told: Denied, nowMs: number): void {
    const denied = { ...told, object: told.object.slice(0, SHOWN_BYTES_MAX) };
    const at = this.#entries.findIndex(
      (entry) => nowMs - entry.createdMs <= GROUPED_MS && isAlike(entry, denied),
    );
    const [known] = at < 0 ? [] : this.#entries.splice(at, 1);
    if (known !== undefined) {
      known.count += 1;
      known.updatedMs = nowMs;
      this.#entries.unshift(known);
    } else {
      const entry = { ...denied, id: this.#nextId, count: 1, createdMs: nowMs, updatedMs: nowMs };
      this.#nextId += 1;
      this.#entries.unshift(entry);
    }
    this.#entries.length = Math.min(this.#entries.length, this.max);
  }

  newest(count: number): readonly LogEntry[] {
    return this.#entries.slice(0, count);
  }

  reset(): void {
    this.#entries.length = 0;
  }
}

function isAlike(one: Denied, other: Denied): boolean {
  return (
    one.reason === other.reason &&
    one.context === other.context &&
    one.object === other.object &&
    one.username === other.username
  );
}
