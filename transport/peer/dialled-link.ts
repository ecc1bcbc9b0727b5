/**
 * The dialled connection to one peer: dials, greets, sends frames, detects that the peer is gone
 * and dials again. The network owns one per peer. Frames are never received here; they arrive on
 * the connection that the peer dials.
 */
import type { Socket } from 'node:net';
import { LENGTH_BYTES } from './frame-reader.ts';
import { decodeGreeting, encodeGreeting, type PeerHello } from './handshake.ts';
import type { PeerSecurity } from './security/peer-security.ts';

interface DialledLinkOptions {
  readonly security: PeerSecurity;
  readonly self: PeerHello;
  readonly frameBytesMax: number;
  readonly queueBytesMax: number;
  readonly linkTimeoutMs: number;
  readonly handshakeTimeoutMs: number;
  readonly redialDelayMsMin: number;
  readonly redialDelayMsMax: number;
  /** Uniform in [0, 1): spreads the redials of many nodes. */
  readonly jitter: () => number;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** Why the node that answered is refused, or `undefined`. */
  readonly examine: (hello: PeerHello, expected: number) => string | undefined;
  readonly onUp: () => void;
  readonly onDown: (reason: string) => void;
  readonly onRefused: (reason: string) => void;
}

type State = 'idle' | 'waiting' | 'connecting' | 'greeting' | 'up' | 'closed';

const SIGN_OF_LIFE = Buffer.alloc(LENGTH_BYTES);
const GREETING_BYTES_MAX = 32 * 1024;
const COPY_BYTES_MAX = 16 * 1024;

export class DialledLink {
  readonly peer: number;
  readonly #options: DialledLinkOptions;
  readonly #uncork: () => void;
  #host: string;
  #port: number;
  #state: State = 'idle';
  #socket: Socket | undefined;
  #corked = false;
  #received: Buffer = Buffer.alloc(0);
  #redialTimer: NodeJS.Timeout | undefined;
  #attempts = 0;
  #refused = false;
  #dialledAtMs = 0;
  #heardAtMs = 0;
  #sentAtMs = 0;
  #bytesOut = 0;
  #framesOut = 0;
  #sendsRefused = 0;
  #reconnects = 0;
  #everUp = false;

