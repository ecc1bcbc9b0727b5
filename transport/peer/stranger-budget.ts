/**
 * Connections to the peer port that have not become a member's link yet, whatever they do: shake
 * hands, greet, or keep silent. Beyond the maximum the oldest one of the address that has most is
 * closed, so that members, who are through within some round trips, always find room. Links of
 * members have no place here.
 */
import type { Socket } from 'node:net';

interface Stranger {
  readonly socket: Socket;
  readonly address: string | undefined;
}

export class StrangerBudget {
  readonly #max: number;
  /** By the far end, as TLS puts a second socket on the first; oldest first. */
  readonly #strangers = new Map<string, Stranger>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Returns the address of the one that was closed to make room. */
  add(socket: Socket): string | undefined {
    const name = nameOf(socket);
    const { remoteAddress: address } = socket;
    this.#strangers.set(name, { socket, address });
    socket.once('close', () => {
      if (this.#strangers.get(name)?.socket === socket) this.#strangers.delete(name);
    });
    return this.#strangers.size > this.#max ? this.#closeOne() : undefined;
  }

  /** It is a member's link. */
  admit(socket: Socket): void {
    this.#strangers.delete(nameOf(socket));
  }

  closeAll(): void {
    for (const { socket } of this.#strangers.values()) socket.destroy();
  }

  #closeOne(): string {
    const counts = new Map<string | undefined, number>();
    let most = 0;
    for (const { address } of this.#strangers.values()) {
      const count = (counts.get(address) ?? 0) + 1;
      counts.set(address, count);
      most = Math.max(most, count);
    }
    for (const [name, { socket, address }] of this.#strangers) {
      if (counts.get(address) !== most) continue;
      this.#strangers.delete(name);
      socket.destroy();
      return address ?? '?';
    }
    return '?';
  }
}

function nameOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
