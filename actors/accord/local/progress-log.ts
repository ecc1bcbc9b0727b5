/**
 * Sees to it that every transaction this replica knows of is decided (accord.md §2.13): asks the
 * others what they know, and when nothing moves, has it recovered. Facts travel, votes never.
 */

import type { StatusReply } from '../messages/messages.ts';
import { encodeParticipants } from '../primitives/participants.ts';
import { Status } from '../primitives/status.ts';
import { compare, isSpanning, type TxnId } from '../primitives/timestamp.ts';
import type { Command } from './command.ts';
import type { ReplicaState } from './replica-state.ts';

/** Pauses that are as long as answers take end there. */
const PAUSE_MS_MAX = 60_000;
/** Of the longest time of an answer is left with the next one. */
const ANSWER_KEPT = 0.9;

export class ProgressLog {
  readonly #state: ReplicaState;
  /** About how long the slowest answers take of late. */
  #answerMs = 0;

  constructor(state: ReplicaState) {
    this.#state = state;
  }

  tick(): void {
    const { nowMs } = this.#state;
    for (const command of this.#state.unapplied) {
      if (command.checkAtMs > nowMs || onlyWaits(command)) continue;
      this.#lookAfter(command);
    }
    for (const command of this.#state.undurable) {
      if (command.checkAtMs <= nowMs) this.#lookAfter(command);
    }
  }

  /** First ask (a peer may know the outcome, and asking does no harm), then recover. */
  #lookAfter(command: Command): void {
    const { nowMs, limits, random } = this.#state;
    const { id } = command;
    command.attempts += 1;
    const base = limits.progressDelayMs / 2;
    // A pause that cannot grow lets recoverers on slow disks outbid one another for ever.
    const shortest = Math.max(limits.progressDelayMsMax, 4 * limits.progressDelayMs);
    const longest = Math.max(shortest, Math.min(PAUSE_MS_MAX, 2 * this.#answerMs));
    const backoff = Math.min(longest, base * 2 ** (command.attempts >> 1));
    command.checkAtMs = nowMs + backoff * (0.5 + random());
    // Of one over several groups that is applied, peers that have forgotten it know that it is
    // durable in all of them; else its recovery finds out.
    if (command.attempts % 2 === 1) {
      command.askedMs = nowMs;
      for (const peer of this.#state.peers) this.#state.send(peer, { type: 'CheckStatus', id });
    } else {
      this.#state.trace('recover', id);
      const known = command.definition;
      const definition = known && {
        slots: encodeParticipants(known.participants),
        body: known.body,
      };
      this.#state.effects.push({ type: 'Recover', id, definition });
    }
  }

  /** The peer is further, or has promised to a recoverer: give that one time to finish. */
  heard(command: Command, reply: StatusReply): void {
    if (command.askedMs > 0) this.#answered(this.#state.nowMs - command.askedMs);
    const moved = reply.status > command.status || compare(reply.promised, command.promised) > 0;
    if (!moved) return;
    const { nowMs, limits, random } = this.#state;
    const later = nowMs + limits.progressDelayMs * (0.5 + 0.5 * random());
    command.checkAtMs = Math.max(command.checkAtMs, later);
  }

  /** One that answers an earlier question seems too fast; the next pause is longer then. */
  #answered(tookMs: number): void {
    this.#answerMs = Math.max(tookMs, ANSWER_KEPT * this.#answerMs);
  }

  /** A recovery waits for these: none of them may stay undecided for long. */
  lookAfterSoon(ids: readonly TxnId[]): void {
    const { nowMs, random } = this.#state;
    for (const id of ids) {
      if (this.#state.find(id) === undefined && this.#state.isRedundant(id)) continue;
      const command = this.#state.open(id);
      command.checkAtMs = Math.min(command.checkAtMs, nowMs + 50 * (1 + random()));
    }
  }

  /** A coordinator is gone: what it left undecided is looked after sooner. */
  peerDown(node: number, nowMs: number): void {
    const { unapplied, random } = this.#state;
    for (const command of unapplied) {
      if (command.id.node !== node) continue;
      command.checkAtMs = Math.min(command.checkAtMs, nowMs + 50 + 100 * random());
    }
  }
}

/**
 * It has all but its deps, and they are looked after themselves. Over several groups a stable one
 * must still be read and applied, though its coordinator may be gone.
 */
function onlyWaits({ id, status, waitingOn }: Command): boolean {
  if (status === Status.Stable) return !isSpanning(id) || waitingOn > 0;
  return status === Status.PreApplied;
}
