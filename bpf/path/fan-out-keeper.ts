/**
 * Attaches the kernel's fan-out again after another program (bpftool, tc) has removed it. The
 * node's path calls it at each refresh. It acts only when rounds have missed the kernel for a while
 * and at most as often as its waits allow; no round waits for it.
 */
import { oneLine } from '../native/native.ts';

/** Between two tries; doubled each time that the fan-out is found missing again. */
export const REATTACH_WAIT_MS_MIN = 2_000;
export const REATTACH_WAIT_MS_MAX = 60_000;

/** The fan-out to keep attached: see KernelHoloFast and UdpLink. */
interface KeptFanOut {
  refreshNeighbours(): number;
  reattach(): void;
}

interface KeptLink {
  readonly kernelPresent: boolean;
  /** Rounds that the kernel has sent. */
  readonly counters: { readonly fannedOut: number };
  tryKernelAgain(): void;
}

interface FanOutKeeperOptions {
  readonly kernel: KeptFanOut;
  readonly link: KeptLink;
  readonly monotonicMs?: () => number;
  readonly onReattached: () => void;
  readonly onRefused: (reason: string) => void;
}

export class FanOutKeeper {
  /** How often the fan-out was attached again. */
  reattached = 0;
  readonly #options: FanOutKeeperOptions;
  readonly #monotonicMs: () => number;
  #waitMs = REATTACH_WAIT_MS_MIN;
  #nextMs = 0;
  /** By the time of the last try. */
  #fannedOutBefore = 0;
  #wasReady = true;

  constructor(options: FanOutKeeperOptions) {
    this.#options = options;
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now());
  }

  /** Reads the neighbours again, and looks after the fan-out. Never throws. */
  refresh(): void {
    const { kernel, link } = this.#options;
    const wasReady = this.#wasReady;
    this.#wasReady = kernel.refreshNeighbours() > 0;
    // Rounds went by hand because an Ethernet address was missing: nothing is to be attached.
    if (!this.#wasReady) return;
    if (!wasReady) link.tryKernelAgain();
    const nowMs = this.#monotonicMs();
    if (nowMs < this.#nextMs) return;
    if (link.kernelPresent) {
      // "Not known to be missing" is no help yet: a round must have gone through since.
      if (link.counters.fannedOut > this.#fannedOutBefore) this.#waitMs = REATTACH_WAIT_MS_MIN;
      return;
    }
    this.#nextMs = nowMs + this.#waitMs;
    this.#waitMs = Math.min(2 * this.#waitMs, REATTACH_WAIT_MS_MAX);
    this.#reattach();
  }

  #reattach(): void {
    const { kernel, link, onReattached, onRefused } = this.#options;
    try {
      kernel.reattach();
    } catch (error) {
      onRefused(oneLine(error));
      return;
    }
    this.reattached += 1;
    this.#fannedOutBefore = link.counters.fannedOut;
    link.tryKernelAgain();
    onReattached();
  }
}
