/**
 * The byte stream under a connection. `server.ts` implements it over a TCP socket, the simulator
 * and tests over a queue. The implementation calls the connection's `onData`, `onDrain`, `onEnd`
 * and `onClose`.
 */
export interface ClientSocket {
  /** `host:port`. */
  readonly remoteAddress: string;
  readonly localAddress: string;
  /** The name in the verified certificate of the client, if it has presented one. */
  readonly certifiedName?: string | undefined;
  /** Bytes accepted by `write` that have not left the process. */
  readonly bufferedBytes: number;
  /** The socket owns the bytes. `false`: its buffer is full; `onDrain` follows. */
  write(bytes: Uint8Array): boolean;
  /** No `onData` until `resume`. */
  pause(): void;
  resume(): void;
  /** Closes when everything written has left. */
  end(): void;
  /** Closes at once. */
  destroy(): void;
}
