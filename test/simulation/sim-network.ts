/**
 * Links between simulated nodes, frame by frame. What a link does to a frame (delay, loss,
 * repetition, reordering, stall) is drawn from the rng by the present `LinkWeather`; cut links
 * deliver nothing. Frames in flight to a crashed incarnation are lost.
 */
import type { Rng, Scheduler } from '../../actors/runtime/ports.ts';
import type { PeerHandler, PeerNetwork } from '../../transport/peer/network.ts';

export interface LinkWeather {
  readonly delayMsMin: number;
  readonly delayMsMax: number;
  readonly lossRate: number;
  readonly duplicateRate: number;
  /** How often a link begins to stall, and for how long at most (squared: short ones are common). */
  readonly stallRate: number;
  readonly stallMsMax: number;
  /** Keep frames of a link in order. */
  readonly ordered: boolean;
}

export const CALM: LinkWeather = {
  delayMsMin: 0.1,
  delayMsMax: 0.5,
  lossRate: 0,
  duplicateRate: 0,
  stallRate: 0,
  stallMsMax: 0,
  ordered: true,
};

/** How long a node takes to notice that a link is cut or a peer is gone, in ms. */
const DETECT_MS = 30;

export class SimNetwork {
  weather: LinkWeather = CALM;
  readonly counters = { sent: 0, lost: 0, repeated: 0, stalled: 0, delivered: 0 };
  /** Called after a frame has left a node; the fault injector may crash the sender there. */
  onSent: ((from: number) => void) | undefined;
  readonly #scheduler: Scheduler;
  readonly #now: () => number;
  readonly #rng: Rng;
  readonly #ends = new Map<number, SimEnd>();
  readonly #cut = new Set<string>();
  readonly #stalledUntil = new Map<string, number>();
  readonly #lastArrival = new Map<string, number>();

  constructor(scheduler: Scheduler, now: () => number, rng: Rng) {
    this.#scheduler = scheduler;
    this.#now = now;
    this.#rng = rng;
  }

  /** The network of a fresh incarnation of a node. */
  attach(node: number): PeerNetwork {
    this.#ends.get(node)?.kill();
    const end = new SimEnd(this, node);
    this.#ends.set(node, end);
    return end;
  }

  detach(node: number): void {
    this.#ends.get(node)?.kill();
    this.#ends.delete(node);
    for (const peer of this.#ends.keys()) this.#later(DETECT_MS, () => this.#refresh(peer, node));
  }

  /** Nothing from `from` reaches `to` until `mend`. */
  cut(from: number, to: number): void {
    this.#cut.add(link(from, to));
    this.#later(DETECT_MS, () => this.#refresh(from, to));
    this.#later(DETECT_MS, () => this.#refresh(to, from));
  }

  mend(): void {
    this.#cut.clear();
    for (const a of this.#ends.keys()) {
      for (const b of this.#ends.keys()) {
        if (a !== b) this.#later(DETECT_MS * this.#rng.next(), () => this.#refresh(a, b));
      }
    }
  }

  started(node: number): void {
    for (const peer of this.#ends.keys()) {
      if (peer === node) continue;
      this.#later(1, () => this.#refresh(node, peer));
      this.#later(1, () => this.#refresh(peer, node));
    }
  }

  #later(delayMs: number, run: () => void): void {
    this.#scheduler.after(delayMs, run);
  }

  /** A link is up when both ends live and both directions deliver. */
  #refresh(from: number, to: number): void {
    const end = this.#ends.get(from);
    if (end === undefined) return;
    const peer = this.#ends.get(to);
    const open = !this.#cut.has(link(from, to)) && !this.#cut.has(link(to, from));
    end.linkIs(to, open ? peer : undefined);
  }

  carry(from: SimEnd, to: number, frame: Uint8Array): void {
    const { weather } = this;
    this.counters.sent += 1;
    const target = this.#ends.get(to);
    if (target === undefined || this.#cut.has(link(from.node, to))) {
      this.counters.lost += 1;
    } else if (this.#rng.next() < weather.lossRate) {
      this.counters.lost += 1;
    } else {
      this.#deliver(from, target, frame);
      if (this.#rng.next() < weather.duplicateRate) {
        this.counters.repeated += 1;
        this.#deliver(from, target, frame);
      }
    }
    this.onSent?.(from.node);
  }

  #deliver(from: SimEnd, target: SimEnd, frame: Uint8Array): void {
    const { weather } = this;
    const name = link(from.node, target.node);
    const now = this.#now();
    if (weather.stallRate > 0 && this.#rng.next() < weather.stallRate) {
      this.counters.stalled += 1;
      this.#stalledUntil.set(name, now + weather.stallMsMax * this.#rng.next() ** 2);
    }
    const span = weather.delayMsMax - weather.delayMsMin;
    let at = now + weather.delayMsMin + span * this.#rng.next();
    const stalled = (this.#stalledUntil.get(name) ?? 0) - now;
    if (stalled > 0) at += weather.ordered ? stalled : stalled * this.#rng.next();
    if (weather.ordered) at = Math.max(at, this.#lastArrival.get(name) ?? 0);
    this.#lastArrival.set(name, at);
    this.#later(at - now, () => {
      if (!target.alive || this.#cut.has(name)) {
        this.counters.lost += 1;
        return;
      }
      this.counters.delivered += 1;
      target.receive(from.node, frame);
    });
  }
}

class SimEnd implements PeerNetwork {
  alive = true;
  readonly node: number;
  readonly #network: SimNetwork;
  readonly #up = new Map<number, SimEnd>();
  #handler: PeerHandler | undefined;

  constructor(network: SimNetwork, node: number) {
    this.#network = network;
    this.node = node;
  }

  start(handler: PeerHandler): void {
    this.#handler = handler;
    this.#network.started(this.node);
  }

  send(peer: number, parts: readonly Uint8Array[]): boolean {
    if (!this.alive || !this.#up.has(peer)) return false;
    this.#network.carry(this, peer, Buffer.concat(parts));
    return true;
  }

  queuedBytes(): number {
    return 0;
  }

  close(): void {
    this.alive = false;
  }

  kill(): void {
    this.alive = false;
    this.#handler = undefined;
  }

  receive(from: number, frame: Uint8Array): void {
    this.#handler?.onFrame(from, frame);
  }

  linkIs(peer: number, end: SimEnd | undefined): void {
    const before = this.#up.get(peer);
    if (before === end || !this.alive) return;
    if (before !== undefined) {
      this.#up.delete(peer);
      this.#handler?.onDown(peer, 'the link is cut or the peer is gone');
    }
    if (end === undefined) return;
    this.#up.set(peer, end);
    this.#handler?.onUp(peer);
  }
}

function link(from: number, to: number): string {
  return `${from}>${to}`;
}