  constructor(peer: number, host: string, port: number, options: DialledLinkOptions) {
    this.peer = peer;
    this.#host = host;
    this.#port = port;
    this.#options = options;
    this.#uncork = () => {
      this.#corked = false;
      this.#socket?.uncork();
    };
  }

  get up(): boolean {
    return this.#state === 'up';
  }

  get queuedBytes(): number {
    return this.#state === 'up' ? (this.#socket?.writableLength ?? 0) : 0;
  }

  counters(): { bytesOut: number; framesOut: number; sendsRefused: number; reconnects: number } {
    return {
      bytesOut: this.#bytesOut,
      framesOut: this.#framesOut,
      sendsRefused: this.#sendsRefused,
      reconnects: this.#reconnects,
    };
  }

  moveTo(host: string, port: number): void {
    this.#host = host;
    this.#port = port;
  }

  dial(): void {
    if (this.#state !== 'idle' && this.#state !== 'waiting') {
      return;
    }
    clearTimeout(this.#redialTimer);
    this.#state = 'connecting';
    this.#dialledAtMs = this.#options.now();
    this.#received = Buffer.alloc(0);
    this.#refused = false;
    const target = { host: this.#host, port: this.#port };
    const socket: Socket = this.#options.security.dial(target, this.peer, () => {
      if (this.#state === 'connecting') {
        this.#state = 'greeting';
        const hello = this.#options.self;
        socket.write(encodeGreeting({ kind: 'hello', hello, target: this.peer }));
      }
    });
    this.#socket = socket;
    socket.on('data', (chunk) => this.#onData(socket, chunk));
    socket.on('error', (error) => this.#onError(socket, error));
    socket.on('close', () => this.#lose(socket, 'the peer closed the connection'));
  }

  /** Dials at once if it waits for its next try; after a refusal it keeps waiting. */
  retryNow(): void {
    if (this.#state === 'waiting' && !this.#refused) {
      this.dial();
    }
  }

  /** See `PeerNetwork.send`. All frames of one event-loop turn leave in one writev. */
  send(parts: readonly Uint8Array[]): boolean {
    const socket = this.#socket;
    if (this.#state !== 'up' || socket === undefined) {
      return false;
    }
    let bytes = 0;
    for (const part of parts) {
      bytes += part.length;
    }
    const queued = socket.writableLength;
    const full = queued > 0 && queued + bytes + LENGTH_BYTES > this.#options.queueBytesMax;
    if (full || bytes === 0 || bytes > this.#options.frameBytesMax) {
      this.#sendsRefused += 1;
      return false;
    }
    if (!this.#corked) {
      this.#corked = true;
      socket.cork();
      process.nextTick(this.#uncork);
    }
    write(socket, bytes, parts);
    this.#framesOut += 1;
    this.#bytesOut += bytes + LENGTH_BYTES;
    this.#sentAtMs = this.#options.now();
    return true;
  }

  /**
   * `awake` is false when this process itself was stopped for a while: the peer may not be silent.
   */
  tick(nowMs: number, awake: boolean): void {
    const socket = this.#socket;
    if (socket === undefined) {
      return;
    }
    const { handshakeTimeoutMs, linkTimeoutMs } = this.#options;
    if (this.#state === 'connecting' || this.#state === 'greeting') {
      if (nowMs - this.#dialledAtMs > handshakeTimeoutMs) {
        this.#lose(socket, `no answer within ${handshakeTimeoutMs} ms`);
      }
      return;
    }
    if (!awake) {
      this.#heardAtMs = nowMs;
    }
    if (nowMs - this.#heardAtMs > linkTimeoutMs) {
      this.#lose(socket, `no message for ${linkTimeoutMs} ms`);
    } else if (nowMs - this.#sentAtMs >= linkTimeoutMs / 4) {
      this.#sentAtMs = nowMs;
      socket.write(SIGN_OF_LIFE);
    }
  }

  /** Ends the connection; the next try comes after the longest pause. */
  drop(reason: string): void {
    this.#refused = true;
    if (this.#socket !== undefined) this.#lose(this.#socket, reason);
  }

  /** Dials anew where the proof of this connection would not be taken any more. */
  checkProof(): void {
    const socket = this.#socket;
    if (socket === undefined || this.#options.security.isCurrent(socket)) return;
    this.#attempts = 0;
    this.#lose(socket, 'its secret or certificate is not valid any more');
    this.retryNow();
  }

  close(): void {
    const wasUp = this.#state === 'up';
    this.#state = 'closed';
    clearTimeout(this.#redialTimer);
    this.#socket?.destroy();
    this.#socket = undefined;
    if (wasUp) {
      this.#options.onDown('this node closed the link');
    }
  }

  #onError(socket: Socket, error: Error): void {
    const refusal = this.#options.security.refusalOf(error);
    if (this.#socket !== socket) return;
    if (refusal === undefined || this.#state !== 'connecting') this.#lose(socket, error.message);
    else this.#refuse(socket, `the listener there is refused: ${refusal}`);
  }

  #onData(socket: Socket, chunk: Buffer): void {
    if (this.#socket !== socket) {
      return;
    }
    this.#heardAtMs = this.#options.now();
    if (this.#state === 'up') {
      return;
    }
    this.#received = Buffer.concat([this.#received, chunk]);
    const result = decodeGreeting(this.#received);
    if (result.status === 'incomplete') {
      if (this.#received.length > GREETING_BYTES_MAX) {
        this.#lose(socket, 'the answer to the greeting is too long');
      }
      return;
    }
    if (result.status === 'alien') {
      this.#refuse(socket, `the listener there is not a peer: ${result.reason}`);
      return;
    }
    const { greeting } = result;
    if (greeting.kind === 'refused') {
      this.#refuse(socket, `refused by node ${this.peer}: ${greeting.reason}`);
      return;
    }
    const objection =
      greeting.kind === 'accepted'
        ? this.#options.examine(greeting.hello, this.peer)
        : `it answered with "${greeting.kind}"`;
    if (objection !== undefined) {
      this.#refuse(socket, `the listener there is refused: ${objection}`);
      return;
    }
    this.#becomeUp();
  }

  #becomeUp(): void {
    this.#state = 'up';
    this.#received = Buffer.alloc(0);
    this.#attempts = 0;
    this.#sentAtMs = this.#options.now();
    if (this.#everUp) {
      this.#reconnects += 1;
    }
    this.#everUp = true;
    this.#options.onUp();
  }

  #refuse(socket: Socket, reason: string): void {
    this.#refused = true;
    this.#options.onRefused(reason);
    this.#lose(socket, reason);
  }

  #lose(socket: Socket, reason: string): void {
    if (this.#socket !== socket || this.#state === 'closed') {
      return;
    }
    const wasUp = this.#state === 'up';
    this.#socket = undefined;
    this.#state = 'waiting';
    socket.destroy();
    const { redialDelayMsMin, redialDelayMsMax } = this.#options;
    // Half of the delay is fixed, half is random; a refusal lasts longer than milliseconds.
    const ceiling = this.#refused
      ? redialDelayMsMax
      : Math.min(redialDelayMsMax, redialDelayMsMin * 2 ** Math.min(this.#attempts, 16));
    this.#attempts += 1;
    const delayMs = (ceiling * (1 + this.#options.jitter())) / 2;
    this.#redialTimer = setTimeout(() => this.dial(), delayMs);
    if (wasUp) {
      this.#options.onDown(reason);
    }
  }
}

/** A small frame is written as one piece: a write costs more than the copy, over TLS above all. */
function write(socket: Socket, bytes: number, parts: readonly Uint8Array[]): void {
  const isSmall = bytes <= COPY_BYTES_MAX;
  const head = Buffer.allocUnsafe(isSmall ? LENGTH_BYTES + bytes : LENGTH_BYTES);
  head.writeUInt32BE(bytes, 0);
  let at = LENGTH_BYTES;
  for (const part of isSmall ? parts : []) {
    head.set(part, at);
    at += part.length;
  }
  socket.write(head);
  for (const part of isSmall ? [] : parts) {
    if (part.length > 0) socket.write(part);
  }
}
