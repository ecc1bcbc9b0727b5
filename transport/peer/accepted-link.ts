/**
 * An accepted connection: examines the greeting, then receives frames. The network owns it. It
 * never sends frames, only the answer to the greeting and keep-alives.
 */
import type { Socket } from 'node:net';
import { FrameError } from './frame-error.ts';
import { FrameReader, LENGTH_BYTES } from './frame-reader.ts';
import {
  decodeGreeting,
  encodeGreeting,
  type Greeting,
  type JoinAnswer,
  type JoinRequest,
  type MembersAnswer,
  type PeerHello,
} from './handshake.ts';
import type { Refusal, RefusalKind } from './security/peer-security.ts';

export interface AcceptedLinkOptions {
  readonly self: PeerHello;
  readonly frameBytesMax: number;
  readonly linkTimeoutMs: number;
  readonly handshakeTimeoutMs: number;
  readonly now: () => number;
  readonly members: () => MembersAnswer;
  /** `done` is called once: with the answer, or why there is none. */
  readonly join: (
    request: JoinRequest,
    done: (answer: JoinAnswer | string) => void,
    socket: Socket,
  ) => void;
  /** Why the caller is refused, or `undefined`. */
  readonly examine: (hello: PeerHello, target: number, socket: Socket) => string | undefined;
  /** The greeting was accepted; from here on the caller is `link.peer`. */
  readonly onAccepted: (link: AcceptedLink) => void;
  readonly onFrame: (link: AcceptedLink, frame: Uint8Array) => void;
  /** `nodeId` is `undefined` when the caller was refused before it named itself. */
  readonly onRefused: (link: AcceptedLink, nodeId: number | undefined, refusal: Refusal) => void;
  readonly onClosed: (link: AcceptedLink) => void;
}

const SIGN_OF_LIFE = Buffer.alloc(LENGTH_BYTES);
/** Until the meta group has decided on a node that wants to join. */
const JOIN_MS_MAX = 10_000;
/** Limit of unsent answers to a peer that does not read. */
const UNREAD_BYTES_MAX = 4 * 1024;

export class AcceptedLink {
  readonly socket: Socket;
  readonly #options: AcceptedLinkOptions;
  readonly #reader: FrameReader;
  #hello: PeerHello | undefined;
  #greeting: Buffer = Buffer.alloc(0);
  #ending = false;
  #isJoining = false;
  #openedAtMs: number;
  #heardAtMs: number;
  #heardSinceTick = false;
  #bytesIn = 0;
  #framesIn = 0;

