/**
 * Questions of one node to another for people, on the links' admin channel: bytes out, bytes back.
 * What they mean, the console knows. Bounded in number, size and time; a lost one is asked again by
 * whoever wants to know. It owns no timer: the links tick it. Pure.
 */

interface Inquiry {
  readonly type: 'Inquiry';
  readonly id: number;
  readonly body: Uint8Array;
}

interface InquiryAnswer {
  readonly type: 'InquiryAnswer';
  readonly id: number;
  readonly body: Uint8Array;
}

export type InquiryMessage = Inquiry | InquiryAnswer;

interface InquiriesOptions {
  /** `false`: the peer is not connected, or has no room. */
  readonly send: (peer: number, message: InquiryMessage) => boolean;
  readonly nowMs: () => number;
  /** Answers a peer's question once, now or later. Absent where nobody is asked. */
  readonly answer?: InquiryHandler | undefined;
}

export type InquiryHandler = (
  question: Uint8Array,
  from: number,
  done: (body: Uint8Array) => void,
) => void;

interface Asked {
  readonly peer: number;
  readonly deadlineMs: number;
  /** Undefined: there is no answer. */
  readonly done: (body: Uint8Array | undefined) => void;
}

/** Of this node to one peer, and of one peer to this node. */
const ASKED_MAX = 32;
const ANSWER_MS_MAX = 3_000;
/** Longer ones are not sent, and not taken. */
const INQUIRY_BYTES_MAX = 1024 * 1024;

export class Inquiries {
  readonly #options: InquiriesOptions;
  readonly #asked = new Map<number, Asked>();
  /** Questions of each peer that are not answered yet. */
  readonly #answering = new Map<number, number>();
  #nextId = 1;

  constructor(options: InquiriesOptions) {
    this.#options = options;
  }

  /** `done` is called once: without an answer where there is none in time. */
  ask(peer: number, body: Uint8Array, done: Asked['done']): void {
    const id = this.#nextId;
    this.#nextId += 1;
    const isTooMuch = this.#askedOf(peer) >= ASKED_MAX || body.length > INQUIRY_BYTES_MAX;
    if (isTooMuch || !this.#options.send(peer, { type: 'Inquiry', id, body })) {
      return done(undefined);
    }
    this.#asked.set(id, { peer, deadlineMs: this.#options.nowMs() + ANSWER_MS_MAX, done });
  }

  /** Of a peer; `false`: it makes no sense. */
  received(peer: number, message: object): boolean {
    const { type, id, body } = message as Partial<InquiryMessage>;
    const isSound = Number.isSafeInteger(id) && body instanceof Uint8Array;
    if (!isSound || body.length > INQUIRY_BYTES_MAX) return false;
    if (type === 'Inquiry') {
      this.#answer(peer, id as number, body);
      return true;
    }
    const asked = this.#asked.get(id as number);
    // Late, or of an earlier process.
    if (asked?.peer !== peer) return true;
    this.#asked.delete(id as number);
    asked.done(body);
    return true;
  }

  peerDown(peer: number): void {
    this.#end((asked) => asked.peer === peer);
  }

  /** To be called about once a second. */
  onTick(): void {
    const nowMs = this.#options.nowMs();
    this.#end(({ deadlineMs }) => deadlineMs <= nowMs);
  }

  #answer(peer: number, id: number, question: Uint8Array): void {
    const { answer, send } = this.#options;
    const underWay = this.#answering.get(peer) ?? 0;
    // Without an answer the peer's question ends in time.
    if (answer === undefined || underWay >= ASKED_MAX) return;
    this.#answering.set(peer, underWay + 1);
    answer(question, peer, (body) => {
      this.#answering.set(peer, (this.#answering.get(peer) ?? 1) - 1);
      if (body.length <= INQUIRY_BYTES_MAX) send(peer, { type: 'InquiryAnswer', id, body });
    });
  }

  #askedOf(peer: number): number {
    let count = 0;
    for (const asked of this.#asked.values()) if (asked.peer === peer) count += 1;
    return count;
  }

  #end(isOver: (asked: Asked) => boolean): void {
    for (const [id, asked] of [...this.#asked]) {
      if (!isOver(asked)) continue;
      this.#asked.delete(id);
      asked.done(undefined);
    }
  }
}
