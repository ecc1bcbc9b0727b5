/**
 * Stands between the peers' links and the store: lets a sound message through, drops and counts
 * any other, and closes the link to a peer that sends too many. One per node; it outlives the link
 * actors. Which messages of a group are sound, its validator says.
 */
import type { Defect } from './field-validation.ts';
import type { AccordMessage } from './messages.ts';
import { MESSAGE_TYPES, type MessageValidator } from './validation.ts';

/** Why a message had no effect, as a metric label. */
export type RefusalReason =
  | Defect
  /** The frame around it could not be decoded. */
  | 'undecodable'
  /** It denies a fact that is durable here. */
  | 'contradiction';

/** `unknown`: no type that peers may send. `frame`: the messages of a frame could not be told. */
type RefusedType = AccordMessage['type'] | 'unknown' | 'frame';

export interface RefusalObserver {
  /** `detail` is a sentence for people, where there is more to say than the reason. */
  messageRefused?(peer: number, type: RefusedType, reason: RefusalReason, detail?: string): void;
}

interface MessageJudgeOptions {
  /** Refused messages of one peer, since its link came up, that close the link. */
  readonly refusedMax: number;
  readonly disconnect: (peer: number, reason: string) => void;
  readonly observe: RefusalObserver;
}

const TYPES: ReadonlySet<unknown> = new Set(MESSAGE_TYPES);

export class MessageJudge {
  readonly #options: MessageJudgeOptions;
  readonly #refused = new Map<number, number>();

  constructor(options: MessageJudgeOptions) {
    this.#options = options;
  }

  /** Whether a decoded message of this peer may be believed; if not, it is counted here. */
  accepts(validator: MessageValidator, from: number, message: object): message is AccordMessage {
    const defect = validator.judge(from, message);
    if (defect === undefined) return true;
    const { type } = message as { readonly type?: unknown };
    this.refuse(from, TYPES.has(type) ? (type as AccordMessage['type']) : 'unknown', defect);
    return false;
  }

  refuse(from: number, type: RefusedType, reason: RefusalReason, detail?: string): void {
    const { refusedMax, disconnect, observe } = this.#options;
    observe.messageRefused?.(from, type, reason, detail);
    const count = (this.#refused.get(from) ?? 0) + 1;
    this.#refused.set(from, count);
    if (count < refusedMax) return;
    this.#refused.set(from, 0);
    disconnect(from, `${count} of its messages were invalid, the last one: ${type}, ${reason}`);
  }

  linkUp(peer: number): void {
    this.#refused.delete(peer);
  }
}
