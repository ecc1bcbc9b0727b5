/**
 * The stream of bytes under a connection. `server.ts` makes one of a TCP socket, the simulator and
 * tests of a queue. Whoever implements it calls the connection's `onData`, `onDrain`, `onEnd` and
 * `onClose`.
 */
export interface ClientSocket {
  /** `host:port`. */
  readonly remoteAddress: string;
  readonly localAddress: string;
  /** Bytes taken by `write` that have not left the process. */
  readonly bufferedBytes: number;
  /** The bytes belong to the socket. `false`: it has enough; `onDrain` says when to go on. */
  write(bytes: Uint8Array): boolean;
  /** No `onData` until `resume`. */
  pause(): void;
  resume(): void;
  /** Closes when everything written has left. */
  end(): void;
  /** Closes at once. */
  destroy(): void;
}
