/**
 * The invariants of the protocol, checked while it runs, with a view that no node has: all of them
 * at once (accord.md §4.3; the names I1, I2, ... are from there). Reads what the pure cores are
 * told, what they want done, and their state; changes nothing.
 *
 * Each statement of a node to others is kept as its `Claim`: whatever a crash loses, the restarted
 * node must still hold to it.
 */
import { crc32 } from 'node:zlib';
import type { Coordinator, CoordinatorEffect } from '../../actors/accord/coordinate/coordinator.ts';
import type { StoreWatch } from '../../actors/accord/local/command-store.ts';
import type { Effect, Execution } from '../../actors/accord/local/effects.ts';
import type { JournalRecord } from '../../actors/accord/local/journal.ts';
import type { ReplicaMessage } from '../../actors/accord/local/replica.ts';
import type { CommandView, ReplicaView } from '../../actors/accord/local/replica-view.ts';
import type { AccordMessage } from '../../actors/accord/messages/messages.ts';
import { population } from '../../actors/accord/primitives/bit-set.ts';
import { type Deps, decodeDeps, isSubset } from '../../actors/accord/primitives/deps.ts';
import {
  compareProgress,
  isTerminal,
  STATUS_NAMES,
  Status,
} from '../../actors/accord/primitives/status.ts';
import {
  type Ballot,
  compare,
  equal,
  isRejected,
  isSpanning,
  keyOf,
  max,
  type Timestamp,
  type TxnId,
  ZERO,
} from '../../actors/accord/primitives/timestamp.ts';
import type { Group } from '../../actors/accord/topology/group.ts';
import { ExecutionOrder } from './execution-order.ts';

/** The claims of a node on one transaction that another node has heard. */
interface Claim {
  readonly id: TxnId;
  vote: Timestamp | undefined;
  promised: Ballot;
  accepted: Ballot;
  /** The highest time it has voted for or accepted. */
  time: Timestamp;
  settled: boolean;
  preApplied: boolean;
}

/** The proposal at one ballot: a time, or the invalidation. */
interface Proposal {
  readonly ballot: Ballot;
  readonly executeAt: Timestamp | undefined;
  readonly deps: Deps | undefined;
}

interface Seen {
  readonly promised: Ballot;
  readonly status: Status;
  readonly accepted: Ballot;
}

class NodeWatch {
  readonly id: number;
  view: ReplicaView | undefined;
  restored = false;
  readonly claims = new Map<string, Claim>();
  claimedRejectBefore = ZERO;
  claimedApplied = ZERO;
  /** By store: the highest id of its own that another node has heard of. */
  readonly heardIds = new Map<number, TxnId>();
  /** All ids of its own: a proposal may be repeated. */
  readonly proposed = new Set<string>();
  /** Of this incarnation. */
  readonly seen = new Map<string, Seen>();
  /** Transactions for which a ballot above zero has been promised. */
  readonly promised = new Set<string>();
  readonly slotTimes = new Map<number, Timestamp>();
  readonly openReads = new Set<number>();
  redundantBefore = ZERO;
  durableBefore = ZERO;
  rejectBefore = ZERO;
  clockUs = 0;

  constructor(id: number) {
    this.id = id;
  }

  reset(): void {
    this.view = undefined;
    this.restored = false;
    this.seen.clear();
    this.promised.clear();
    this.slotTimes.clear();
    this.openReads.clear();
    this.redundantBefore = ZERO;
    this.durableBefore = ZERO;
    this.rejectBefore = ZERO;
    this.clockUs = 0;
  }
}

export interface InvariantsOptions {
  readonly group: Group;
  readonly violation: (what: string) => void;
  readonly count: (what: string) => void;
  readonly executed: (node: number, execution: Execution) => void;
  /** The node gets the data of a later group. */
  readonly isPassedOver: (node: number) => boolean;
}

