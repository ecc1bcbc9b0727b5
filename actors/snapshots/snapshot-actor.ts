/**
 * The data of groups that change their members: fetches those that this node has joined from nodes
 * that were members before, a chunk at a time, and hands out its own, throttled.
 * A chunk that is lost is asked for again; a donor that is gone is replaced, and all begins anew.
 */
import type { ClusterSettings } from '../../storage/cluster-settings.ts';
import type { GroupSlots } from '../../storage/engine.ts';
import type { ChunkCursor } from '../../storage/snapshots/chunk.ts';
import type { Laggard } from '../accord/local/effects.ts';
import { type GroupId, GroupMap, isMetaGroup, isSameGroup } from '../accord/topology/group-id.ts';
import { type ActorRef, tellOrDrop } from '../runtime/actor-ref.ts';
import type { ActorContext, Behavior } from '../runtime/behavior.ts';
import type {
  ChunkInstalled,
  EndedRead,
  ExecutorMessage,
  ReadEnded,
  ReplicaActorMessage,
} from '../store/messages.ts';
import type { DataReport } from './data-reports.ts';
import type { SnapshotAsk, SnapshotChunk, SnapshotMessage } from './snapshot-message.ts';

export type SnapshotActorMessage =
  /** This node has joined the group. */
  | ({ readonly type: 'Fetch' } & JoinedGroup)
  /** Another group has followed before its data came. */
  | { readonly type: 'Abandon'; readonly group: GroupId }
  /** Too much is kept for these members. */
  | { readonly type: 'Lagging'; readonly members: readonly Laggard[] }
  | GroupEndedHere
  | { readonly type: 'FromPeer'; readonly peer: number; readonly message: SnapshotMessage }
  | EndedRead
  | ChunkInstalled
  | { readonly type: 'Tick' };

/** The group has ended at this node, which was a member. */
export interface GroupEndedHere {
  readonly type: 'EndedHere';
  readonly group: GroupId;
  /** This node is no member of what follows. */
  readonly isLeft: boolean;
}

export interface JoinedGroup {
  readonly group: GroupSlots;
  /** The group that it follows, whose data it begins with. */
  readonly parent: GroupId;
  /** No records are kept for this node: it gets the data of a later group. */
  readonly isAbsent: boolean;
}

export interface SnapshotLimits {
  /** Bytes of one chunk, about. */
  readonly chunkBytes: number;
  /** Bytes that this node sends to others. */
  readonly bytesPerS: number;
  /** The data of a group that was left are kept so long at least. */
  readonly leftRetentionMs: number;
  /** Without any progress for so long, though all donors were asked, nobody has the data. */
  readonly lackingMs: number;
}

export const SNAPSHOT_LIMITS: SnapshotLimits = Object.freeze({
  chunkBytes: 1024 * 1024,
  bytesPerS: 64 * 1024 * 1024,
  leftRetentionMs: 60_000,
  lackingMs: 5_000,
});

interface SnapshotOptions {
  readonly self: number;
  readonly limits: SnapshotLimits;
  /** Groups that this node has joined without data, as this actor begins. */
  readonly begun: () => readonly JoinedGroup[];
  /** Those that have ended at this node, likewise. */
  readonly ended: () => readonly GroupEndedHere[];
  /** Nodes that may have the data of a group, whose members are the last of them. */
  readonly donors: (group: GroupId) => readonly number[];
  /** A new member of the meta group begins with it; undefined: this node does not have it yet. */
  readonly tableOf: (group: GroupId) => ClusterSettings | undefined;
  readonly connected: () => ReadonlySet<number>;
  readonly executorOf: (group: GroupId) => ActorRef<ExecutorMessage> | undefined;
  readonly replicaOf: (group: GroupId) => ActorRef<ReplicaActorMessage> | undefined;
  readonly toPeer: (peer: number, message: SnapshotMessage) => void;
  /** So many bytes of the data of the group have come. */
  readonly progressed: (group: GroupId, bytes: number) => void;
  /** The data of the group are here. */
  readonly fetched: (group: GroupId) => void;
  /** A peer has the data of a group that it has joined. */
  readonly held: (peer: number, group: GroupId) => void;
  /** Groups whose data are here, which the topology does not know, */
  readonly unreported: () => readonly GroupId[];
  /** groups of which this node is a member, and to which no way leads, */
  readonly lost: () => readonly GroupId[];
  /** and the nodes that are told of them. */
  readonly reportTo: () => readonly number[];
  /** The same, told here. */
  readonly reported: (report: DataReport, laggard: Laggard) => void;
  /** All members of what follows the group have its data. */
  readonly isNeedless: (group: GroupId) => boolean;
}