  constructor(socket: Socket, options: AcceptedLinkOptions) {
    this.socket = socket;
    this.#options = options;
    this.#openedAtMs = options.now();
    this.#heardAtMs = this.#openedAtMs;
    this.#reader = new FrameReader(options.frameBytesMax, (frame) => {
      this.#framesIn += 1;
      options.onFrame(this, frame);
    });
    socket.on('data', (chunk) => this.#onData(chunk));
    // `close` follows every error and is where the end is handled.
    socket.on('error', () => undefined);
    socket.on('close', () => options.onClosed(this));
  }

  /** The accepted greeting; `undefined` until then. */
  get hello(): PeerHello | undefined {
    return this.#hello;
  }

  get bytesIn(): number {
    return this.#bytesIn;
  }

  get framesIn(): number {
    return this.#framesIn;
  }

  tick(nowMs: number, awake: boolean): void {
    const { handshakeTimeoutMs, linkTimeoutMs } = this.#options;
    if (this.#hello === undefined) {
      const timeoutMs = this.#isJoining ? JOIN_MS_MAX : handshakeTimeoutMs;
      if (nowMs - this.#openedAtMs > timeoutMs) {
        this.#refused('timeout', `it did not greet within ${handshakeTimeoutMs} ms`);
        this.socket.destroy();
      }
      return;
    }
    if (!awake) {
      this.#heardAtMs = nowMs;
    }
    // The other end sends a keep-alive every quarter of its timeout; twice our own timeout
    // tolerates settings that differ.
    if (nowMs - this.#heardAtMs > 2 * linkTimeoutMs) {
      this.socket.destroy();
    } else if (this.#heardSinceTick && this.socket.writableLength < UNREAD_BYTES_MAX) {
      this.#heardSinceTick = false;
      this.socket.write(SIGN_OF_LIFE);
    }
  }

  close(): void {
    this.socket.destroy();
  }

  #onData(chunk: Buffer): void {
    if (this.#ending || this.#isJoining) {
      return;
    }
    if (this.#hello === undefined) {
      this.#greet(chunk);
      return;
    }
    this.#heardAtMs = this.#options.now();
    this.#heardSinceTick = true;
    this.#bytesIn += chunk.length;
    this.#read(chunk);
  }

  #read(chunk: Buffer): void {
    try {
      this.#reader.push(chunk);
    } catch (error) {
      if (!(error instanceof FrameError)) {
        throw error;
      }
      this.#refused('protocol', error.message, this.#hello?.nodeId);
      this.socket.destroy();
    }
  }

  #greet(chunk: Buffer): void {
    this.#greeting = Buffer.concat([this.#greeting, chunk]);
    const result = decodeGreeting(this.#greeting);
    if (result.status === 'incomplete') {
      return;
    }
    if (result.status === 'alien') {
      this.#refused('protocol', result.reason);
      // Only a node of another version can read the refusal.
      this.#end(
        result.version === undefined ? undefined : { kind: 'refused', reason: result.reason },
      );
      return;
    }
    const { greeting } = result;
    if (greeting.kind === 'whoIsThere') {
      this.#answerInquiry(greeting.clusterId);
      return;
    }
    if (greeting.kind === 'join') {
      this.#isJoining = true;
      const done = (answer: JoinAnswer | string): void => this.#answerJoin(answer);
      this.#options.join(greeting.request, done, this.socket);
      return;
    }
    if (greeting.kind !== 'hello') {
      this.#refused('protocol', `it greeted with "${greeting.kind}"`);
      this.#end(undefined);
      return;
    }
    const reason = this.#options.examine(greeting.hello, greeting.target, this.socket);
    if (reason !== undefined) {
      this.#refused('identity', reason, greeting.hello.nodeId);
      this.#end({ kind: 'refused', reason });
      return;
    }
    this.#hello = greeting.hello;
    const rest = this.#greeting.subarray(result.bytes);
    this.#greeting = Buffer.alloc(0);
    this.socket.write(encodeGreeting({ kind: 'accepted', hello: this.#options.self }));
    this.#options.onAccepted(this);
    if (rest.length > 0) {
      this.#onData(rest);
    }
  }

  #answerInquiry(clusterId: string): void {
    const answer = this.#options.members();
    if (answer.clusterId === clusterId) {
      this.#end({ kind: 'members', answer });
      return;
    }
    const reason = `it asked for the members of another cluster, ${clusterId}`;
    this.#refused('identity', reason);
    this.#end({ kind: 'refused', reason });
  }

  #answerJoin(answer: JoinAnswer | string): void {
    if (typeof answer !== 'string') return this.#end({ kind: 'joined', answer });
    this.#refused('identity', answer);
    this.#end({ kind: 'refused', reason: answer });
  }

  #refused(kind: RefusalKind, reason: string, nodeId?: number): void {
    this.#options.onRefused(this, nodeId, { kind, reason });
  }

  /** Sends the answer, if any, and closes; a caller that keeps its end open is cut off later. */
  #end(answer: Greeting | undefined): void {
    this.#ending = true;
    this.#greeting = Buffer.alloc(0);
    if (answer === undefined) {
      this.socket.destroy();
    } else {
      this.socket.end(encodeGreeting(answer));
    }
  }
}