export class Invariants {
  readonly #group: Group;
  readonly #violation: (what: string) => void;
  readonly #count: (what: string) => void;
  readonly #executed: InvariantsOptions['executed'];
  readonly #isPassedOver: InvariantsOptions['isPassedOver'];
  readonly #watches = new Map<number, NodeWatch>();
  readonly #order: ExecutionOrder;
  /** Checksum of each transaction's commands, and who has it on record. */
  readonly #bodies = new Map<string, { readonly body: number; readonly nodes: Set<number> }>();
  /** By timestamp: what it was used for. */
  readonly #minted = new Map<string, string>();
  /** By transaction: the decided time; `undefined` stands for invalidated. */
  readonly #decided = new Map<string, Timestamp | undefined>();
  readonly #stable = new Set<string>();
  readonly #proposals = new Map<string, Map<string, Proposal>>();
  readonly #chosen = new Map<string, Proposal>();
  /** By transaction, then by kind of answer and ballot: who has given it (bit set). */
  readonly #tallies = new Map<string, Map<string, number>>();
  #appliedMax = ZERO;
  #erasedMax = ZERO;

  constructor(options: InvariantsOptions) {
    this.#group = options.group;
    this.#violation = options.violation;
    this.#count = options.count;
    this.#executed = options.executed;
    this.#isPassedOver = options.isPassedOver;
    for (const node of options.group.members) this.#watches.set(node, new NodeWatch(node));
    this.#order = new ExecutionOrder(options.group.members, (what) => this.#violation(what));
  }

  // ---- looking on -------------------------------------------------------------------------

  watchStore(node: number): StoreWatch {
    const watch = this.#watch(node);
    return {
      began: (_group, view) => {
        watch.reset();
        watch.view = view;
      },
      restored: (_group, view, flushedSequence, effects, isLost) => {
        if (isLost) this.#order.forgets(watch.id);
        this.#afterRestart(watch, view, flushedSequence, effects);
      },
      handling: (_group, from, message) => this.#heard(from, message, watch),
      handled: (_group, message, effects) => this.#countReads(watch, message, effects),
      turned: (_group, view, effects) => this.#afterTurn(watch, view, effects),
      abandoned: () => watch.reset(),
    };
  }

  /** An answer to a coordinator of several groups. */
  heardAnswer(from: number, message: AccordMessage): void {
    this.#answered(from, message);
  }

  /** The effects of a coordinator of several groups that are of this one. */
  sees(node: number, effects: readonly CoordinatorEffect[]): void {
    this.#coordinated(node, effects);
  }

  /** `type` was answered by a quorum, whatever the ballot. */
  hasQuorumOf(id: TxnId, type: string): boolean {
    for (const [name, bits] of this.#tallies.get(keyOf(id)) ?? []) {
      const isQuorum = population(bits) >= this.#group.quorums.slow;
      if (isQuorum && name.startsWith(`${type} `)) return true;
    }
    return false;
  }

  watchCoordinator(node: number, coordinator: Coordinator): void {
    const handle = coordinator.handle.bind(coordinator);
    const takeEffects = coordinator.takeEffects.bind(coordinator);
    coordinator.handle = (from, message, nowMs) => {
      this.#answered(from, message);
      handle(from, message, nowMs);
    };
    coordinator.takeEffects = () => {
      const effects = takeEffects();
      if (effects.length > 0) this.#coordinated(node, effects);
      return effects;
    };
  }

  crashed(node: number): void {
    this.#watch(node).reset();
    // Transactions only in this node's memory may be gone, and their timestamps free again: a
    // timestamp leaves a node only under a durable reservation. Those on disk are read again soon.
    for (const [key, { nodes }] of this.#bodies) {
      nodes.delete(node);
      if (nodes.size > 0) continue;
      this.#bodies.delete(key);
      this.#order.lost(key);
    }
  }

