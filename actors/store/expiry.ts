/**
 * The background deletion of keys past their deadline: a transaction like any other, so that every
 * replica deletes at the same point of the order. No client waits for it.
 */
import { slotOfText } from '../../storage/keyspace/slots.ts';
import { requestOf } from '../../storage/request.ts';
import type { ExpiredKeys } from '../../storage/state-machine.ts';
import { headIn } from '../../storage/transaction-body.ts';
import type { Part, PartAnswer } from '../../transport/resp/connection/part.ts';
import type { GroupId } from '../accord/topology/group-id.ts';

/** No client's connection: the coordinator itself is told the answer. */
export const OWN_CONNECTION = 0;
/** Keys of one such transaction, and bytes of keys: it must not hold up the clients' own. */
export const EXPIRE_KEYS_MAX = 256;
export const EXPIRE_BYTES_MAX = 64 * 1024;
/** Pause between two looks for expired keys while few are found. */
export const EXPIRE_EVERY_MS = 100;
/** The same while there is a backlog: from the end of one transaction to the next look. */
export const EXPIRE_PAUSE_MS = 10;
/**
 * The lowest member that is up removes keys. The others remove only keys this far past their
 * deadline: the lowest may be unable to.
 */
export const EXPIRE_GRACE_MS = 5_000;
/**
 * Pause after a failed removal. It may yet be decided, and a cluster that cannot decide its present
 * transactions must not get more of them; so the pause doubles with each failure in a row.
 */
const EXPIRE_RETRY_MS = 200;
const EXPIRE_RETRY_MS_MAX = 60_000;

const NOTHING_REMOVED = Buffer.from(':0\r\n', 'latin1');
const ANSWER_BYTES_MAX = 1024;

/** One removal at a time, so that the cluster sets the pace, with a pause for its clients. */
export class ExpiryRounds {
  readonly #group: GroupId;
  readonly #roundMsMax: number;
  /** A removal is in flight and ends by then at the latest; 0: none is. */
  #untilMs = 0;
  #failures = 0;
  /** Of the unit in flight, or of the last one. */
  #sequence = 0;
  /** There are more keys than this round removes. */
  #more = false;

  constructor(group: GroupId, roundMsMax: number) {
    this.#group = group;
    this.#roundMsMax = roundMsMax;
  }

  isUnderWay(nowMs: number): boolean {
    return this.#untilMs > nowMs;
  }

  /**
   * `HOLO.EXPIRE` deletes those of the keys whose deadline is not above executeAt. `sequence`: used
   * for no other unit of this node.
   */
  begin({ database, keys }: ExpiredKeys, more: boolean, sequence: number, nowMs: number): Part {
    this.#untilMs = nowMs + this.#roundMsMax;
    this.#more = more;
    this.#sequence = sequence;
    const bytes = requestOf(['HOLO.EXPIRE', ...keys]);
    if (database !== 0) bytes[0] = headIn(database);
    return {
      unit: { connection: OWN_CONNECTION, sequence },
      part: 0,
      groups: [this.#group],
      bytes,
      count: 1,
      layout: [1],
      protocol: 2,
      readOnly: false,
      readsFrom: 1,
      wholeStore: false,
      waits: false,
      participants: keys.map((key) => slotOfText(key)),
      window: ANSWER_BYTES_MAX,
    };
  }

  /** `true`: the next look should come soon. */
  ended(answer: PartAnswer, nowMs: number): boolean {
    if (answer.unit.sequence !== this.#sequence) return false;
    if (answer.type !== 'PartReplies') {
      const pauseMs = Math.min(EXPIRE_RETRY_MS_MAX, EXPIRE_RETRY_MS * 2 ** this.#failures);
      this.#failures += 1;
      this.#untilMs = nowMs + pauseMs;
      return false;
    }
    this.#failures = 0;
    this.#untilMs = 0;
    return this.#more && !NOTHING_REMOVED.equals(answer.replies);
  }
}
