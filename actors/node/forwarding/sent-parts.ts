/**
 * Parts of this node's clients in whose groups it is no member: each is at one member at a time.
 * A read whose member is lost, and all that a member has not begun, is handed to another one; a
 * write is handed over once, since the member that is lost may have done it. Follows, for each
 * group, one member, whose news about keys it takes. Pure; `forwarding-actor.ts` performs.
 */
import type {
  Part,
  PartReplies,
  ReplyFlow,
  StoreNews,
} from '../../../transport/resp/connection/part.ts';
import { type GroupId, GroupMap } from '../../accord/topology/group-id.ts';
import { INDETERMINATE, mayRunElsewhere, REFUSED } from '../../store/client-errors.ts';
import type { ForwardingCounts } from './forwarding-counts.ts';
import type {
  Forward,
  ForwardingMessage,
  ForwardReplies,
  ToEntry,
  ToMember,
} from './forwarding-message.ts';
import { Notings, without } from './noting.ts';

interface SentPartsOptions {
  /** To a store of this node; `false`: no group of the part is here, or too much waits. */
  readonly submitHere: (part: Part) => boolean;
  readonly isElsewhere: (group: GroupId) => boolean;
  /** Groups of which this node is no member, and all members of one. */
  readonly elsewhere: () => readonly GroupId[];
  readonly membersOf: (group: GroupId) => readonly number[];
  /** Of the last seconds; infinite where it is not known. */
  readonly roundTripMs: (peer: number) => number;
  readonly nowMs: () => number;
  readonly timeoutMs: number;
  /** Parts that wait for an answer, and their bytes; more are refused. */
  readonly partsMax: number;
  readonly bytesMax: number;
  /** The id of the first part is behind it: none has one of an earlier process. */
  readonly lastId: number;
  /** `false`: it has not left, and will not. */
  readonly send: (peer: number, message: ToMember) => boolean;
  readonly toClients: (news: StoreNews) => void;
  readonly counts: ForwardingCounts;
}

interface Sent {
  /** Of the present attempt: a member takes none twice. */
  id: number;
  readonly part: Part;
  readonly deadlineMs: number;
  /** Undefined: no member is connected. */
  peer: number | undefined;
  /** Members that have not begun it, or are lost. */
  readonly tried: Set<number>;
  /** Why the last of them has not. */
  refusal: string | undefined;
  /** Some of its replies are at the client, */
  isTold: boolean;
  /** up to this byte. */
  toldTo: number;
}

/** A client whose command waits for keys. */
interface Wait {
  readonly peer: number;
  readonly id: number;
  /** The only one whose keys were noted, where it spans several. */
  readonly group?: GroupId | undefined;
}

/** Behind a part's deadline its member may still answer. */
const GRACE_MS = 500;
/** Members closer than this to each other are equally near. */
const NEAR_MS = 2;

export class SentParts {
  readonly #options: SentPartsOptions;
  /** By attempt. */
  readonly #sent = new Map<number, Sent>();
  readonly #idOf = new Map<string, number>();
  readonly #waits = new Map<number, Wait[]>();
  readonly #notings = new Notings();
  readonly #up = new Set<number>();
  readonly #followed = new GroupMap<number>();
  /** Messages that found no room and matter: they are sent again. */
  #again: { readonly peer: number; readonly message: ToMember }[] = [];
  #lastId: number;
  #bytes = 0;
  #tracks = false;

  constructor(options: SentPartsOptions) {
    this.#options = options;
    this.#lastId = options.lastId;
  }

  get size(): number {
    return this.#sent.size;
  }

  // ---- from this node's clients -----------------------------------------------------------

