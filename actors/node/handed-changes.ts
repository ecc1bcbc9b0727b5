/**
 * Changes of the topology that a node outside the meta group was asked for: it hands each to one
 * member, once, and relays the answer. A change whose member is lost may have been decided. What
 * comes from a peer is handed on no further. Decides; `node.ts` sends. Pure.
 */
import type { MetaCommand } from '../meta/meta-command.ts';
import type { ChangeAsked, ChangeMessage } from './node-messages.ts';
import type { TopologyAnswer } from './topology-actor.ts';

interface HandedChangesOptions {
  /** Of the meta group. */
  readonly members: () => Iterable<number>;
  readonly connected: ReadonlySet<number>;
  /** Lost where the peer has no room. */
  readonly send: (peer: number, message: ChangeMessage) => void;
  /** Of a member: has the meta group decide. */
  readonly decide: (command: MetaCommand, done: (answer: TopologyAnswer) => void) => void;
  /** A number that no earlier start of this node has used for a change. */
  readonly firstToken: number;
  readonly answerMsMax: number;
  readonly nowMs: () => number;
}

interface Handed {
  readonly peer: number;
  readonly untilMs: number;
  readonly done: (answer: TopologyAnswer) => void;
}

/** Under way at the same time, from one node to all members, and at a member for each node. */
const HANDED_MAX = 64;
const LOST = 'no answer in time from the node that was to have it decided';

export class HandedChanges {
  readonly #options: HandedChangesOptions;
  readonly #handed = new Map<number, Handed>();
  /** By node. */
  readonly #deciding = new Map<number, number>();
  #lastToken: number;

  constructor(options: HandedChangesOptions) {
    this.#options = options;
    this.#lastToken = options.firstToken;
  }

  /** `done` is called once. */
  ask(command: MetaCommand, done: Handed['done']): void {
    const { members, connected, send, nowMs, answerMsMax } = this.#options;
    const peer = [...members()].find((member) => connected.has(member));
    if (peer === undefined) {
      return done({ type: 'refused', why: 'no member of the meta group is connected' });
    }
    if (this.#handed.size >= HANDED_MAX) {
      return done({ type: 'refused', why: `${HANDED_MAX} changes are waited for: try again` });
    }
    this.#lastToken += 1;
    const token = this.#lastToken;
    this.#handed.set(token, { peer, untilMs: nowMs() + answerMsMax, done });
    send(peer, { type: 'ChangeAsked', token, command });
  }

  received(peer: number, message: ChangeMessage): void {
    if (message.type === 'ChangeAsked') return this.#decide(peer, message);
    const { token, answer } = message;
    if (this.#handed.get(token)?.peer === peer) this.#end(token, answer);
  }

  peerDown(peer: number): void {
    for (const [token, handed] of [...this.#handed]) if (handed.peer === peer) this.#lost(token);
  }

  /** To be called about once a second. */
  onTick(): void {
    const nowMs = this.#options.nowMs();
    for (const [token, { untilMs }] of [...this.#handed]) if (untilMs <= nowMs) this.#lost(token);
  }

  #decide(peer: number, { token, command }: ChangeAsked): void {
    const { send, decide } = this.#options;
    const deciding = this.#deciding.get(peer) ?? 0;
    // Without an answer the change of the peer ends in time.
    if (deciding >= HANDED_MAX) return;
    this.#deciding.set(peer, deciding + 1);
    decide(command, (answer) => {
      this.#deciding.set(peer, (this.#deciding.get(peer) ?? 1) - 1);
      send(peer, { type: 'ChangeAnswered', token, answer });
    });
  }

  #lost(token: number): void {
    this.#end(token, { type: 'unknown', why: LOST });
  }

  #end(token: number, answer: TopologyAnswer): void {
    const handed = this.#handed.get(token);
    this.#handed.delete(token);
    handed?.done(answer);
  }
}
