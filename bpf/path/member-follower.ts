/**
 * Looks the members' names up again now and then: a peer that has moved to another address gets
 * frames there, and its frames are believed from there. Until then, and where a name cannot be
 * found, everything takes the peer's TCP link. Never decides on membership.
 */
import type { GroupMember } from '../frame/layout.ts';

export const LOOK_UP_EVERY_MS = 5_000;

interface MemberFollowerOptions {
  /** As they were found when the path was opened. */
  readonly members: readonly GroupMember[];
  /** Rejects when a name has no address now. */
  readonly lookUp: () => Promise<readonly GroupMember[]>;
  readonly onMoved: (members: readonly GroupMember[]) => void;
  readonly monotonicMs?: () => number;
}

export class MemberFollower {
  readonly #options: MemberFollowerOptions;
  readonly #monotonicMs: () => number;
  #members: readonly GroupMember[];
  #nextMs: number;
  #isAsking = false;

  constructor(options: MemberFollowerOptions) {
    this.#options = options;
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now());
    this.#members = options.members;
    this.#nextMs = this.#monotonicMs() + LOOK_UP_EVERY_MS;
  }

  /** Asks when it is time to, and one question at a time. Never throws. */
  refresh(): void {
    const nowMs = this.#monotonicMs();
    if (this.#isAsking || nowMs < this.#nextMs) return;
    this.#nextMs = nowMs + LOOK_UP_EVERY_MS;
    this.#isAsking = true;
    this.#options
      .lookUp()
      .then((members) => this.#take(members))
      // A member that cannot be resolved now keeps its last address.
      .catch(() => undefined)
      .finally(() => {
        this.#isAsking = false;
      });
  }

  #take(members: readonly GroupMember[]): void {
    const known = new Map(this.#members.map(({ sender, address }) => [sender, address]));
    if (members.every(({ sender, address }) => known.get(sender) === address)) return;
    this.#members = members;
    this.#options.onMoved(members);
  }
}
