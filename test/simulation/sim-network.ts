/**
 * Links between simulated nodes, frame by frame. The fate of a frame (delay, loss, repetition,
 * reordering, stall) is drawn from the rng by the current `LinkWeather`; cut links deliver nothing,
 * clogged ones keep everything for later. Frames in flight to a crashed incarnation are lost. Nodes
 * announce their disk, and refuse a peer with an unknown one.
 */
import type { Rng, Scheduler } from '../../actors/runtime/ports/ports.ts';
import type { PeerHandler, PeerNetwork } from '../../transport/peer/network.ts';

export interface LinkWeather {
  readonly delayMsMin: number;
  readonly delayMsMax: number;
  readonly lossRate: number;
  readonly duplicateRate: number;
  /**
   * How often a link begins to stall, and for how long at most (squared: short ones are common).
   */
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

/** The identity that the handshake checks (actors/process/disk/data-directory.ts). */
export interface Identity {
  readonly diskId: string;
  /** The reason why a peer with this disk is refused. */
  verify(peer: number, diskId: string): string | undefined;
}

/** How long a node takes to notice that a link is cut or a peer is gone, in ms. */
const DETECT_MS = 30;
/** Pause after a link was closed by one end, in ms. */
const RECONNECT_MS = 100;

export class SimNetwork {
  weather: LinkWeather = CALM;
  readonly counters = { sent: 0, lost: 0, repeated: 0, stalled: 0, delivered: 0, refused: 0 };
  /** Called after a frame has left a node; the fault injector may crash the sender there. */
  onSent: ((from: number) => void) | undefined;
  onDelivered: ((from: number, to: number, frame: Uint8Array) => void) | undefined;
  /** For a film: the end of a frame, with when it was sent. */
  onEnded:
    | ((from: number, to: number, frame: Uint8Array, sentMs: number, isLost: boolean) => void)
    | undefined;
  readonly #scheduler: Scheduler;
  readonly #now: () => number;
  readonly #rng: Rng;
  readonly #ends = new Map<number, SimEnd>();
  readonly #cut = new Set<string>();
  readonly #clogged = new Map<string, Array<() => void>>();
  readonly #stalledUntil = new Map<string, number>();
  readonly #lastArrival = new Map<string, number>();

  constructor(scheduler: Scheduler, now: () => number, rng: Rng) {
    this.#scheduler = scheduler;
    this.#now = now;
    this.#rng = rng;
  }

  /** The network of a fresh incarnation of a node. */
  attach(node: number, identity: Identity): PeerNetwork {
    this.#ends.get(node)?.kill();
    const end = new SimEnd(this, node, identity);
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

  /** Frames sent from now on are kept until `unclog`. */
  clog(from: number, to: number): void {
    const name = link(from, to);
    if (!this.#clogged.has(name)) this.#clogged.set(name, []);
  }

  unclog(from: number, to: number): void {
    const name = link(from, to);
    const kept = this.#clogged.get(name) ?? [];
    this.#clogged.delete(name);
    for (const arrive of kept) this.#later(0, arrive);
  }

  mendLink(from: number, to: number): void {
    this.#cut.delete(link(from, to));
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
    const welcome = open && peer !== undefined && this.#shakeHands(end, peer);
    end.linkIs(to, welcome ? peer : undefined);
  }

  #shakeHands(end: SimEnd, peer: SimEnd): boolean {
    const reason = end.verify(peer) ?? peer.verify(end);
    if (reason === undefined) return true;
    this.counters.refused += 1;
    end.refused(peer.node, reason);
    return false;
  }

  /** One end closes the link: both notice, and shake hands again a while later. */
  disconnected(node: number, peer: number, reason: string): void {
    this.#ends.get(node)?.linkIs(peer, undefined, reason);
    this.#ends.get(peer)?.linkIs(node, undefined);
    this.#later(RECONNECT_MS, () => this.#refresh(node, peer));
    this.#later(RECONNECT_MS, () => this.#refresh(peer, node));
  }

  /** A frame that `from` never sent, as if a mistake in it had. */
  inject(from: number, to: number, frame: Uint8Array): void {
    this.#ends.get(to)?.receive(from, frame);
  }

  carry(from: SimEnd, to: number, frame: Uint8Array): void {
    const { weather } = this;
    this.counters.sent += 1;
    const target = this.#ends.get(to);
    const lost = (): void => {
      this.counters.lost += 1;
      this.onEnded?.(from.node, to, frame, this.#now(), true);
    };
    if (target === undefined || this.#cut.has(link(from.node, to))) {
      lost();
    } else if (this.#rng.next() < weather.lossRate) {
      lost();
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
    const arrive = (): void => {
      const clogged = this.#clogged.get(name);
      if (clogged !== undefined) {
        clogged.push(arrive);
      } else if (!target.alive || this.#cut.has(name)) {
        this.counters.lost += 1;
        this.onEnded?.(from.node, target.node, frame, now, true);
      } else {
        this.counters.delivered += 1;
        this.onEnded?.(from.node, target.node, frame, now, false);
        this.onDelivered?.(from.node, target.node, frame);
        target.receive(from.node, frame);
      }
    };
    this.#later(at - now, arrive);
  }
}

class SimEnd implements PeerNetwork {
  alive = true;
  readonly node: number;
  readonly #network: SimNetwork;
  readonly #identity: Identity;
  readonly #up = new Map<number, SimEnd>();
  #handler: PeerHandler | undefined;

  constructor(network: SimNetwork, node: number, identity: Identity) {
    this.#network = network;
    this.node = node;
    this.#identity = identity;
  }

  verify(peer: SimEnd): string | undefined {
    return this.#identity.verify(peer.node, peer.#identity.diskId);
  }

  refused(peer: number, reason: string): void {
    if (this.alive) this.#handler?.onRefused(peer, reason);
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

  disconnect(peer: number, reason: string): void {
    this.#network.disconnected(this.node, peer, reason);
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

  linkIs(
    peer: number,
    end: SimEnd | undefined,
    reason = 'the link is cut or the peer is gone',
  ): void {
    const before = this.#up.get(peer);
    if (before === end || !this.alive) return;
    if (before !== undefined) {
      this.#up.delete(peer);
      this.#handler?.onDown(peer, reason);
    }
    if (end === undefined) return;
    this.#up.set(peer, end);
    this.#handler?.onUp(peer);
  }
}

function link(from: number, to: number): string {
  return `${from}>${to}`;
}