  submit(part: Part): void {
    if (!part.waits || part.groups.length === 1) return this.#submit(part);
    const waits = this.#waits.get(part.unit.connection) ?? [];
    const known = waits.flatMap(({ group }) => group ?? []);
    const elsewhere = part.groups.filter((group) => this.#options.isElsewhere(group));
    const notes = this.#notings.begin(part, without(elsewhere, known));
    for (const note of notes) this.#submit(note);
    if (notes.length === 0) this.#attempt(part);
  }

  /** All that is not here is noted. */
  #attempt(part: Part): void {
    const { isElsewhere, submitHere } = this.#options;
    const isHere = part.groups.some((group) => !isElsewhere(group));
    if (!isHere) return this.#submit(part);
    if (!submitHere({ ...part, isNoted: true })) this.#fail(part, REFUSED.busy);
  }

  /** A member tells of the keys that it has from now on. */
  #noted({ part }: Sent, peer: number, id: number): void {
    const { unit } = part;
    const attempt = this.#notings.noted(unit);
    if (attempt === false) return this.#sendOver(peer, id);
    const waits = this.#waits.get(unit.connection) ?? [];
    this.#waits.set(unit.connection, [...waits, { peer, id, group: part.groups[0] }]);
    if (attempt !== undefined) this.#attempt(attempt);
  }

  #submit(part: Part): void {
    const { partsMax, bytesMax, nowMs, timeoutMs } = this.#options;
    const isFull = this.#sent.size >= partsMax || this.#bytes + part.bytes.length > bytesMax;
    // A part alone may be as large as any.
    if (isFull && this.#sent.size > 0) return this.#fail(part, REFUSED.busy);
    const state = { peer: undefined, refusal: undefined, isTold: false, toldTo: 0 };
    const tried = new Set<number>();
    const sent = { id: 0, part, deadlineMs: nowMs() + timeoutMs, tried, ...state };
    this.#bytes += part.bytes.length;
    this.#name(sent);
    this.#place(sent);
  }

  /** Anew for each attempt: what is still on its way from one before it is not taken. */
  #name(sent: Sent): void {
    this.#sent.delete(sent.id);
    this.#lastId += 1;
    sent.id = this.#lastId;
    this.#sent.set(sent.id, sent);
    this.#idOf.set(keyOf(sent.part), sent.id);
  }

  flow(message: ReplyFlow): void {
    switch (message.type) {
      case 'ReplyCredit':
      case 'RepliesAbandoned': {
        const id = this.#idOf.get(keyOf(message));
        const sent = id === undefined ? undefined : this.#sent.get(id);
        if (sent?.peer === undefined) return;
        if (message.type === 'RepliesAbandoned') return this.#abandon(sent, sent.peer);
        const credit = { type: 'ForwardCredit', id: sent.id, upTo: message.upTo } as const;
        if (!this.#options.send(sent.peer, credit)) this.#lose(sent);
        return;
      }
      case 'StopWaiting':
        return this.#stopWaiting(message.unit.connection);
      case 'PassWait':
        return this.#passWait(message.unit.connection, message.to.connection);
      case 'TrackWrites':
        this.#tracks = message.isOn;
        for (const peer of this.#up) this.#tellTracks(peer);
        return;
    }
  }

  #abandon(sent: Sent, peer: number): void {
    this.#remove(sent);
    this.#sendOver(peer, sent.id);
  }

  #stopWaiting(connection: number): void {
    for (const { peer, id } of this.#waits.get(connection) ?? []) this.#sendOver(peer, id);
    this.#waits.delete(connection);
    this.#notings.stop(connection);
  }

  /** Its store needs to know of its last attempt alone. */
  #waitsAt(connection: number, wait: Wait): void {
    const waits = this.#waits.get(connection) ?? [];
    for (const { peer, id, group } of waits) if (group === undefined) this.#sendOver(peer, id);
    this.#waits.set(connection, [...waits.filter(({ group }) => group !== undefined), wait]);
  }

  /** The member knows of a wait, and not whose it is; `to` may be trying by now. */
  #passWait(from: number, to: number): void {
    const waits = this.#waits.get(from);
    if (waits === undefined) return;
    const own = this.#waits.get(to) ?? [];
    for (const { peer, id, group } of own) if (group === undefined) this.#sendOver(peer, id);
    this.#waits.delete(from);
    this.#notings.stop(from);
    this.#waits.set(to, [...waits, ...own.filter(({ group }) => group !== undefined)]);
  }

  #sendOver(peer: number, id: number): void {
    this.#sendSurely(peer, { type: 'ForwardOver', id });
  }

  #tellTracks(peer: number): void {
    this.#sendSurely(peer, { type: 'TracksWrites', isOn: this.#tracks });
  }

  /** The member takes back by itself what a link that is down loses. */
  #sendSurely(peer: number, message: ToMember): void {
    if (this.#options.send(peer, message) || !this.#up.has(peer)) return;
    if (this.#again.length < this.#options.partsMax) this.#again.push({ peer, message });
  }

  // ---- from the members -------------------------------------------------------------------

  received(peer: number, message: ToEntry): void {
    switch (message.type) {
      case 'ForwardsDropped':
        return this.#dropped(peer, new Set(message.ids));
      case 'KeysReady':
        return this.#options.toClients(message);
      case 'KeysWritten': {
        const { group, keys, by } = message;
        const writer = this.#sent.get(by)?.part.unit.connection;
        if (this.#follows(peer, group)) {
          this.#options.toClients({ type: 'KeysWritten', group, keys, by: writer });
        }
        return;
      }
      case 'KeysChanged': {
        const { group, events } = message;
        if (!this.#follows(peer, group)) return;
        return this.#options.toClients({ type: 'KeysChanged', group, events });
      }
      case 'WaitsLost':
        this.#loseNotes(peer);
        return this.#options.toClients({ type: 'WaitsLost' });
      default:
        return this.#answered(peer, message);
    }
  }

  #answered(
    peer: number,
    message: Exclude<ToEntry, { readonly type: 'ForwardsDropped' | StoreNews['type'] }>,
  ): void {
    const sent = this.#sent.get(message.id);
    if (sent?.peer !== peer) {
      const isUnknown = !this.#isWaiting(message.id);
      if (message.type === 'ForwardReplies' && isOpen(message) && isUnknown) {
        this.#sendOver(peer, message.id);
      }
      return;
    }
    switch (message.type) {
      case 'ForwardReplies':
        return this.#replies(sent, peer, message);
      case 'ForwardFailed':
        return this.#failed(sent, message.line);
      case 'ForwardRefused':
        return this.#failed(sent, REFUSED.busy);
      case 'ForwardLost':
        return this.#loseRest(sent);
    }
  }

  #replies(sent: Sent, peer: number, message: ForwardReplies): void {
    const { type, id, body, ...rest } = message;
    const { unit, part, groups } = sent.part;
    // It comes again.
    if (message.from < sent.toldTo || (message.from === 0 && sent.isTold)) return;
    // Some are missing.
    if (message.from > sent.toldTo) return this.#loseRest(sent);
    sent.isTold = true;
    sent.toldTo += body.length;
    if (message.waiting !== undefined && sent.part.onlyNotes === true) {
      this.#remove(sent);
      return this.#noted(sent, peer, id);
    }
    if (message.waiting !== undefined) this.#waitsAt(unit.connection, { peer, id });
    if (message.last) this.#remove(sent);
    this.#options.toClients({
      type: 'PartReplies',
      unit,
      part,
      replies: body,
      ...rest,
    } as PartReplies);
    // A later write of what it has read may have been told before it.
    const isFollowed = groups.every((group) => this.#followed.get(group) === peer);
    const mayBeOld = !isFollowed && message.waiting === undefined;
    if (this.#tracks && mayBeOld) this.#options.toClients({ type: 'WaitsLost' });
  }

  /** Refused for certain, or not: that is in the line. */
  #failed(sent: Sent, line: string): void {
    const { peer, part } = sent;
    if (peer === undefined || !mayRunElsewhere(line)) {
      this.#remove(sent);
      return this.#fail(part, line);
    }
    sent.tried.add(peer);
    sent.refusal = line;
    this.#options.counts.retried += 1;
    this.#place(sent);
  }

  #dropped(peer: number, ids: ReadonlySet<number>): void {
    for (const id of ids) {
      const sent = this.#sent.get(id);
      if (sent?.peer === peer) this.#lose(sent);
    }
    this.#endWaits((wait) => wait.peer === peer && ids.has(wait.id));
  }

  /** Its clients try again. */
  #endWaits(isLost: (wait: Wait) => boolean): void {
    let isAny = false;
    for (const [connection, waits] of [...this.#waits]) {
      const left = waits.filter((wait) => !isLost(wait));
      if (left.length === waits.length) continue;
      isAny = true;
      if (left.length > 0) this.#waits.set(connection, left);
      else this.#waits.delete(connection);
    }
    if (isAny) this.#options.toClients({ type: 'WaitsLost' });
  }

  /** The member may have forgotten what it has noted: that is to be noted anew. */
  #loseNotes(peer: number): void {
    for (const [connection, waits] of [...this.#waits]) {
      const isLost = (wait: Wait): boolean => wait.peer === peer && wait.group !== undefined;
      for (const wait of waits) if (isLost(wait)) this.#sendOver(peer, wait.id);
      this.#waits.set(
        connection,
        waits.filter((wait) => !isLost(wait)),
      );
    }
  }

  #isWaiting(id: number): boolean {
    for (const waits of this.#waits.values()) if (waits.some((wait) => wait.id === id)) return true;
    return false;
  }

  /** Its client has read half an answer. */
  #loseRest(sent: Sent): void {
    const { unit, part } = sent.part;
    this.#remove(sent);
    this.#options.toClients({ type: 'RepliesLost', unit, part });
  }

  /** The member that has it is lost, or has lost it. */
  #lose(sent: Sent): void {
    const { part, peer, isTold } = sent;
    if (part.readOnly && !isTold) {
      if (peer !== undefined) sent.tried.add(peer);
      this.#options.counts.retried += 1;
      return this.#place(sent);
    }
    if (isTold) return this.#loseRest(sent);
    this.#remove(sent);
    this.#options.counts.indeterminate += 1;
    this.#fail(part, INDETERMINATE.member);
  }

  // ---- links ------------------------------------------------------------------------------

  /** These have not left. */
  notSent(peer: number, messages: readonly ForwardingMessage[]): void {
    for (const message of messages) {
      if (message.type === 'ForwardOver' || message.type === 'TracksWrites') {
        this.#sendSurely(peer, message);
        continue;
      }
      const id = 'id' in message ? message.id : 0;
      const sent = this.#sent.get(id);
      if (sent?.peer !== peer) continue;
      if (message.type === 'ForwardCredit') this.#lose(sent);
      else if (message.type === 'Forward') this.#failed(sent, REFUSED.busy);
    }
  }

  peerUp(peer: number): void {
    this.#up.add(peer);
    this.#tellTracks(peer);
    this.#follow();
    for (const sent of [...this.#sent.values()]) {
      sent.tried.delete(peer);
      if (sent.peer === undefined) this.#place(sent);
    }
  }

  peerDown(peer: number): void {
    this.#up.delete(peer);
    this.#again = this.#again.filter((each) => each.peer !== peer);
    this.#follow();
    for (const sent of [...this.#sent.values()]) if (sent.peer === peer) this.#lose(sent);
    this.#endWaits((wait) => wait.peer === peer);
  }

  /** Of each group, one member that is up; where it is another one, some news may be missed. */
  #follow(): void {
    let hasChanged = false;
    for (const group of this.#options.elsewhere()) {
      const before = this.#followed.get(group);
      if (before !== undefined && this.#up.has(before)) continue;
      const [next] = this.#nearest(group);
      if (next !== undefined) this.#followed.set(group, next);
      else this.#followed.delete(group);
      if (before !== undefined) hasChanged = true;
    }
    if (hasChanged) this.#options.toClients({ type: 'WaitsLost' });
  }

  #follows(peer: number, group: GroupId): boolean {
    return this.#followed.get(group) === peer;
  }

  /** Members that are up, the nearest first; different ranges begin with different ones. */
  #nearest(group: GroupId): number[] {
    const { membersOf, roundTripMs } = this.#options;
    const members = membersOf(group);
    const first = group.range % Math.max(1, members.length);
    const inTurn = [...members.slice(first), ...members.slice(0, first)];
    const isUp = (member: number): boolean => this.#up.has(member);
    const distance = (peer: number): number => Math.floor(roundTripMs(peer) / NEAR_MS);
    return inTurn.filter(isUp).sort((a, b) => Math.sign(distance(a) - distance(b)) || 0);
  }

  // ---- where parts are --------------------------------------------------------------------

  /** Hands it to a member that has not tried; without one that is connected it waits. */
  #place(sent: Sent): void {
    const { part, tried, deadlineMs, refusal } = sent;
    const { nowMs, send, counts } = this.#options;
    if (sent.peer !== undefined) this.#name(sent);
    sent.peer = undefined;
    const leftMs = deadlineMs - nowMs();
    const peers = part.groups.flatMap((group) => {
      const followed = this.#followed.get(group);
      return followed === undefined ? this.#nearest(group) : [followed, ...this.#nearest(group)];
    });
    const next = leftMs > 0 ? peers.find((peer) => !tried.has(peer)) : undefined;
    if (next !== undefined) {
      sent.peer = next;
      counts.sent += 1;
      if (!send(next, forwardOf(part, sent.id, leftMs))) this.#failed(sent, REFUSED.busy);
      return;
    }
    if (refusal === undefined && leftMs > 0) return;
    this.#remove(sent);
    this.#fail(part, refusal ?? (part.readOnly ? REFUSED.read : REFUSED.quorum));
  }

  onTick(): void {
    const { nowMs, send } = this.#options;
    const now = nowMs();
    const again = this.#again;
    this.#again = [];
    for (const { peer, message } of again) this.#sendSurely(peer, message);
    for (const sent of [...this.#sent.values()]) {
      // Its client takes the rest at its own pace.
      if (sent.deadlineMs > now || sent.isTold) continue;
      if (sent.peer !== undefined && sent.deadlineMs + GRACE_MS > now) continue;
      this.#remove(sent);
      this.#fail(sent.part, lateLine(sent));
      if (sent.peer !== undefined) send(sent.peer, { type: 'ForwardOver', id: sent.id });
    }
  }

  /** This node ends, or begins anew. */
  failAll(waiting: string, underWay: string): void {
    for (const sent of [...this.#sent.values()]) {
      const { part, peer, isTold } = sent;
      this.#remove(sent);
      const { unit } = part;
      if (isTold) this.#options.toClients({ type: 'RepliesLost', unit, part: part.part });
      else this.#fail(part, part.readOnly || peer === undefined ? waiting : underWay);
    }
    this.#endWaits(() => true);
  }

  #remove({ id, part }: Sent): void {
    if (!this.#sent.delete(id)) return;
    this.#idOf.delete(keyOf(part));
    this.#bytes -= part.bytes.length;
  }

  #fail(failed: Part, line: string): void {
    const its = failed.onlyNotes === true ? this.#notings.failed(failed.unit) : failed;
    if (its === undefined) return;
    this.#options.toClients({ type: 'PartFailed', unit: its.unit, part: its.part, line });
  }
}

function lateLine({ part, peer }: Sent): string {
  if (part.readOnly) return REFUSED.read;
  return peer === undefined ? REFUSED.quorum : INDETERMINATE.timeout;
}

function isOpen({ last, waiting }: ForwardReplies): boolean {
  return !last || waiting !== undefined;
}

function forwardOf(part: Part, id: number, leftMs: number): Forward {
  const { groups, bytes: body, count, layout, protocol, readOnly, readsFrom, wholeStore } = part;
  const { participants, window, waits, onlyNotes = false } = part;
  return {
    ...{ type: 'Forward', id, leftMs, groups, count, layout, protocol, readOnly, readsFrom },
    ...{ wholeStore, waits, onlyNotes, participants, window, body },
  };
}

function keyOf({ unit, part }: Pick<Part, 'unit' | 'part'>): string {
  return `${unit.connection}.${unit.sequence}.${part}`;
}
