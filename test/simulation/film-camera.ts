/**
 * Films a simulated cluster: messages with their ballots and deps as they arrive or are lost, the
 * decisions and executions of nodes, faults and answers. For `holostore replay`.
 */
import type { AccordMessage } from '../../actors/accord/messages/messages.ts';
import { keyOf, type TxnId } from '../../actors/accord/primitives/timestamp.ts';
import type { FilmEvent, FilmTitle } from '../../transport/console/film.ts';
import { Channel, decodeFrame, type PeerFrame } from '../../transport/peer/codec.ts';
import { FrameError } from '../../transport/peer/frame-error.ts';
import { Names } from '../stories/names.ts';

/** Beyond, a film is cut: a page can show no more. */
const EVENTS_MAX = 100_000;

export class FilmCamera {
  readonly events: FilmEvent[] = [];
  #cut = 0;
  readonly #names = new Names();
  readonly #known = new Set<string>();

  /** A frame between two nodes, at its end. */
  frame(
    from: number,
    to: number,
    frame: Uint8Array,
    sentAt: number,
    at: number,
    isLost: boolean,
  ): void {
    const end = { kind: isLost ? 'lost' : 'message', at, sentAt, from, to } as const;
    const whole = decoded(frame);
    if (whole === undefined) return this.#add({ ...end, text: `${from}>${to} (damaged)` });
    if (whole.channel !== Channel.protocol) return;
    for (const { messages } of whole.sections) {
      for (const message of messages as readonly AccordMessage[]) {
        const txn = 'id' in message ? this.#nameOf(message.id) : undefined;
        const text = this.#names.letter({ from, to, message });
        this.#add({ ...end, text, ...(txn === undefined ? {} : { txn }) });
      }
    }
  }

  executed(node: number, id: TxnId, at: number): void {
    const txn = this.#nameOf(id);
    this.#add({ kind: 'step', at, node, txn, text: `executes ${txn}` });
  }

  /** A fault, or the answer to a client: `node`, where it begins with one. */
  note(text: string, at: number): void {
    const node = /^(\d+) /.exec(text)?.[1];
    const shown = text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, 200);
    if (node === undefined) return this.#add({ kind: 'fault', at, text: shown });
    const answer = `answers ${shown.slice(node.length + 1)}`;
    this.#add({ kind: 'step', at, node: Number(node), text: answer });
  }

  /** JSON lines. */
  film(title: string, nodes: readonly number[]): string {
    const first: FilmTitle = {
      ...{ kind: 'film', version: 1, title, nodes },
      ...(this.#cut > 0 ? { cut: this.#cut } : {}),
    };
    return [first, ...this.events].map((each) => `${JSON.stringify(each)}\n`).join('');
  }

  #add(event: FilmEvent): void {
    if (this.events.length < EVENTS_MAX) this.events.push(event);
    else this.#cut += 1;
  }

  /** In the order in which they are met: t1, t2, ... */
  #nameOf(id: TxnId): string {
    const key = keyOf(id);
    if (!this.#known.has(key)) {
      this.#known.add(key);
      this.#names.transaction(`t${this.#known.size}`, id);
    }
    return this.#names.of(id);
  }
}

/** Undefined: the simulator has damaged it. */
function decoded(frame: Uint8Array): PeerFrame | undefined {
  try {
    return decodeFrame(frame);
  } catch (error) {
    if (error instanceof FrameError) return undefined;
    throw error;
  }
}
