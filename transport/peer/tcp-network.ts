/**
 * `PeerNetwork` over TCP. Every node dials every peer, sends on the connection that it dialled and
 * receives on those that it accepted. With two connections per pair, one per direction, two
 * simultaneous dials need no agreement on which of them survives.
 *
 * Production adapter: it owns sockets, a timer and the monotonic clock. It never looks into frames.
 * It checks names; `verifyPeer` decides whether a peer belongs to the cluster.
 */
import type { AddressInfo, Server, Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { type ListenError, listenError } from '../listen-error.ts';
import { AcceptedLink, type AcceptedLinkOptions } from './accepted-link.ts';
import { DialledLink } from './dialled-link.ts';
import {
  INCARNATION_STEP_MAX,
  type JoinAnswer,
  type JoinRequest,
  type MemberEndpoint,
  NOT_FORMED,
  type PeerHello,
} from './handshake.ts';
import type { PeerHandler, PeerNetwork } from './network.ts';
import {
  NO_NODE,
  OPEN,
  type PeerSecurity,
  REFUSALS,
  type Refusal,
  type RefusalKind,
} from './security/peer-security.ts';
import { StrangerBudget } from './stranger-budget.ts';

/** Receives events that concern no peer's actor: callers that are not members. Fits pino. */
interface NetworkLog {
  warn(fields: object, message: string): void;
}

export interface TcpNetworkOptions {
  readonly self: PeerHello;
  readonly listen: { readonly host: string; readonly port: number };
  /** All members at the addresses where others reach them; may include this node. */
  readonly members: readonly MemberEndpoint[];
  /**
   * Called once cluster, node id and incarnation are valid: is this the known disk of the node?
   * Returns the reason for a refusal. The peer is told the reason, so it must not contain anything
   * that a greeting needs.
   */
  readonly verifyPeer: (hello: PeerHello) => string | undefined;
  /** The same of a disk that is known to be another one, before anything else is looked at. */
  readonly otherDisk?: (hello: PeerHello) => string | undefined;
  /** Has the cluster decide on a node that wants to join; absent where none can. */
  readonly join?: (request: JoinRequest, done: (answer: JoinAnswer | string) => void) => void;
  /** Highest incarnations known from earlier runs, by node id. Default: none is known. */
  readonly incarnations?: ReadonlyMap<number, number>;
  readonly log: NetworkLog;
  /** Uniform in [0, 1); seeded, so that a run can be repeated. */
  readonly jitter: () => number;
  /** Default 64 MiB. A longer frame is not sent, and ends the connection it comes in on. */
  readonly frameBytesMax?: number;
  /** Default 64 MiB; an empty queue takes any frame. */
  readonly queueBytesMax?: number;
  /** Default 2000: a silent link is closed. */
  readonly linkTimeoutMs?: number;
  /** Default 2000: from dialling, or accepting, to the end of the greeting. */
  readonly handshakeTimeoutMs?: number;
  /** Default 1000: how long after `disconnect` greetings of the peer are refused. */
  readonly mutedMs?: number;
  /** Default 64: connections that are not a member's link yet. */
  readonly strangersMax?: number;
  /** Default 50; doubled per failed try. */
  readonly redialDelayMsMin?: number;
  /** Default 2000. */
  readonly redialDelayMsMax?: number;
  /** Plain TCP by default, which proves nothing. */
  readonly security?: PeerSecurity;
}

interface LinkCounters {
  readonly peer: number;
  /** The dialled connection is established. */
  readonly up: boolean;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly framesIn: number;
  readonly framesOut: number;
  /** Frames that `send` did not take while the link was up: queue full or frame too long. */
  readonly sendsRefused: number;
  readonly reconnects: number;
  readonly queuedBytes: number;
}

const MIB = 1024 * 1024;
const STRANGERS_MAX = 64;
const TICKS_PER_TIMEOUT = 8;
const REFUSAL_REPEAT_MS = 10_000;
const STRANGER = -1;

export class TcpNetwork implements PeerNetwork {
  readonly #options: TcpNetworkOptions;
  readonly #links = new Map<number, DialledLink>();
  readonly #accepted = new Map<number, AcceptedLink>();
  readonly #open = new Set<AcceptedLink>();
  readonly #endpoints = new Map<number, MemberEndpoint>();
  /** Highest incarnation known per node. */
  readonly #incarnations: Map<number, number>;
  readonly #closedIn = new Map<number, { bytes: number; frames: number }>();
  /** The last report by side and node; nodes that are not members share one entry. */
  readonly #refusals = new Map<string, { reason: string; atMs: number; suppressed: number }>();
  readonly #linkTimeoutMs: number;
  readonly #mutedMs: number;
  readonly #mutedUntilMs = new Map<number, number>();
  readonly #acceptedOptions: AcceptedLinkOptions;
  readonly #security: PeerSecurity;
  readonly #strangers: StrangerBudget;
  readonly #refusedCallers = new Map<RefusalKind, number>();
  readonly #server: Server;
  readonly #listening: Promise<AddressInfo>;
  #handler: PeerHandler | undefined;
  #settleListening: ((outcome: AddressInfo | ListenError) => void) | undefined;
  #ticker: NodeJS.Timeout | undefined;
  #tickedAtMs = 0;
  #closed = false;

  constructor(options: TcpNetworkOptions) {
    this.#options = options;
    this.#linkTimeoutMs = options.linkTimeoutMs ?? 2000;
    this.#mutedMs = options.mutedMs ?? 1000;
    this.#incarnations = new Map(options.incarnations);
    for (const member of options.members) {
      this.#endpoints.set(member.id, member);
    }
    this.#acceptedOptions = {
      self: options.self,
      frameBytesMax: options.frameBytesMax ?? 64 * MIB,
      linkTimeoutMs: this.#linkTimeoutMs,
      handshakeTimeoutMs: options.handshakeTimeoutMs ?? 2000,
      now: () => performance.now(),
      members: () => ({
        clusterId: options.self.clusterId,
        members: [...this.#endpoints.values()],
      }),
      join: (request, done, socket) => this.#join(request, done, socket),
      examine: (hello, target, socket) =>
        this.#security.objection(socket, hello.nodeId) ?? this.#examineCaller(hello, target),
      onAccepted: (link) => this.#onAccepted(link),
      onFrame: (link, frame) => {
        if (link.hello !== undefined) {
          this.#handler?.onFrame(link.hello.nodeId, frame);
        }
      },
      onRefused: (link, nodeId, refusal) => this.#refuseCaller(link.socket, refusal, nodeId),
      onClosed: (link) => this.#onAcceptedClosed(link),
    };
    this.#strangers = new StrangerBudget(options.strangersMax ?? STRANGERS_MAX);
    this.#security = options.security ?? OPEN;
    this.#server = this.#security.server(
      (socket) => this.#onConnection(socket),
      (socket, refusal) => this.#refuseCaller(socket, refusal),
    );
    this.#server.on('connection', (socket) => this.#onStranger(socket));
    this.#listening = new Promise((resolve, reject) => {
      this.#settleListening = (outcome) => {
        if (outcome instanceof Error) {
          reject(outcome);
        } else {
          resolve(outcome);
        }
      };
    });
    // A caller of `listening` sees the error; without one it must not end the process.
    this.#listening.catch(() => undefined);
  }

  /** Opens the port and dials all peers. Called once. */
  start(handler: PeerHandler): void {
    this.#handler = handler;
    const { host, port } = this.#options.listen;
    this.#server.on('error', (error) => {
      this.#settleListening?.(listenError(error, 'peers', { host, port }, '--listen-peer'));
    });
    this.#server.listen({ host, port }, () => {
      this.#settleListening?.(this.#server.address() as AddressInfo);
    });
    this.#tickedAtMs = performance.now();
    this.#ticker = setInterval(() => this.#tick(), this.#linkTimeoutMs / TICKS_PER_TIMEOUT);
    for (const member of this.#endpoints.values()) {
      this.#dial(member);
    }
  }

  /**
   * The address of the opened peer port.
   *
   * @throws ListenError if it cannot be opened; then close the network.
   */
  listening(): Promise<AddressInfo> {
    return this.#listening;
  }

  setPeer(member: MemberEndpoint): void {
    const { id, host, port } = member;
    const known = this.#endpoints.get(id);
    if (known?.host === host && known.port === port) return;
    this.#endpoints.set(id, member);
    const link = this.#links.get(id);
    if (link !== undefined) {
      link.moveTo(host, port);
      link.retryNow();
    } else if (this.#handler !== undefined) {
      this.#dial(member);
    }
  }

  removePeer(peer: number): void {
    this.#endpoints.delete(peer);
    this.#links.get(peer)?.close();
    this.#links.delete(peer);
    this.#accepted.get(peer)?.close();
  }

  send(peer: number, parts: readonly Uint8Array[]): boolean {
    return this.#links.get(peer)?.send(parts) ?? false;
  }

  queuedBytes(peer: number): number {
    return this.#links.get(peer)?.queuedBytes ?? 0;
  }

  counters(): LinkCounters[] {
    const all: LinkCounters[] = [];
    for (const [peer, link] of this.#links) {
      const accepted = this.#accepted.get(peer);
      const before = this.#closedIn.get(peer);
      all.push({
        peer,
        up: link.up,
        ...link.counters(),
        bytesIn: (before?.bytes ?? 0) + (accepted?.bytesIn ?? 0),
        framesIn: (before?.frames ?? 0) + (accepted?.framesIn ?? 0),
        queuedBytes: link.queuedBytes,
      });
    }
    return all;
  }

  disconnect(peer: number, reason: string): void {
    this.#mutedUntilMs.set(peer, performance.now() + this.#mutedMs);
    this.#accepted.get(peer)?.close();
    this.#links.get(peer)?.drop(reason);
  }

  /** Ends every connection at once; `onDown` is called for links that were up. */
  close(): void {
    if (this.#closed) {
      return;
    }
    this.#closed = true;
    clearInterval(this.#ticker);
    this.#server.close();
    for (const link of this.#links.values()) {
      link.close();
    }
    for (const link of this.#open) {
      link.close();
    }
    this.#strangers.closeAll();
  }

  #dial(member: MemberEndpoint): void {
    const { self } = this.#options;
    if (member.id === self.nodeId || this.#closed) {
      return;
    }
    const peer = member.id;
    const link = new DialledLink(peer, member.host, member.port, {
      self,
      security: this.#security,
      frameBytesMax: this.#acceptedOptions.frameBytesMax,
      queueBytesMax: this.#options.queueBytesMax ?? 64 * MIB,
      linkTimeoutMs: this.#linkTimeoutMs,
      handshakeTimeoutMs: this.#acceptedOptions.handshakeTimeoutMs,
      redialDelayMsMin: this.#options.redialDelayMsMin ?? 50,
      redialDelayMsMax: this.#options.redialDelayMsMax ?? 2000,
      jitter: this.#options.jitter,
      now: () => performance.now(),
      examine: (hello, expected) => this.#examine(hello, expected),
      onUp: () => this.#handler?.onUp(peer),
      onDown: (reason) => this.#handler?.onDown(peer, reason),
      onRefused: (reason) => this.#reportRefusal('dialled', peer, reason),
    });
    this.#links.set(peer, link);
    link.dial();
  }

  #onConnection(socket: Socket): void {
    if (this.#closed) {
      socket.destroy();
      return;
    }
    this.#open.add(new AcceptedLink(socket, this.#acceptedOptions));
  }

  /** Any connection, as it is taken. */
  #onStranger(socket: Socket): void {
    const closed = this.#strangers.add(socket);
    if (closed === undefined) return;
    const reason = `more than ${this.#options.strangersMax ?? STRANGERS_MAX} callers did not greet`;
    this.#countRefused('crowd');
    this.#reportRefusal('caller', undefined, reason, closed);
  }

  #refuseCaller(socket: Socket, { kind, reason }: Refusal, nodeId?: number): void {
    const source = `${socket.remoteAddress ?? '?'}:${socket.remotePort ?? 0}`;
    this.#countRefused(kind);
    this.#reportRefusal('caller', nodeId, `a caller was refused: ${reason}`, source);
  }

  #countRefused(kind: RefusalKind): void {
    this.#refusedCallers.set(kind, (this.#refusedCallers.get(kind) ?? 0) + 1);
  }

  /** Callers of the peer port that were refused, by class. */
  *refusedCallers(): Generator<readonly [kind: RefusalKind, count: number]> {
    for (const kind of REFUSALS) yield [kind, this.#refusedCallers.get(kind) ?? 0];
  }

  /** Ends the links whose proof is not valid any more; they are dialled anew. */
  checkProofs(): void {
    for (const link of this.#links.values()) link.checkProof();
    for (const link of this.#open) {
      if (!this.#security.isCurrent(link.socket)) link.close();
    }
  }

  #onAccepted(link: AcceptedLink): void {
    const peer = link.hello?.nodeId ?? STRANGER;
    this.#strangers.admit(link.socket);
    // The peer uses its newest connection.
    this.#accepted.get(peer)?.close();
    this.#keepCounters(peer);
    this.#accepted.set(peer, link);
    this.#links.get(peer)?.retryNow();
  }

  #onAcceptedClosed(link: AcceptedLink): void {
    this.#open.delete(link);
    const peer = link.hello?.nodeId ?? STRANGER;
    if (this.#accepted.get(peer) === link) {
      this.#keepCounters(peer);
      this.#accepted.delete(peer);
    }
  }

  #keepCounters(peer: number): void {
    const link = this.#accepted.get(peer);
    if (link !== undefined) {
      const before = this.#closedIn.get(peer) ?? { bytes: 0, frames: 0 };
      this.#closedIn.set(peer, {
        bytes: before.bytes + link.bytesIn,
        frames: before.frames + link.framesIn,
      });
    }
  }

  #join(request: JoinRequest, done: (answer: JoinAnswer | string) => void, socket: Socket): void {
    const { join } = this.#options;
    if (join === undefined) return done('no node can join here');
    if (this.#security.kind !== 'certificates') return join(request, done);
    const objection =
      request.nodeId === NO_NODE
        ? 'its certificate names a node: give its number with --node-id'
        : this.#security.objection(socket, request.nodeId);
    return objection === undefined ? join(request, done) : done(objection);
  }

  #examineCaller(hello: PeerHello, target: number): string | undefined {
    const { self } = this.#options;
    if (hello.clusterId === self.clusterId && target !== self.nodeId) {
      return `node ${target} was dialled, but this is node ${self.nodeId}`;
    }
    const reason = this.#examine(hello, hello.nodeId);
    const muted = performance.now() < (this.#mutedUntilMs.get(hello.nodeId) ?? 0);
    return (
      reason ??
      (muted ? 'it sent too many invalid messages; it may connect again later' : undefined)
    );
  }

  #examine(hello: PeerHello, expected: number): string | undefined {
    const { self } = this.#options;
    if (hello.clusterId !== self.clusterId) {
      return `it belongs to cluster ${hello.clusterId}, not to the one of this node`;
    }
    if (hello.nodeId === self.nodeId) {
      return `it claims to be node ${self.nodeId}, which is this node`;
    }
    if (hello.nodeId !== expected) {
      return `it claims to be node ${hello.nodeId}, but node ${expected} was expected`;
    }
    if (!this.#endpoints.has(hello.nodeId)) {
      return `node ${hello.nodeId} is not a member of this cluster`;
    }
    if (hello.unitWriteBytesMax !== self.unitWriteBytesMax) {
      return (
        `one unit may write ${hello.unitWriteBytesMax} bytes there and ${self.unitWriteBytesMax} ` +
        'bytes here: run the same release on all members'
      );
    }
    if (hello.scriptMachine !== self.scriptMachine) {
      return 'it runs scripts by another machine: run the same release on all members';
    }
    const isKnown = hello.formedId !== NOT_FORMED && self.formedId !== NOT_FORMED;
    if (isKnown && hello.formedId !== self.formedId) {
      return (
        `its members have formed cluster ${hello.formedId}, those of this node ${self.formedId}: ` +
        'one of them has lost its data directory, or has that of another cluster'
      );
    }
    // An emptied directory counts its starts anew.
    const reasonAgainst = this.#options.otherDisk?.(hello) ?? this.#examineIncarnation(hello);
    if (reasonAgainst !== undefined) return reasonAgainst;
    const reason = this.#options.verifyPeer(hello);
    if (reason === undefined) {
      this.#incarnations.set(hello.nodeId, hello.incarnation);
    }
    return reason;
  }

  #examineIncarnation({ nodeId, incarnation }: PeerHello): string | undefined {
    const known = this.#incarnations.get(nodeId) ?? 0;
    if (incarnation < known) {
      return (
        `incarnation ${incarnation} of node ${nodeId} is older than the one that was here ` +
        'already: a copy of its disk, or an older process that still runs'
      );
    }
    if (incarnation > known + INCARNATION_STEP_MAX) {
      return (
        `incarnation ${incarnation} of node ${nodeId} is more than ${INCARNATION_STEP_MAX} starts ` +
        'ahead of the last one that was here: its identity.json is damaged'
      );
    }
    return undefined;
  }

  /** The same refusal is reported once per ten seconds, with the number of suppressed ones. */
  #reportRefusal(
    side: 'caller' | 'dialled',
    nodeId: number | undefined,
    reason: string,
    source?: string,
  ): void {
    const known = nodeId !== undefined && this.#endpoints.has(nodeId);
    const key = `${side} ${known ? nodeId : STRANGER}`;
    const nowMs = performance.now();
    const last = this.#refusals.get(key);
    const repeated = last?.reason === reason || (!known && last !== undefined);
    if (last !== undefined && repeated && nowMs - last.atMs < REFUSAL_REPEAT_MS) {
      last.suppressed += 1;
      return;
    }
    this.#refusals.set(key, { reason, atMs: nowMs, suppressed: 0 });
    const suppressed = last?.suppressed ?? 0;
    const line = source === undefined ? reason : `${reason} (from ${source})`;
    if (!known) {
      this.#options.log.warn({ node: nodeId, source, suppressed }, `peer port: ${line}`);
    }
    if (nodeId !== undefined) {
      this.#handler?.onRefused(nodeId, line);
    }
  }

  #tick(): void {
    const nowMs = performance.now();
    const awake = nowMs - this.#tickedAtMs < this.#linkTimeoutMs / 2;
    this.#tickedAtMs = nowMs;
    for (const link of this.#links.values()) {
      link.tick(nowMs, awake);
    }
    for (const link of this.#open) {
      link.tick(nowMs, awake);
    }
  }
}
