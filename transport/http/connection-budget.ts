/**
 * The connections of the admin port: a new one is always taken, and over the maximum the one that
 * has been idle is closed for it, the oldest first. So half requests and silent connections never
 * keep out a probe.
 */
import type { Socket } from 'node:net';

interface Open {
  readonly socket: Socket;
  underWay: number;
}

export class ConnectionBudget {
  readonly #max: number;
  /** By the address at the other end, as TLS puts a second socket on the first; oldest first. */
  readonly #open = new Map<string, Open>();

  constructor(max: number) {
    this.#max = max;
  }

  add(socket: Socket): void {
    if (this.#open.size >= this.#max) this.#closeOne();
    const name = nameOf(socket);
    this.#open.set(name, { socket, underWay: 0 });
    socket.once('close', () => {
      if (this.#open.get(name)?.socket === socket) this.#open.delete(name);
    });
  }

  /** A request has been read whole; returns how to say that it is answered. */
  begins(socket: Socket): () => void {
    const open = this.#open.get(nameOf(socket));
    if (open === undefined) return () => undefined;
    open.underWay += 1;
    return () => {
      open.underWay -= 1;
    };
  }

  /** It is no connection of HTTP any more: who took it over bounds it. */
  release(socket: Socket): void {
    this.#open.delete(nameOf(socket));
  }

  #closeOne(): void {
    let [victim] = this.#open;
    for (const entry of this.#open) {
      if (entry[1].underWay > 0) continue;
      victim = entry;
      break;
    }
    if (victim === undefined) return;
    this.#open.delete(victim[0]);
    victim[1].socket.destroy();
  }
}

function nameOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