interface Fetching extends JoinedGroup {
  donor: number | undefined;
  /** Donors that were asked in vain since the last round. */
  tried: Set<number>;
  from: ChunkCursor | undefined;
  token: number;
  isFirst: boolean;
  /** The answer that it waits for: of the donor, or of the executor. */
  waitsFor: 'nothing' | 'chunk' | 'engine';
  untilMs: number;
  tries: number;
  /** Of this attempt. */
  bytes: number;
  /** When a chunk came last. */
  movedMs: number;
  /** All donors were asked in vain since then. */
  isVain: boolean;
}

interface Asked {
  readonly peer: number;
  readonly ask: SnapshotAsk;
}

const TICK_MS = 20;
const ANSWER_MS = 1_000;
/** A commit may wait for a slow disk. */
const ENGINE_MS = 10_000;
/** Pause between two reports, which may be lost. */
const REPORT_MS = 500;
const TRIES_MAX = 3;
/** Requests of peers that wait for their turn; more are dropped, and come again. */
const ASKED_MAX = 64;

export function snapshotActor(
  context: ActorContext<SnapshotActorMessage>,
  options: SnapshotOptions,
): Behavior<SnapshotActorMessage> {
  return new Snapshots(context, options);
}

class Snapshots implements Behavior<SnapshotActorMessage> {
  readonly #context: ActorContext<SnapshotActorMessage>;
  readonly #options: SnapshotOptions;
  readonly #fetching = new GroupMap<Fetching>();
  /** Groups whose data may be needed as they were at the end, and are kept till then at least. */
  readonly #ended = new GroupMap<{ readonly group: GroupId; readonly untilMs: number }>();
  #lastToken: number;
  #asked: Asked[] = [];
  /** The one whose chunk the executor reads. */
  #reading: (Asked & { readonly token: number; readonly untilMs: number }) | undefined;
  /** The next report is due then. */
  #reportMs = 0;
  /** From then on more may be sent. */
  #freeMs = 0;

  constructor(context: ActorContext<SnapshotActorMessage>, options: SnapshotOptions) {
    this.#context = context;
    this.#options = options;
    this.#lastToken = Math.floor(context.rng.next() * 2 ** 52);
    for (const joined of options.begun()) this.#fetch(joined);
    for (const end of options.ended()) this.#endedHere(end);
    context.timers.startPeriodic('tick', TICK_MS, { type: 'Tick' });
  }

  receive(message: SnapshotActorMessage): void {
    switch (message.type) {
      case 'Fetch':
        return this.#fetch(message);
      case 'Abandon':
        return this.#fetching.delete(message.group);
      case 'Lagging':
        for (const laggard of message.members) this.#tell('lagging', laggard);
        return;
      case 'EndedHere':
        return this.#endedHere(message);
      case 'FromPeer':
        return this.#receive(message.peer, message.message);
      case 'EndedRead':
        return this.#read(message);
      case 'ChunkInstalled':
        return this.#installed(message);
      case 'Tick':
        this.#answerNext();
        for (const fetching of this.#fetching.values()) this.#advance(fetching);
        this.#report();
        return this.#dropEnded();
    }
  }

  describe(): unknown {
    const fetching = [...this.#fetching.values()].map(({ group, donor, from }) => {
      return { ...group.id, donor, from };
    });
    return { fetching, ended: [...this.#ended.values()].length, asked: this.#asked.length };
  }

  #nowMs(): number {
    return this.#context.clock.monotonicMs();
  }

  // ---- fetching ---------------------------------------------------------------------------

  #fetch({ group, parent, isAbsent }: JoinedGroup): void {
    if (this.#fetching.has(group.id)) return;
    const joined = { group, parent, isAbsent, movedMs: this.#nowMs(), isVain: isAbsent, bytes: 0 };
    const begun = { donor: undefined, tried: new Set<number>(), from: undefined, token: 0 };
    const waits = { isFirst: true, waitsFor: 'engine', untilMs: 0, tries: 0 } as const;
    this.#fetching.set(group.id, { ...joined, ...begun, ...waits });
  }

  /** It may have come in before. */
  #find(fetching: Fetching): void {
    const { id } = fetching.group;
    const replyTo = this.#context.thisIncarnation;
    const executor = this.#options.executorOf(id);
    fetching.waitsFor = 'engine';
    fetching.untilMs = this.#nowMs() + ANSWER_MS;
    // Asked again.
    if (executor !== undefined) tellOrDrop(executor, { type: 'FindGroup', group: id, replyTo });
  }

  #advance(fetching: Fetching): void {
    if (fetching.isAbsent || this.#nowMs() < fetching.untilMs) return;
    // It is not known any more how much the engine has of it.
    if (fetching.waitsFor === 'engine') return this.#find(fetching);
    const { group, parent } = fetching;
    const isNew = !isSameGroup(group.id, parent);
    if (isMetaGroup(group.id) && isNew) return this.#installTable(fetching);
    if (fetching.waitsFor === 'chunk') fetching.tries += 1;
    const { donor } = fetching;
    const isUp = donor !== undefined && this.#options.connected().has(donor);
    if (!isUp || fetching.tries >= TRIES_MAX) this.#nextDonor(fetching);
    this.#ask(fetching);
  }

  /** It came with the news that this node is a member. */
  #installTable(fetching: Fetching): void {
    const { group } = fetching;
    const { tableOf, executorOf } = this.#options;
    const [table, executor] = [tableOf(group.id), executorOf(group.id)];
    fetching.untilMs = this.#nowMs() + ANSWER_MS / 4;
    if (table === undefined || executor === undefined) return;
    fetching.waitsFor = 'engine';
    fetching.untilMs = this.#nowMs() + ENGINE_MS;
    const replyTo = this.#context.thisIncarnation;
    // Without an answer it is looked for, and begun anew.
    tellOrDrop(executor, { type: 'InstallTable', group, table, replyTo });
  }

