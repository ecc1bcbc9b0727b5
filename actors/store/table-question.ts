/**
 * Asks for the version of the cluster's table once, behind a read barrier, before the first
 * transaction of a store begins: so it names settings at least as new as those that any change
 * which was answered before has made, also where this node has lost its memory meanwhile.
 */
import { VERSION_ROW } from '../../storage/cluster-settings.ts';
import { TABLE_VERSION_COMMAND } from '../../storage/commands/setting.ts';
import { slotOfText } from '../../storage/keyspace/slots.ts';
import { requestOf } from '../../storage/request.ts';
import type { Part, PartAnswer } from '../../transport/resp/connection/part.ts';
import type { GroupId } from '../accord/topology/group-id.ts';
import { OWN_CONNECTION } from './expiry.ts';

const RETRY_MS = 100;
const ANSWER_BYTES_MAX = 1024;

export class TableQuestion {
  readonly #timeoutMs: number;
  #sequence = 0;
  /** Not asked again before; for ever once it is answered. */
  #untilMs = 0;

  /** `timeoutMs`: an answer comes by then, or none. */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  isDue(nowMs: number): boolean {
    return this.#untilMs <= nowMs;
  }

  /** Of the meta group. `sequence`: used for no other unit of this node. */
  ask(meta: GroupId, sequence: number, nowMs: number): Part {
    this.#sequence = sequence;
    this.#untilMs = nowMs + 2 * this.#timeoutMs;
    return {
      unit: { connection: OWN_CONNECTION, sequence },
      part: 0,
      groups: [meta],
      bytes: requestOf([TABLE_VERSION_COMMAND, VERSION_ROW]),
      count: 1,
      layout: [1],
      protocol: 2,
      readOnly: true,
      readsFrom: 0,
      wholeStore: false,
      waits: false,
      participants: [slotOfText(VERSION_ROW)],
      window: ANSWER_BYTES_MAX,
    };
  }

  /** The version, if this is the answer. */
  ended(answer: PartAnswer, nowMs: number): number | undefined {
    if (answer.unit.sequence !== this.#sequence) return undefined;
    const version = answer.type === 'PartReplies' ? integerOf(answer.replies) : undefined;
    this.#untilMs = version === undefined ? nowMs + RETRY_MS : Infinity;
    return version;
  }
}

function integerOf(reply: Uint8Array): number | undefined {
  const [, digits] = /^:(\d+)\r\n$/.exec(Buffer.from(reply).toString('latin1')) ?? [];
  return digits === undefined ? undefined : Number(digits);
}
