/**
 * Output of one client that has not left: replies, and data pushed to it that wait for a place
 * between two replies. It knows when the client leaves too much unread.
 */
import type { GatewayCore } from '../gateway-core.ts';
import { ByteQueue } from './byte-queue.ts';
import type { ClientSocket } from './client-socket.ts';
import type { ClientState } from './client-state.ts';
import { OutputWatch } from './output-watch.ts';

export class ClientOutput {
  /** The socket's buffer is full. */
  isBlocked = false;
  /** When the replies that are to be written were rendered; 0: they are not of the sample. */
  renderedMs = 0;
  readonly #core: GatewayCore;
  readonly #socket: ClientSocket;
  readonly #client: ClientState;
  readonly #queue = new ByteQueue<Uint8Array>();
  /** Pushed while no two replies meet in the queue. */
  readonly #pushes = new ByteQueue<Uint8Array>();
  readonly #watch: OutputWatch;

  constructor(core: GatewayCore, socket: ClientSocket, client: ClientState) {
    this.#core = core;
    this.#socket = socket;
    this.#client = client;
    this.#watch = new OutputWatch(core.limits);
  }

  /** All that the client has not taken. */
  get bytes(): number {
    return this.#queue.bytes + this.#pushes.bytes + this.#socket.bufferedBytes;
  }

  /** To be written at the end of the turn. */
  get queuedBytes(): number {
    return this.#queue.bytes;
  }

  get hasPushes(): boolean {
    return this.#pushes.bytes > 0;
  }

  /** Whether the client is to be disconnected, with `more` bytes. */
  exceeds(more: number, nowMs: number): boolean {
    return this.#watch.exceeds(this.#client, this.bytes + more, nowMs);
  }

  add(bytes: Uint8Array): void {
    this.#queue.push(bytes);
    this.#core.counters.bytesOut += bytes.length;
  }

  push(bytes: Uint8Array): void {
    this.#pushes.push(bytes);
  }

  /** Two replies meet here. */
  placePushes(): void {
    this.add(this.#pushes.take());
  }

  /** Writes what is queued, in one write where the socket takes it. */
  write(): void {
    if (this.#queue.bytes === 0) return;
    this.#core.counters.writes += 1;
    let hasRoom = true;
    while (this.#queue.bytes > 0) hasRoom = this.#socket.write(this.#queue.takeSome());
    this.isBlocked = !hasRoom;
    if (this.renderedMs === 0) return;
    const { services } = this.#core;
    services.phase('reply', services.clock.monotonicMs() - this.renderedMs);
    this.renderedMs = 0;
  }

  clear(): void {
    this.#queue.clear();
    this.#pushes.clear();
  }
}
