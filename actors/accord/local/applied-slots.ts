/**
 * The place in the order of execution of the last write that each conflict slot saw here. A read
 * of several slots stands only if none of them has changed since its barrier began
 * (docs/protocol.md, "Reads of several slots").
 */

import { type Participants, WHOLE_STORE } from '../primitives/participants.ts';

export class AppliedSlots {
  readonly #from: number;
  readonly #count: number;
  /** By slot, from the group's first on; empty until the first write. */
  #lastSequence = new Float64Array(0);
  /** Any slot may have been written up to here: by a whole-store write, or before this began. */
  #anywhere: number;

  /**
   * Of the conflict slots from `from` up to, and without, `to`. `appliedSequence`: what the engine
   * held at the start.
   */
  constructor(from: number, to: number, appliedSequence: number) {
    this.#from = from;
    this.#count = to - from;
    this.#anywhere = appliedSequence;
  }

  applied(participants: Participants, sequence: number): void {
    if (participants === WHOLE_STORE) {
      this.#anywhere = sequence;
      return;
    }
    if (this.#lastSequence.length === 0) this.#lastSequence = new Float64Array(this.#count);
    for (let at = 0; at < participants.length; at += 1) {
      this.#lastSequence[(participants[at] as number) - this.#from] = sequence;
    }
  }

  /**
   * Whether a read of these slots (repeats allowed) may be answered from the present state, when
   * its barrier began at `barrierSequence` and all named transactions are applied. A single slot
   * needs no more than the barrier.
   */
  covers(slots: readonly number[], barrierSequence: number): boolean {
    const [first] = slots;
    let several = false;
    let last = this.#anywhere;
    for (const slot of slots) {
      if (slot !== first) several = true;
      const sequence = this.#lastSequence[slot - this.#from] ?? 0;
      if (sequence > last) last = sequence;
    }
    return !several || last <= barrierSequence;
  }
}
