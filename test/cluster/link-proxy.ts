/**
 * The network between the nodes of a test cluster, so that it can be cut: every node is found by
 * its peers at a proxy in front of it, which reads the caller's id in the greeting. A cut holds
 * bytes back in one direction of one pair and delivers them when it heals, late and in order, as
 * TCP does after a partition. Datagrams come from the proxy of their sender, so that the receiver
 * knows them; in a cut they are lost. Works without root.
 */
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { decodeGreeting } from '../../transport/peer/handshake.ts';

const HOST = '127.0.0.1';
/** Callers that are no members (a node that asks who is there). */
const OUTSIDER = 0;

interface Place {
  readonly peerPort: number;
  readonly datagrams: DatagramSocket;
}

export class LinkProxies {
  readonly #servers: Server[] = [];
  readonly #places = new Map<number, Place>();
  readonly #pipes = new Set<Pipe>();
  readonly #cuts = new Set<string>();
  /** Bytes that were held back by cuts so far. */
  heldBytes = 0;

  /** Returns the port at which node `id` is found by its peers. */
  async inFrontOf(id: number, peerPort: number): Promise<number> {
    const server = createServer({ noDelay: true }, (socket) => this.#accept(socket, id, peerPort));
    this.#servers.push(server);
    await new Promise<void>((settle, reject) => {
      server.once('error', reject);
      server.listen(0, HOST, settle);
    });
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const datagrams = createSocket('udp4');
    datagrams.on('error', () => undefined);
    datagrams.on('message', (bytes, { port }) => this.#datagram(bytes, port, id));
    await new Promise<void>((settle) => datagrams.bind(address.port, HOST, settle));
    this.#places.set(id, { peerPort, datagrams });
    return address.port;
  }

  /** Nothing that `from` sends reaches `to` any more. */
  cut(from: number, to: number): void {
    this.#cuts.add(`${from}>${to}`);
  }

  heal(): void {
    this.#cuts.clear();
    for (const pipe of this.#pipes) pipe.release();
  }

  close(): void {
    for (const server of this.#servers) server.close();
    for (const { datagrams } of this.#places.values()) datagrams.close();
    for (const pipe of this.#pipes) pipe.destroy();
  }

  #datagram(bytes: Buffer, fromPort: number, to: number): void {
    for (const [from, { peerPort, datagrams }] of this.#places) {
      if (peerPort !== fromPort) continue;
      if (this.#cuts.has(`${from}>${to}`)) this.heldBytes += bytes.length;
      else datagrams.send(bytes, this.#places.get(to)?.peerPort ?? 0, HOST);
    }
  }

  #accept(caller: Socket, to: number, peerPort: number): void {
    let greeting = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      greeting = Buffer.concat([greeting, chunk]);
      const result = decodeGreeting(greeting);
      if (result.status === 'incomplete') return;
      caller.pause();
      caller.off('data', onData);
      const isHello = result.status === 'complete' && result.greeting.kind === 'hello';
      const from = isHello ? result.greeting.hello.nodeId : OUTSIDER;
      this.#join(caller, from, to, peerPort, greeting);
    };
    caller.on('error', () => undefined);
    caller.on('data', onData);
  }

  #join(caller: Socket, from: number, to: number, peerPort: number, greeting: Buffer): void {
    const callee = connect({ host: HOST, port: peerPort, noDelay: true });
    callee.on('error', () => caller.destroy());
    const there = this.#pipe(caller, callee, from, to);
    this.#pipe(callee, caller, to, from);
    there.pass(greeting);
    caller.resume();
  }

  #pipe(source: Socket, target: Socket, from: number, to: number): Pipe {
    const pipe = new Pipe(
      source,
      target,
      () => this.#cuts.has(`${from}>${to}`),
      (bytes) => {
        this.heldBytes += bytes;
      },
    );
    this.#pipes.add(pipe);
    source.on('close', () => {
      if (pipe.isDone) this.#pipes.delete(pipe);
    });
    target.on('close', () => this.#pipes.delete(pipe));
    return pipe;
  }
}

/** One direction of one connection. */
class Pipe {
  readonly #source: Socket;
  readonly #target: Socket;
  readonly #isCut: () => boolean;
  readonly #onHeld: (bytes: number) => void;
  #held: Buffer[] = [];
  #sourceEnded = false;
  isDone = false;

  constructor(
    source: Socket,
    target: Socket,
    isCut: () => boolean,
    onHeld: (bytes: number) => void,
  ) {
    this.#source = source;
    this.#target = target;
    this.#isCut = isCut;
    this.#onHeld = onHeld;
    source.on('data', (chunk: Buffer) => this.pass(chunk));
    source.on('close', () => this.#onSourceEnd());
    target.on('drain', () => {
      if (this.#held.length === 0) source.resume();
    });
  }

  pass(chunk: Buffer): void {
    if (this.#isCut() || this.#held.length > 0) {
      this.#held.push(chunk);
      this.#onHeld(chunk.length);
      this.#source.pause();
    } else if (!this.#target.write(chunk)) {
      this.#source.pause();
    }
  }

  /** Hands over what was held, when there is no cut any more. */
  release(): void {
    if (this.#isCut()) return;
    for (const chunk of this.#held) this.#target.write(chunk);
    this.#held = [];
    if (this.#sourceEnded) this.#finish();
    else this.#source.resume();
  }

  destroy(): void {
    this.#source.destroy();
    this.#target.destroy();
  }

  /** The end of a connection does not pass a cut either. */
  #onSourceEnd(): void {
    this.#sourceEnded = true;
    if (!this.#isCut() && this.#held.length === 0) this.#finish();
  }

  #finish(): void {
    this.isDone = true;
    this.#target.end();
  }
}
