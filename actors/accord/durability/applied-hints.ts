/**
 * Which transactions are settled (applied, or known never to execute) at which member. A replica
 * announces each settled transaction once, and that message may be lost. So a replica asks each
 * member that is up for the transactions that are settled here and not known to be settled there, a
 * page at a time; the next page follows when the member has confirmed the whole last one. Nothing
 * is kept for repetition: the unknown ones are exactly the ones left to ask, also after a restart.
 */
import type { Command } from '../local/command.ts';
import { lacksFacts, type ReplicaState } from '../local/replica-state.ts';
import type { AppliedHint } from '../messages/messages.ts';
import { decodeDeps, encodeDeps } from '../primitives/deps.ts';
import { isTerminal } from '../primitives/status.ts';
import { compare, type Timestamp, type TxnId, ZERO } from '../primitives/timestamp.ts';

interface Asked {
  /** Of the last page: what the member has not confirmed. */
  readonly open: Set<Command>;
  /** Where the next page begins; ZERO when the last one reached the end. */
  readonly next: Timestamp;
}

/** Transactions that a member has settled and asked about, and this replica cannot execute yet. */
interface Lacking {
  readonly ids: readonly TxnId[];
  readonly fetchAtMs: number;
}

/** A claim: it leaves when everything in it is durable. `ids` ascend. */
export function sendHint(
  state: ReplicaState,
  peer: number,
  ids: readonly TxnId[],
  asks = false,
): void {
  const { redundantBefore } = state;
  const retains = state.commands.size > 0;
  const encoded = encodeDeps(ids);
  state.reply(peer, { type: 'AppliedHint', ids: encoded, redundantBefore, retains, asks });
}

export class AppliedHints {
  readonly #state: ReplicaState;
  readonly #asked = new Map<number, Asked>();
  readonly #lacking = new Map<number, Lacking>();
  /** When the mark was last repeated. */
  #toldMs = 0;
  /** Some member has told that it holds transactions, since our mark was last told. */
  #prompted = false;

  constructor(state: ReplicaState) {
    this.#state = state;
  }

  /** After a start every member that is up is asked in the first tick. */
  restored(): void {
    this.#toldMs = Number.NEGATIVE_INFINITY;
  }

  /** A member that has something to forget asks by itself. */
  peerUp(peer: number): void {
    this.#asked.delete(peer);
    if (this.#mayTell()) this.#ask(peer);
  }

  /** This replica holds something to forget, or another has told that it does. */
  #mayTell(): boolean {
    return this.#state.commands.size > 0 || this.#prompted;
  }

  /** When `tick` has something to do next; infinite when only a message can change that. */
  get dueMs(): number {
    if (this.#state.appliedNow.length > 0) return 0;
    const { hintEveryMs } = this.#state.limits;
    let dueMs = this.#mayTell() ? this.#toldMs + hintEveryMs : Infinity;
    for (const { fetchAtMs } of this.#lacking.values()) dueMs = Math.min(dueMs, fetchAtMs);
    return dueMs;
  }

  peerDown(peer: number): void {
    this.#asked.delete(peer);
    this.#lacking.delete(peer);
  }

  tick(): void {
    const { appliedNow, limits, peers } = this.#state;
    this.#state.appliedNow = [];
    for (let at = 0; at < appliedNow.length; at += limits.listIdsMax) {
      const ids = appliedNow.slice(at, at + limits.listIdsMax).sort(compare);
      for (const peer of peers) sendHint(this.#state, peer, ids);
    }
    this.#tellAgain();
    for (const peer of this.#lacking.keys()) this.#fetch(peer);
  }

  tellMark(): void {
    for (const peer of this.#state.peers) sendHint(this.#state, peer, []);
  }

  /** The mark and the questions are repeated while any member has something to forget. */
  #tellAgain(): void {
    const { nowMs, peers, down, limits } = this.#state;
    if (!this.#mayTell()) return;
    if (nowMs < this.#toldMs + limits.hintEveryMs) return;
    this.#prompted = false;
    this.#toldMs = nowMs;
    for (const peer of peers) {
      if (down.has(peer)) sendHint(this.#state, peer, []);
      else this.#ask(peer);
    }
  }

  /** Tells the mark and the next page of what the member is not known to have settled. */
  #ask(peer: number): void {
    const { unappliedBy, limits } = this.#state;
    const page: Command[] = [];
    let next = ZERO;
    for (const command of unappliedBy.get(peer)?.from(this.#asked.get(peer)?.next ?? ZERO) ?? []) {
      if (!this.#overdue(command)) continue;
      if (page.length === limits.listIdsMax) {
        next = command.id;
        break;
      }
      page.push(command);
    }
    this.#asked.set(peer, { open: new Set(page), next });
    const ids = page.map(({ id }) => id);
    sendHint(this.#state, peer, ids, ids.length > 0);
  }

  /** The other side will announce a recently settled one, or its hint is in flight. */
  #overdue({ status, settledAtMs }: Command): boolean {
    const { nowMs, limits } = this.#state;
    return isTerminal(status) && nowMs >= settledAtMs + limits.durabilityLagMs;
  }

  receive(from: number, message: AppliedHint): void {
    const state = this.#state;
    const pending = state.unappliedBy.get(from);
    if (pending === undefined) return;
    if (message.retains) this.#prompted = true;
    const ids = decodeDeps(message.ids);
    const applied: Command[] = [];
    for (const id of ids) {
      // First heard of now: it has to be settled here, too, even if no round can end meanwhile.
      const known = state.find(id);
      if (known === undefined && state.isRedundant(id)) continue;
      const command = known ?? state.admit(from, id, true);
      if (command === undefined) continue;
      pending.delete(command);
      applied.push(command);
    }
    const known = state.peerRedundantBefore.get(from) ?? ZERO;
    if (compare(message.redundantBefore, known) > 0) {
      state.peerRedundantBefore.set(from, message.redundantBefore);
      for (const command of pending.takeBelow(message.redundantBefore)) applied.push(command);
    }
    this.#appliedBy(from, applied);
    if (message.asks) this.#answer(from, ids);
    const asked = this.#asked.get(from);
    if (asked?.open.size === 0 && asked.next !== ZERO) this.#ask(from);
  }

  #appliedBy(peer: number, commands: readonly Command[]): void {
    const open = this.#asked.get(peer)?.open;
    for (const command of commands) {
      open?.delete(command);
      command.appliedBy |= this.#state.group.bit(peer);
    }
    this.#state.pruneApplied(commands);
  }

  /** Confirms what is settled here; what is not can be had from the member that asks. */
  #answer(peer: number, ids: readonly TxnId[]): void {
    const confirmed = ids.filter((id) => isTerminal(this.#state.find(id)?.status ?? 0));
    sendHint(this.#state, peer, confirmed);
    this.#lacking.set(peer, { ids, fetchAtMs: 0 });
    this.#fetch(peer);
  }

  #fetch(peer: number): void {
    const { nowMs, limits } = this.#state;
    const lacking = this.#lacking.get(peer);
    if (lacking === undefined || nowMs < lacking.fetchAtMs) return;
    const ids = lacking.ids.filter((id) => {
      const command = this.#state.find(id);
      return command !== undefined && lacksFacts(command);
    });
    if (ids.length === 0) {
      this.#lacking.delete(peer);
      return;
    }
    this.#lacking.set(peer, { ids, fetchAtMs: nowMs + limits.hintFetchEveryMs });
    this.#state.send(peer, { type: 'Fetch', ids: encodeDeps(ids) });
  }
}