  #defined(node: number, key: string, bytes: Uint8Array): void {
    const body = crc32(bytes);
    const known = this.#bodies.get(key);
    if (known === undefined) {
      this.#bodies.set(key, { body, nodes: new Set([node]) });
    } else {
      if (known.body !== body) this.#violation(`I4: ${key} has two bodies`);
      known.nodes.add(node);
    }
  }

  /** Whether a transaction was decided to execute, for the tests. */
  get decisions(): ReadonlyMap<string, Timestamp | undefined> {
    return this.#decided;
  }

  #watch(node: number): NodeWatch {
    const watch = this.#watches.get(node);
    if (watch === undefined) throw new Error(`node ${node} is no member`);
    return watch;
  }

  #claim(watch: NodeWatch, id: TxnId): Claim {
    const key = keyOf(id);
    const known = watch.claims.get(key);
    if (known !== undefined) return known;
    const claim: Claim = {
      id,
      vote: undefined,
      promised: ZERO,
      accepted: ZERO,
      time: ZERO,
      settled: false,
      preApplied: false,
    };
    watch.claims.set(key, claim);
    return claim;
  }

  /** I4: no timestamp is used for two things. */
  #mint(time: Timestamp, purpose: string): void {
    const key = keyOf(time);
    const known = this.#minted.get(key);
    if (known === undefined) this.#minted.set(key, purpose);
    else if (known !== purpose) this.#violation(`I4: ${key} is ${known}, and ${purpose}`);
  }

  // ---- what nodes have told ---------------------------------------------------------------

  #heard(from: number, message: ReplicaMessage, to: NodeWatch): void {
    const watch = this.#watches.get(from);
    if (watch === undefined) return;
    switch (message.type) {
      case 'RejectBeforeOk':
        watch.claimedRejectBefore = max(watch.claimedRejectBefore, message.before);
        return;
      case 'AppliedHint':
        watch.claimedApplied = max(watch.claimedApplied, message.redundantBefore);
        for (const id of decodeDeps(message.ids)) this.#claim(watch, id).settled = true;
        return;
      case 'CatchUp':
        return this.#count('catch-up asked');
      case 'AppliedList':
        return this.#count('settled list');
      case 'BeginRead':
        to.openReads.add(message.token);
        return;
      case 'PreAccept':
        if (message.id.node === from) this.#heardId(watch, message.id);
        return;
      case 'Fetch':
        return this.#count('fetch');
      default:
        // Claims nothing.
        return;
    }
  }

  #heardId(watch: NodeWatch, id: TxnId): void {
    watch.heardIds.set(id.store, max(watch.heardIds.get(id.store) ?? ZERO, id));
  }

  /** I4: what a node gives out lies above all that others have from it, also after a restart. */
  #proposed(watch: NodeWatch, id: TxnId): void {
    const key = keyOf(id);
    if (watch.proposed.has(key)) return;
    watch.proposed.add(key);
    const heard = watch.heardIds.get(id.store) ?? ZERO;
    if (compare(id, heard) > 0) return;
    const both = `${key} after ${keyOf(heard)}`;
    this.#violation(`I4: node ${watch.id} gives out ${both}`);
  }

  #countReads(watch: NodeWatch, message: ReplicaMessage, effects: readonly Effect[]): void {
    if (watch.openReads.size === 0) return;
    for (const effect of effects) {
      if (effect.type !== 'Read') continue;
      watch.openReads.delete(effect.token);
      const atOnce = message.type === 'ReadBarrierOk' || message.type === 'BeginRead';
      this.#count(atOnce ? 'read at once' : 'read waited');
    }
  }

  #answered(from: number, message: AccordMessage): void {
    const watch = this.#watches.get(from);
    if (watch === undefined || !('id' in message)) return;
    switch (message.type) {
      case 'PreAcceptOk':
        return this.#voted(watch, message.id, message.vote);
      case 'RecoverOk': {
        const claim = this.#claim(watch, message.id);
        if (!isTerminal(message.status)) claim.promised = max(claim.promised, message.ballot);
        if (message.rejectsFastPath) this.#count('superseded');
        return;
      }
      case 'AcceptOk':
      case 'CommitOk':
      case 'AcceptInvalidateOk': {
        const { type, id, ballot } = message;
        const claim = this.#claim(watch, id);
        claim.promised = max(claim.promised, ballot);
        claim.accepted = max(claim.accepted, ballot);
        const proposal = this.#proposals.get(keyOf(id))?.get(keyOf(ballot));
        if (proposal?.executeAt !== undefined) claim.time = max(claim.time, proposal.executeAt);
        const bits = this.#tally(type, id, ballot, this.#group.bit(from));
        const isQuorum = population(bits) >= this.#group.quorums.slow;
        if (isQuorum && type !== 'CommitOk' && proposal !== undefined) this.#choose(id, proposal);
        return;
      }
      case 'ApplyOk':
        this.#claim(watch, message.id).preApplied = true;
        this.#tally('ApplyOk', message.id, message.ballot, this.#group.bit(from));
        return;
      case 'Nack':
        return this.#count(`nack ${message.reason}`);
      default:
        // A question, or an answer without a claim.
        return;
    }
  }

  /** The first vote stays, also over a restart (I2, I14). */
  #voted(watch: NodeWatch, id: TxnId, vote: Timestamp): void {
    const claim = this.#claim(watch, id);
    if (
      claim.vote !== undefined &&
      (!equal(claim.vote, vote) || isRejected(vote) !== isRejected(claim.vote))
    ) {
      const votes = `${keyOf(claim.vote)}, then ${keyOf(vote)}`;
      this.#violation(`I14: node ${watch.id} votes twice for ${keyOf(id)}: ${votes}`);
    }
    claim.vote = vote;
    if (!isRejected(vote)) claim.time = max(claim.time, vote);
    if (!equal(vote, id)) this.#mint(vote, `vote of ${watch.id} for ${keyOf(id)}`);
  }

  #tally(type: string, id: TxnId, ballot: Ballot, bit = 0): number {
    const key = keyOf(id);
    const tallies = this.#tallies.get(key) ?? new Map<string, number>();
    const name = `${type} ${keyOf(ballot)}`;
    const bits = (tallies.get(name) ?? 0) | bit;
    if (bit !== 0) this.#tallies.set(key, tallies.set(name, bits));
    return bits;
  }

  // ---- what coordinators do ---------------------------------------------------------------

  #coordinated(node: number, effects: readonly CoordinatorEffect[]): void {
    let stable: Extract<AccordMessage, { type: 'Stable' }> | undefined;
    let concluded = ZERO;
    for (const effect of effects) {
      if (effect.type === 'Concluded') {
        concluded = effect.id;
        this.#count(`recovery ${effect.conclusion}`);
      } else if (effect.type === 'Decided') {
        this.#decidedBy(node, effect, stable);
      } else {
        const { message } = effect;
        switch (message.type) {
          case 'Coordinate':
          case 'PreAccept':
            if (this.#group.bit(node) !== 0) this.#proposed(this.#watch(node), message.id);
            break;
          case 'Accept':
            this.#coordinate(message.id, {
              ballot: message.ballot,
              executeAt: message.executeAt,
              deps: decodeDeps(message.deps),
            });
            break;
          case 'AcceptInvalidate':
            this.#coordinate(message.id, {
              ballot: message.ballot,
              executeAt: undefined,
              deps: undefined,
            });
            break;
          case 'Commit':
            this.#committed(message.id, message.ballot);
            break;
          case 'Stable':
            stable = message;
            break;
          case 'LookAfter':
            this.#waits(concluded, decodeDeps(message.ids));
            break;
        }
      }
    }
  }

  /** I6: at most one value per ballot. I7: what is chosen stays. */
  #coordinate(id: TxnId, proposal: Proposal): void {
    const key = keyOf(id);
    let ballots = this.#proposals.get(key);
    if (ballots === undefined) {
      ballots = new Map();
      this.#proposals.set(key, ballots);
    }
    const at = keyOf(proposal.ballot);
    const before = ballots.get(at);
    if (before !== undefined && !sameValue(before, proposal)) {
      this.#violation(`I6: two values for ${key} at ballot ${at}`);
    }
    if (before === undefined) ballots.set(at, proposal);
    const chosen = this.#chosen.get(key);
    if (chosen !== undefined) this.#mustCarry(key, chosen, proposal);
  }

  #choose(id: TxnId, proposal: Proposal): void {
    const key = keyOf(id);
    const before = this.#chosen.get(key);
    if (before === undefined || compare(proposal.ballot, before.ballot) < 0) {
      this.#chosen.set(key, proposal);
    }
    for (const other of this.#proposals.get(key)?.values() ?? []) {
      this.#mustCarry(key, proposal, other);
    }
  }

  #mustCarry(key: string, chosen: Proposal, proposal: Proposal): void {
    if (compare(proposal.ballot, chosen.ballot) <= 0 || sameValue(chosen, proposal)) return;
    if (this.#isSettledByMajority(key)) return this.#count('proposal refused as settled');
    const ballots = `${keyOf(chosen.ballot)}, but ballot ${keyOf(proposal.ballot)} has another`;
    this.#violation(`I7: ${key} has a chosen value at ballot ${ballots}`);
  }

  /**
   * Then no other value can reach a quorum, and the transaction may have left the index: answers of
   * a recovery that were given before and after that need not fit together (docs/protocol.md).
   */
  #isSettledByMajority(key: string): boolean {
    const settled = [...this.#watches.values()].filter(({ claims, view }) => {
      const status = view?.commands.get(key)?.status ?? Status.NotDefined;
      return claims.get(key)?.settled === true || isTerminal(status);
    });
    return settled.length >= this.#group.quorums.slow;
  }

  /** I19, first half: an Accept round ends with a quorum of its own. */
  #committed(id: TxnId, ballot: Ballot): void {
    const accepted = population(this.#tally('AcceptOk', id, ballot));
    const known = this.#decided.get(keyOf(id)) !== undefined;
    if (accepted >= this.#group.quorums.slow || known) return;
    this.#violation(`I19: ${keyOf(id)} is committed after ${accepted} accepts at its ballot`);
  }

  /** I5, I19. */
  #decidedBy(
    node: number,
    effect: Extract<CoordinatorEffect, { type: 'Decided' }>,
    stable: Extract<AccordMessage, { type: 'Stable' }> | undefined,
  ): void {
    const { id, path } = effect;
    const key = keyOf(id);
    const { quorums } = this.#group;
    const quorumOf = (type: string): boolean => this.hasQuorumOf(id, type);
    if (path === 'invalidated') {
      // Over several groups a quorum of one of them is enough.
      const isEnough = isSpanning(id) || quorumOf('AcceptInvalidateOk');
      if (!this.#decided.has(key) && !isEnough) {
        this.#violation(`I19: node ${node} invalidates ${key} without a quorum`);
      }
      return this.#decide(id, undefined);
    }
    if (path === 'fast') {
      let votes = 0;
      for (const watch of this.#watches.values()) {
        const vote = watch.claims.get(key)?.vote;
        if (vote === undefined || isRejected(vote) || !equal(vote, id)) continue;
        votes |= this.#group.bit(watch.id);
      }
      if (this.#group.electors(votes) < quorums.fast) {
        this.#violation(`I5: node ${node} decides ${key} fast without a fast quorum`);
      }
      const proposal = { ballot: ZERO, executeAt: id, deps: undefined };
      this.#coordinate(id, proposal);
      this.#choose(id, proposal);
    } else if (!this.#stable.has(key) && !quorumOf('CommitOk')) {
      this.#violation(`I19: node ${node} decides ${key} (${path}) without a quorum of commits`);
    }
    if (stable !== undefined && keyOf(stable.id) === key) this.#decide(id, stable.executeAt);
  }

  /** I17: a recovery waits for earlier transactions only. */
  #waits(id: TxnId, ids: Deps): void {
    if (ids.every((other) => compare(other, id) <= 0)) return;
    this.#violation(`I17: the recovery of ${keyOf(id)} waits for a later transaction`);
  }

  // ---- decisions --------------------------------------------------------------------------

  /** I1 and I2: one time, or none, for everybody and for ever. I16: the fence holds. */
  #decide(id: TxnId, executeAt: Timestamp | undefined): void {
    const key = keyOf(id);
    if (this.#decided.has(key)) {
      const before = this.#decided.get(key);
      const same =
        before === undefined || executeAt === undefined
          ? before === executeAt
          : equal(before, executeAt);
      if (!same) {
        const times = [before, executeAt].map((t) => (t === undefined ? 'never' : keyOf(t)));
        this.#violation(`I1: ${key} is decided for ${times.join(' and for ')}`);
      }
      return;
    }
    this.#decided.set(key, executeAt);
    if (executeAt === undefined) return;
    if (compare(id, this.#appliedMax) < 0) {
      this.#violation(`I16: ${key} is decided behind a rejectBefore (${keyOf(this.#appliedMax)})`);
    }
    this.#order.decided(id, executeAt);
  }

  // ---- a turn of a replica ----------------------------------------------------------------

  #afterTurn(watch: NodeWatch, state: ReplicaView, effects: readonly Effect[]): void {
    for (const effect of effects) {
      switch (effect.type) {
        case 'Persist':
          this.#logged(watch, state, effect.record);
          break;
        case 'Execute':
          this.#executes(watch, state, effect.execution);
          break;
        case 'Trace':
          this.#count(effect.event);
          break;
        case 'Contradicted':
          this.#violation(`node ${watch.id}, from ${effect.from}: ${effect.reason}`);
          break;
      }
    }
    this.#marks(watch, state);
  }

  /** I3 for the marks of a replica. */
  #marks(watch: NodeWatch, state: ReplicaView): void {
    const { redundantBefore, durableBefore, rejectBefore } = state;
    const names = ['redundantBefore', 'durableBefore', 'rejectBefore'] as const;
    for (const name of names) {
      if (compare(state[name], watch[name]) < 0) {
        this.#violation(`I3: ${name} of ${watch.id} falls`);
      }
    }
    if (state.clockUs < watch.clockUs) this.#violation(`I3: the clock of ${watch.id} falls`);
    watch.clockUs = state.clockUs;
    watch.rejectBefore = rejectBefore;
    if (compare(redundantBefore, watch.redundantBefore) > 0) {
      watch.redundantBefore = redundantBefore;
      this.#appliedMax = max(this.#appliedMax, redundantBefore);
    }
    if (compare(durableBefore, watch.durableBefore) > 0) {
      this.#count('forgotten');
      watch.durableBefore = durableBefore;
      this.#erasedMax = max(this.#erasedMax, durableBefore);
      this.#order.durableBefore = this.#erasedMax;
      this.#forgets(watch, durableBefore);
      this.#forgetsTimes(watch, state);
    }
  }

  /**
   * I15: what is forgotten also executes below the mark. A start finds its time no more; the mark
   * alone keeps what is begun then from being ordered before it.
   */
  #forgetsTimes(watch: NodeWatch, { commands, redundantBefore }: ReplicaView): void {
    for (const [key, { id }] of watch.claims) {
      const executeAt = this.#decided.get(key);
      if (executeAt === undefined || compare(executeAt, redundantBefore) < 0) continue;
      if (compare(id, watch.durableBefore) >= 0 || commands.has(key)) continue;
      const what = `${key}, which executes at ${keyOf(executeAt)}`;
      this.#violation(`I15: node ${watch.id} forgets ${what}, above ${keyOf(redundantBefore)}`);
    }
  }

  /** I15: what one forgets, all have settled. */
  #forgets(watch: NodeWatch, before: Timestamp): void {
    for (const other of this.#watches.values()) {
      const settled = other.restored ? other.view?.redundantBefore : undefined;
      if (settled === undefined || compare(settled, before) >= 0) continue;
      if (this.#isPassedOver(other.id)) continue;
      const marks = `${keyOf(before)}, ${other.id} has settled ${keyOf(settled)}`;
      this.#violation(`I15: node ${watch.id} forgets what is before ${marks}`);
    }
  }

  #logged(watch: NodeWatch, state: ReplicaView, record: JournalRecord): void {
    if (!('id' in record)) return;
    const { id } = record;
    const key = keyOf(id);
    const command = state.commands.get(key);
    // All that executes below the mark is applied here, and the rest never will. What it was may
    // still be learnt late.
    if (record.type !== 'Defined' && compare(id, watch.redundantBefore) < 0) {
      this.#violation(`I16: node ${watch.id} logs ${record.type} of ${key} below its mark`);
    }
    switch (record.type) {
      case 'Defined': {
        this.#defined(watch.id, key, record.body);
        this.#order.defined(id, record.participants);
        if (id.node !== watch.id) this.#mint(id, 'a transaction');
        break;
      }
      case 'PreAccepted':
        if (record.votedFast && watch.promised.has(key)) {
          this.#violation(`I5: node ${watch.id} votes fast for ${key} after a promise`);
        }
        break;
      case 'Promised':
        watch.promised.add(key);
        if (record.ballot.node !== watch.id) this.#mint(record.ballot, `a ballot for ${key}`);
        break;
      case 'Accepted': {
        const proposal = this.#proposals.get(key)?.get(keyOf(record.ballot));
        if (proposal?.executeAt === undefined || !equal(proposal.executeAt, record.executeAt)) {
          this.#violation(`I6: node ${watch.id} accepts for ${key} what nobody proposed`);
        }
        break;
      }
      case 'Committed':
        this.#decide(id, record.executeAt);
        this.#superset(key, record.deps, this.#proposals.get(key)?.get(keyOf(record.ballot)));
        break;
      case 'Stable':
        this.#decide(id, record.executeAt);
        this.#stable.add(key);
        this.#superset(key, record.deps, this.#chosen.get(key));
        this.#order.stable(id, record.deps);
        break;
      case 'Invalidated':
        this.#decide(id, undefined);
        break;
      default:
        break;
    }
    if (command === undefined) watch.seen.delete(key);
    else this.#monotone(watch, state, command);
  }

  /** I8: final deps hold the proposed ones. */
  #superset(key: string, deps: Deps, proposal: Proposal | undefined): void {
    if (proposal?.deps === undefined || isSubset(proposal.deps, deps)) return;
    this.#violation(`I8: ${key} is decided without deps that were proposed`);
  }

  /** I3: nothing a replica knows of a transaction ever goes back. */
  #monotone(watch: NodeWatch, state: ReplicaView, command: CommandView): void {
    const { key, promised, status, accepted, definition, executeAt } = command;
    const before = watch.seen.get(key);
    if (before !== undefined) {
      if (compare(promised, before.promised) < 0) {
        this.#violation(`I3: the promise of ${watch.id} for ${key} falls`);
      }
      if (compareProgress(command, before) < 0) {
        const names = `${STATUS_NAMES[before.status]} to ${STATUS_NAMES[status]}`;
        this.#violation(`I3: ${key} goes from ${names} at node ${watch.id}`);
      }
    }
    if (status >= Status.Invalidated) watch.seen.delete(key);
    else watch.seen.set(key, { promised, status, accepted });
    if (definition === undefined || executeAt === undefined || status === Status.Invalidated) {
      return;
    }
    if (typeof definition.participants === 'string') return;
    for (const slot of definition.participants) {
      const now = state.maxConflict(Uint16Array.of(slot));
      const earlier = watch.slotTimes.get(slot) ?? ZERO;
      if (compare(now, earlier) < 0 || compare(now, executeAt) < 0) {
        this.#violation(`I3: maxConflict of slot ${slot} falls at node ${watch.id}`);
      }
      watch.slotTimes.set(slot, now);
    }
  }

  /** I10 and I11. */
  #executes(watch: NodeWatch, state: ReplicaView, execution: Execution): void {
    const { id, executeAt, sequence } = execution;
    const key = keyOf(id);
    this.#decide(id, executeAt);
    // It votes without data, and nothing is handed to its executor.
    if (this.#group.absent.includes(watch.id)) return;
    this.#executed(watch.id, execution);
    this.#order.executed(watch.id, execution);
    const command = state.commands.get(key);
    for (const dep of command?.deps ?? []) {
      const other = state.find(dep);
      if (other === undefined) {
        if (!state.isRedundant(dep)) {
          this.#violation(`I11: node ${watch.id} executes ${key} before it knows ${keyOf(dep)}`);
        }
        continue;
      }
      if (other.status === Status.Invalidated) continue;
      const decided = other.status >= Status.Committed && other.executeAt !== undefined;
      if (decided && compare(other.executeAt ?? ZERO, executeAt) > 0) continue;
      if (other.status === Status.Applied && other.sequence < sequence) continue;
      const status = STATUS_NAMES[other.status];
      this.#violation(`I11: node ${watch.id} executes ${key} before ${other.key} (${status})`);
    }
  }

  // ---- a restart --------------------------------------------------------------------------

  /** I14: what was told before the crash still holds. */
  #afterRestart(
    watch: NodeWatch,
    state: ReplicaView,
    flushedSequence: number,
    effects: readonly Effect[],
  ): void {
    watch.restored = true;
    this.#order.restarted(watch.id, flushedSequence);
    const replayed = effects.filter(({ type }) => type === 'Execute').length;
    if (replayed > 0) this.#count('executor replay');
    const broken = (what: string): void =>
      this.#violation(`I14: after a restart node ${watch.id} ${what}`);
    if (compare(max(state.rejectBefore, state.redundantBefore), watch.claimedRejectBefore) < 0) {
      broken(`has lost its rejectBefore ${keyOf(watch.claimedRejectBefore)}`);
    }
    if (compare(state.redundantBefore, watch.claimedApplied) < 0) {
      broken(`has settled ${keyOf(state.redundantBefore)}, not ${keyOf(watch.claimedApplied)}`);
    }
    for (const [key, claim] of watch.claims) {
      const command = state.commands.get(key);
      if (command !== undefined) this.#standsBy(state, command, claim, broken);
      else if (state.isRedundant(claim.id)) watch.claims.delete(key);
      else broken(`does not know ${key} any more`);
    }
    for (const command of state.commands.values()) {
      const { key, promised, status, accepted, definition } = command;
      if (definition !== undefined) {
        this.#defined(watch.id, key, definition.body);
        this.#order.defined(command.id, definition.participants);
      }
      if (status < Status.Invalidated) watch.seen.set(key, { promised, status, accepted });
      if (!equal(promised, ZERO)) watch.promised.add(key);
    }
  }

  #standsBy(
    state: ReplicaView,
    command: CommandView,
    claim: Claim,
    broken: (what: string) => void,
  ): void {
    const { key, status, executeAt, definition } = command;
    if (claim.settled && !isTerminal(status)) broken(`has not settled ${key} any more`);
    if (claim.preApplied && status < Status.PreApplied) broken(`has lost the reads of ${key}`);
    const { vote } = claim;
    if (vote !== undefined) {
      const fast = equal(vote, claim.id) && !isRejected(vote);
      if (command.votedFast !== fast) {
        broken(`votes ${fast ? 'no longer' : 'now'} fast for ${key} (${STATUS_NAMES[status]})`);
      }
      if (status === Status.PreAccepted && (executeAt === undefined || !equal(executeAt, vote))) {
        broken(`has another vote for ${key}`);
      }
    }
    if (status < Status.Stable && compare(command.promised, claim.promised) < 0) {
      broken(`has lost its promise for ${key}`);
    }
    if (status < Status.Stable && compare(command.accepted, claim.accepted) < 0) {
      broken(`has lost what it accepted for ${key}`);
    }
    if (definition === undefined || status === Status.Invalidated) return;
    if (compare(state.maxConflict(definition.participants), claim.time) < 0) {
      broken(`has lost the time of ${key}`);
    }
  }

  // ---- at the end -------------------------------------------------------------------------

  /** I9 once more for all pairs, and that nothing is kept without need. */
  atEnd(nodes: readonly number[]): void {
    this.#order.checkAll();
    for (const node of nodes) {
      const view = this.#watch(node).view;
      if (view === undefined) continue;
      for (const [what, count] of Object.entries(view.sizes)) {
        if (count > 0) this.#violation(`liveness: node ${node} still keeps ${count} ${what}`);
      }
    }
  }
}

function sameValue(a: Proposal, b: Proposal): boolean {
  if (a.executeAt === undefined || b.executeAt === undefined) return a.executeAt === b.executeAt;
  return equal(a.executeAt, b.executeAt);
}