  #beginAnew(fetching: Fetching): void {
    fetching.isFirst = true;
    fetching.bytes = 0;
    fetching.from = undefined;
    fetching.waitsFor = 'nothing';
    fetching.tries = 0;
  }

  /** Copies of two donors are not mixed: the names of their rows differ. */
  #nextDonor(fetching: Fetching): void {
    const { donors, connected } = this.#options;
    if (fetching.donor !== undefined) fetching.tried.add(fetching.donor);
    const all = donors(fetching.group.id).filter((node) => connected().has(node));
    const fresh = all.find((node) => !fetching.tried.has(node));
    if (fresh === undefined) {
      fetching.tried.clear();
      fetching.isVain = true;
    }
    fetching.donor = fresh ?? all[0];
    this.#beginAnew(fetching);
  }

  #ask(fetching: Fetching): void {
    const { parent: group, donor, from = null } = fetching;
    fetching.waitsFor = 'chunk';
    fetching.untilMs = this.#nowMs() + ANSWER_MS;
    if (donor === undefined) return;
    this.#lastToken += 1;
    fetching.token = this.#lastToken;
    this.#options.toPeer(donor, { type: 'SnapshotAsk', group, token: fetching.token, from });
  }

  #receive(peer: number, message: SnapshotMessage): void {
    if (message.type === 'SnapshotAsk') return this.#asks(peer, message);
    if (message.type === 'SnapshotHeld') return this.#options.held(peer, message.group);
    const { reported } = this.#options;
    const { group } = message;
    if (message.type === 'SnapshotLacking') return reported('lacking', { group, node: peer });
    if (message.type === 'MemberLagging') return reported('lagging', { group, node: message.node });
    const fetching = [...this.#fetching.values()].find(({ token, waitsFor, donor }) => {
      return waitsFor === 'chunk' && token === message.token && donor === peer;
    });
    if (fetching === undefined) return;
    if (message.type === 'SnapshotChunk') return this.#install(fetching, message);
    this.#nextDonor(fetching);
    // Not as fast as it is refused.
    fetching.waitsFor = 'chunk';
    fetching.untilMs = this.#nowMs() + ANSWER_MS / 4;
  }

  #install(fetching: Fetching, { body: bytes, next, description }: SnapshotChunk): void {
    const { group, isFirst } = fetching;
    fetching.tries = 0;
    fetching.movedMs = this.#nowMs();
    fetching.isVain = false;
    fetching.bytes += bytes.length;
    this.#options.progressed(group.id, fetching.bytes);
    fetching.from = next ?? undefined;
    fetching.waitsFor = 'engine';
    fetching.untilMs = this.#nowMs() + ENGINE_MS;
    const chunk = { isFirst, bytes, description: description ?? undefined };
    const replyTo = this.#context.thisIncarnation;
    const executor = this.#options.executorOf(group.id);
    // Without an answer all begins anew.
    if (executor !== undefined) tellOrDrop(executor, { type: 'Install', group, replyTo, ...chunk });
  }

  #installed({ group, outcome }: ChunkInstalled): void {
    const fetching = this.#fetching.get(group);
    if (fetching === undefined || fetching.waitsFor !== 'engine') return;
    if (outcome === 'open') {
      this.#fetching.delete(group);
      return this.#options.fetched(group);
    }
    if (outcome === 'failed') {
      // Of a donor that is there it is fetched anew, a little later; else of another one.
      this.#beginAnew(fetching);
      fetching.untilMs = this.#nowMs() + ANSWER_MS / 4;
      return;
    }
    fetching.isFirst = false;
    this.#ask(fetching);
  }

  #report(): void {
    const { unreported, lost, reportTo, toPeer } = this.#options;
    if (this.#nowMs() < this.#reportMs) return;
    this.#reportMs = this.#nowMs() + REPORT_MS;
    for (const group of unreported()) {
      for (const peer of reportTo()) toPeer(peer, { type: 'SnapshotHeld', group, token: 0 });
    }
    const { self, limits } = this.#options;
    const isLacking = ({ isAbsent, isVain, movedMs }: Fetching): boolean =>
      isAbsent || (isVain && this.#nowMs() >= movedMs + limits.lackingMs);
    const lacking = [...this.#fetching.values()].filter(isLacking).map(({ group }) => group.id);
    for (const group of [...lacking, ...lost()]) this.#tell('lacking', { group, node: self });
  }

  /** It is told again while it lasts. */
  #tell(report: DataReport, laggard: Laggard): void {
    const { reported, reportTo, toPeer } = this.#options;
    const { group, node } = laggard;
    reported(report, laggard);
    for (const peer of reportTo()) {
      if (report === 'lacking') toPeer(peer, { type: 'SnapshotLacking', group, token: 0 });
      else toPeer(peer, { type: 'MemberLagging', group, token: 0, node });
    }
  }

  // ---- handing out ------------------------------------------------------------------------

  #asks(peer: number, ask: SnapshotAsk): void {
    // A request that is repeated replaces the one before.
    this.#asked = this.#asked.filter(
      (other) => other.peer !== peer || !isSameGroup(other.ask.group, ask.group),
    );
    if (this.#asked.length < ASKED_MAX) this.#asked.push({ peer, ask });
    this.#answerNext();
  }

  #answerNext(): void {
    const nowMs = this.#nowMs();
    if (nowMs < this.#freeMs || nowMs < (this.#reading?.untilMs ?? 0)) return;
    const next = this.#asked.shift();
    if (next === undefined) return;
    const { group, from } = next.ask;
    const executor = this.#options.executorOf(group);
    const { chunkBytes: bytesMax } = this.#options.limits;
    const replyTo = this.#context.thisIncarnation;
    this.#lastToken += 1;
    const token = this.#lastToken;
    this.#reading = { ...next, token, untilMs: nowMs + ANSWER_MS };
    if (executor === undefined) return this.#read({ type: 'EndedRead', token, chunk: undefined });
    const read = { group, token, from: from ?? undefined, bytesMax, replyTo };
    // The table is read while its group goes on: the replica knows whether the engine has all.
    const replica =
      isMetaGroup(group) && from === null ? this.#options.replicaOf(group) : undefined;
    // It is asked for again.
    tellOrDrop<ReadEnded>(replica ?? executor, { type: 'ReadEnded', ...read });
  }

  #read({ token: read, chunk }: EndedRead): void {
    const asked = this.#reading;
    if (asked?.token !== read) return;
    this.#reading = undefined;
    const { peer, ask } = asked;
    const { group, token } = ask;
    const { toPeer, limits } = this.#options;
    if (chunk === undefined) return toPeer(peer, { type: 'SnapshotMissing', group, token });
    const { bytes: body } = chunk;
    const nowMs = this.#nowMs();
    this.#freeMs = Math.max(nowMs, this.#freeMs) + (1_000 * body.length) / limits.bytesPerS;
    const next = 'next' in chunk ? chunk.next : null;
    const description = 'description' in chunk ? chunk.description : null;
    toPeer(peer, { type: 'SnapshotChunk', group, token, body, next, description });
    this.#answerNext();
  }

  /** A view that is kept costs more than data that were left. */
  #endedHere({ group, isLeft }: GroupEndedHere): void {
    if (this.#ended.has(group)) return;
    const keptMs = isLeft ? this.#options.limits.leftRetentionMs : 0;
    this.#ended.set(group, { group, untilMs: this.#nowMs() + keptMs });
  }

  #dropEnded(): void {
    const { isNeedless, executorOf } = this.#options;
    const nowMs = this.#nowMs();
    for (const { group, untilMs } of [...this.#ended.values()]) {
      if (nowMs < untilMs || !isNeedless(group)) continue;
      this.#ended.delete(group);
      const executor = executorOf(group);
      // Data that stay go at the next start, or when the slots come back.
      if (executor !== undefined) tellOrDrop(executor, { type: 'DropEnded', group });
    }
  }
}
