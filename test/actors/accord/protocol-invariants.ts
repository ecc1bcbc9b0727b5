/**
 * The invariants at every step of a protocol cluster (accord.md §4.3, by their numbers there).
 * Watches messages as they leave, records as they change and executions as they happen, with the
 * knowledge of the whole cluster that no replica has. Never changes anything.
 */

import type { Path } from '../../../actors/accord/coordinate/coordinator.ts';
import type { Definition } from '../../../actors/accord/local/command.ts';
import type { Execution } from '../../../actors/accord/local/effects.ts';
import type { Replica, ReplicaMessage } from '../../../actors/accord/local/replica.ts';
import { executesLater } from '../../../actors/accord/local/replica-state.ts';
import type { CommandView } from '../../../actors/accord/local/replica-view.ts';
import { population } from '../../../actors/accord/primitives/bit-set.ts';
import { type Deps, decodeDeps, includes } from '../../../actors/accord/primitives/deps.ts';
import {
  compareProgress,
  isDecided,
  isTerminal,
  Status,
} from '../../../actors/accord/primitives/status.ts';
import {
  type Ballot,
  compare,
  equal,
  isRejected,
  keyOf,
  type Timestamp,
  type TxnId,
  ZERO,
} from '../../../actors/accord/primitives/timestamp.ts';
import type { Group } from '../../../actors/accord/topology/group.ts';

export class ProtocolViolation extends Error {}

/** A value put forward at one ballot; `executeAt` undefined: the invalidation. */
interface Proposal {
  readonly ballot: Ballot;
  readonly executeAt: Timestamp | undefined;
  readonly deps: Deps;
}

/** The knowledge of one transaction, over all nodes. */
interface View {
  readonly id: TxnId;
  participants: Definition | undefined;
  decidedAt: Timestamp | undefined;
  invalidated: boolean;
  /** Members whose vote for t0 has left them. */
  fastVotes: number;
  fastDecided: boolean;
  /** Members whose CommitOk has left them, at whatever ballot. */
  committedBy: number;
  /** Some replica holds it as stable, rightly. */
  stable: boolean;
  readonly ballots: Set<string>;
  readonly proposals: Map<string, Proposal>;
  readonly acceptedBy: Map<string, number>;
}

/** The claims of one node on one transaction, which it must still know after any crash. */
interface Claim {
  readonly id: TxnId;
  vote: Timestamp | undefined;
  promised: Ballot;
  accepted: Ballot;
  committed: boolean;
  settled: boolean;
}

interface Seen {
  promised: Ballot;
  accepted: Ballot;
  status: Status;
}

interface StableDeps {
  readonly node: number;
  readonly id: TxnId;
  readonly deps: Deps;
  /** Applied at that node by then. */
  readonly applied: ReadonlySet<string>;
}

export class ProtocolInvariants {
  readonly #group: Group;
  readonly #views = new Map<string, View>();
  readonly #claims = new Map<number, Map<string, Claim>>();
  readonly #marks = new Map<number, { rejectBefore: Timestamp; redundantBefore: Timestamp }>();
  readonly #seen = new Map<number, Map<string, Seen>>();
  readonly #minted = new Map<string, string>();
  readonly #stable: StableDeps[] = [];
  #redundantBefore: Timestamp = ZERO;

  constructor(group: Group) {
    this.#group = group;
  }

  decidedAt(key: string): Timestamp | undefined {
    return this.#views.get(key)?.decidedAt;
  }

  // ---- messages that leave a node ---------------------------------------------------------

  left(node: number, message: ReplicaMessage): void {
    switch (message.type) {
      case 'PreAcceptOk': {
        const claim = this.#claim(node, message.id);
        const { vote, id } = message;
        if (claim.vote !== undefined && !equal(claim.vote, vote)) fail('I3', id, 'votes twice');
        claim.vote = vote;
        if (!equal(vote, id)) this.#mint(vote, `vote of ${node} on ${keyOf(id)}`);
        if (equal(vote, id) && !isRejected(vote)) this.#fastVote(node, id);
        return;
      }
      case 'RecoverOk':
        this.#promise(this.#claim(node, message.id), message.ballot);
        return;
      case 'AcceptOk':
      case 'AcceptInvalidateOk':
        return this.#acceptedBy(node, message.id, message.ballot);
      case 'CommitOk':
        this.#claim(node, message.id).committed = true;
        this.#view(message.id).committedBy |= this.#group.bit(node);
        return;
      case 'BeginRecovery':
        this.#view(message.id).ballots.add(keyOf(message.ballot));
        return this.#mint(message.ballot, `ballot of ${keyOf(message.id)}`);
      case 'Accept':
        return this.#coordinate(message.id, {
          ballot: message.ballot,
          executeAt: message.executeAt,
          deps: decodeDeps(message.deps),
        });
      case 'AcceptInvalidate':
        return this.#coordinate(message.id, {
          ballot: message.ballot,
          executeAt: undefined,
          deps: [],
        });
      case 'Commit': {
        const proposal = this.#view(message.id).proposals.get(keyOf(message.ballot));
        const deps = decodeDeps(message.deps);
        const lost = proposal?.deps.find((id) => !includes(deps, id));
        if (lost !== undefined) fail('I8', message.id, `commits without ${keyOf(lost)}`);
        if (proposal !== undefined && !this.#isChosen(message.id, proposal)) {
          fail('I19', message.id, 'commits what no quorum has accepted at this ballot');
        }
        return;
      }
      case 'CommitInvalidate': {
        const { proposals, invalidated } = this.#view(message.id);
        const chosen = [...proposals.values()].some(
          (p) => p.executeAt === undefined && this.#isChosen(message.id, p),
        );
        if (!invalidated && !chosen) fail('I7', message.id, 'is called invalid without a quorum');
        return;
      }
      case 'AppliedHint': {
        for (const id of decodeDeps(message.ids)) this.#claim(node, id).settled = true;
        const marks = this.#marksOf(node);
        if (compare(message.redundantBefore, marks.redundantBefore) > 0) {
          marks.redundantBefore = message.redundantBefore;
        }
        return;
      }
      case 'RejectBeforeOk': {
        const marks = this.#marksOf(node);
        if (compare(message.before, marks.rejectBefore) > 0) marks.rejectBefore = message.before;
        return;
      }
      default:
        return;
    }
  }

  /** I4: no timestamp stands for two things. */
  minted(id: TxnId): void {
    const stamp = `${id.hlc}.${id.node}.${id.store}`;
    if (this.#minted.has(stamp)) fail('I4', id, 'was minted before');
    this.#minted.set(stamp, `transaction ${keyOf(id)}`);
  }

  #mint(time: Timestamp, as: string): void {
    const stamp = `${time.hlc}.${time.node}.${time.store}`;
    const known = this.#minted.get(stamp);
    if (known !== undefined && known !== as) fail('I4', time, `is ${known} and ${as}`);
    this.#minted.set(stamp, as);
  }

  #promise(claim: Claim, ballot: Ballot): void {
    if (compare(ballot, claim.promised) > 0) claim.promised = ballot;
  }

  #fastVote(node: number, id: TxnId): void {
    const view = this.#view(id);
    view.fastVotes |= this.#group.bit(node);
    for (const proposal of view.proposals.values()) this.#checkFast(view, proposal);
  }

  #acceptedBy(node: number, id: TxnId, ballot: Ballot): void {
    const claim = this.#claim(node, id);
    this.#promise(claim, ballot);
    if (compare(ballot, claim.accepted) > 0) claim.accepted = ballot;
    const view = this.#view(id);
    const key = keyOf(ballot);
    const by = (view.acceptedBy.get(key) ?? 0) | this.#group.bit(node);
    view.acceptedBy.set(key, by);
    for (const later of view.proposals.values()) this.#checkChosen(view, key, later);
  }

  /** I6, I7: one value a ballot; what a quorum has accepted is proposed ever after. */
  #coordinate(id: TxnId, proposal: Proposal): void {
    const view = this.#view(id);
    const key = keyOf(proposal.ballot);
    const known = view.proposals.get(key);
    if (known !== undefined && !sameTime(known.executeAt, proposal.executeAt)) {
      fail('I6', id, 'two values are proposed at one ballot');
    }
    if (known === undefined) view.proposals.set(key, proposal);
    if (view.fastDecided && equal(proposal.ballot, ZERO)) {
      fail('I5', id, 'is proposed at ballot 0 beside a fast decision');
    }
    if (this.#isSettledByMajority(id)) return;
    for (const ballot of view.acceptedBy.keys()) this.#checkChosen(view, ballot, proposal);
    this.#checkFast(view, proposal);
  }

  /** Then no other value can reach a quorum, and the recoverer hears of it (docs/protocol.md). */
  #isSettledByMajority(id: TxnId): boolean {
    const key = keyOf(id);
    const settled = [...this.#claims.values()].filter((claims) => claims.get(key)?.settled);
    return settled.length >= this.#group.quorums.slow;
  }

  #isChosen(id: TxnId, { ballot }: Proposal): boolean {
    const by = this.#view(id).acceptedBy.get(keyOf(ballot)) ?? 0;
    return population(by) >= this.#group.quorums.slow;
  }

  #checkChosen(view: View, ballotKey: string, later: Proposal): void {
    const chosen = view.proposals.get(ballotKey);
    const by = view.acceptedBy.get(ballotKey) ?? 0;
    if (chosen === undefined || population(by) < this.#group.quorums.slow) return;
    if (compare(later.ballot, chosen.ballot) <= 0) return;
    if (!sameTime(later.executeAt, chosen.executeAt)) {
      fail('I7', view.id, 'another value is proposed than a quorum has accepted');
    }
    const lost = chosen.deps.find((id) => !includes(later.deps, id));
    if (lost !== undefined) fail('I8', view.id, `is proposed again without ${keyOf(lost)}`);
  }

  /** I7 for the fast path: it may have been taken unless its coordinator went another way. */
  #checkFast(view: View, proposal: Proposal): void {
    const { quorums } = this.#group;
    if (this.#group.electors(view.fastVotes) < quorums.fast) return;
    if (equal(proposal.ballot, ZERO) || view.proposals.has(keyOf(ZERO))) return;
    if (proposal.executeAt !== undefined && equal(proposal.executeAt, view.id)) return;
    fail('I7', view.id, 'may be decided on the fast path, and something else is proposed');
  }

  /** I5: a fast decision needs a fast quorum of durable votes, and no proposal beside it. */
  #fast(view: View): void {
    const { id } = view;
    const votes = this.#group.electors(view.fastVotes);
    if (votes < this.#group.quorums.fast) fail('I5', id, `is decided fast by ${votes} votes`);
    if (view.proposals.has(keyOf(ZERO))) fail('I5', id, 'is decided fast beside a proposal');
    view.fastDecided = true;
  }

  /** A coordinator says that it is decided: the deps must be where §2.7 wants them. */
  decided(id: TxnId, path: Path): void {
    const view = this.#view(id);
    if (path === 'fast') this.#fast(view);
    else if (path !== 'invalidated') this.#checkStabilised(view);
  }

  #checkStabilised(view: View): void {
    const { quorums } = this.#group;
    if (view.fastDecided || view.stable || population(view.committedBy) >= quorums.slow) return;
    fail('I8', view.id, 'is called stable before a quorum has committed its deps');
  }

  /** Before a vote is answered with: who has promised does not vote any more. */
  answers(replica: Replica, message: ReplicaMessage): void {
    if (message.type !== 'PreAcceptOk') return;
    const command = replica.view.find(message.id);
    if (command === undefined || equal(command.promised, ZERO)) return;
    fail('I5', message.id, `gets a vote of node ${replica.view.self} after a promise`);
  }

  /** The most ballots that any transaction has taken. */
  get ballotsOfOne(): number {
    return Math.max(0, ...[...this.#views.values()].map((view) => view.ballots.size));
  }

  // ---- records ----------------------------------------------------------------------------

  /** After a replica has taken a message about this transaction. */
  stepped(replica: Replica, id: TxnId): void {
    const command = replica.view.find(id);
    if (command === undefined) return;
    const node = replica.view.self;
    this.#checkMonotone(node, command);
    this.#checkAgreement(node, command);
    const { definition, executeAt, status } = command;
    if (definition === undefined) return;
    this.#view(id).participants ??= definition;
    const counts = status >= Status.PreAccepted && status <= Status.Applied;
    if (!counts || executeAt === undefined || status === Status.AcceptedInvalidate) return;
    if (compare(replica.view.maxConflict(definition.participants), executeAt) < 0) {
      fail('I3', id, `is known at node ${node}, but its time is not witnessed there`);
    }
  }

  #checkMonotone(node: number, command: CommandView): void {
    const { promised, accepted, status, id } = command;
    const known = this.#of(this.#seen, node);
    const before = known.get(command.key);
    const now = { promised, accepted, status };
    known.set(command.key, now);
    if (before === undefined) return;
    if (compare(promised, before.promised) < 0) fail('I3', id, `node ${node} breaks a promise`);
    if (status < before.status && compareProgress(now, before) < 0) {
      fail('I3', id, `node ${node} goes back from status ${before.status} to ${status}`);
    }
  }

  /** I1, I2 and I16. */
  #checkAgreement(node: number, command: CommandView): void {
    const { id, status, executeAt } = command;
    const view = this.#view(id);
    if (status === Status.Invalidated) {
      if (view.decidedAt !== undefined) fail('I1', id, `is invalid at node ${node}, but decided`);
      view.invalidated = true;
      return;
    }
    if (!isDecided(status) || executeAt === undefined) return;
    if (view.invalidated) fail('I1', id, `is decided at node ${node}, but invalid elsewhere`);
    if (view.decidedAt === undefined) {
      view.decidedAt = executeAt;
      if (compare(id, this.#redundantBefore) < 0) {
        fail('I16', id, 'is decided below a settled mark');
      }
    } else if (!equal(view.decidedAt, executeAt)) {
      fail('I1', id, `is decided for two times (node ${node})`);
    }
  }

  becameStable(replica: Replica, id: TxnId, applied: ReadonlySet<string>): void {
    const command = replica.view.find(id);
    if (command?.deps === undefined || command.status < Status.Stable) return;
    this.#view(id).stable = true;
    this.#stable.push({ node: replica.view.self, id, deps: command.deps, applied });
  }

  /** I16: everything below that is ever decided is decided by now. */
  redundantUpTo(before: Timestamp): void {
    if (compare(before, this.#redundantBefore) > 0) this.#redundantBefore = before;
  }

  /** I11: what executes earlier has been executed here. */
  executed(replica: Replica, execution: Execution): void {
    const state = replica.view;
    const command = state.find(execution.id);
    for (const id of command?.deps ?? []) {
      const dep = state.find(id);
      if (dep === command || (dep === undefined && state.isRedundant(id))) continue;
      if (dep !== undefined && isTerminal(dep.status)) continue;
      if (dep !== undefined && executesLater(dep, execution.executeAt)) continue;
      fail('I11', execution.id, `executes at node ${state.self} before ${keyOf(id)}`);
    }
  }

  // ---- crashes ----------------------------------------------------------------------------

  /** I14: a node that has come back knows all that it ever said. */
  restarted(replica: Replica): void {
    const state = replica.view;
    const node = state.self;
    this.#seen.delete(node);
    const marks = this.#marksOf(node);
    if (compare(state.rejectBefore, marks.rejectBefore) < 0) {
      fail('I14', marks.rejectBefore, `rejectBefore lost at ${node}`);
    }
    if (compare(state.redundantBefore, marks.redundantBefore) < 0) {
      fail('I14', marks.redundantBefore, `node ${node} has lost the mark of what it settled`);
    }
    for (const claim of this.#of(this.#claims, node).values()) {
      if (state.isRedundant(claim.id)) continue;
      const command = state.find(claim.id);
      if (command === undefined) fail('I14', claim.id, `node ${node} has lost what it said`);
      else checkClaim(node, claim, command);
      this.stepped(replica, claim.id);
    }
  }

  // ---- the end ----------------------------------------------------------------------------

  /** I9: a transaction has every conflict that executes earlier among its deps, or theirs. */
  checkDependencies(meet: (a: View['participants'], b: View['participants']) => boolean): void {
    const versions = new Map<string, Deps[]>();
    for (const { id, deps } of this.#stable) {
      const key = keyOf(id);
      const known = versions.get(key);
      if (known === undefined) versions.set(key, [deps]);
      else known.push(deps);
    }
    const decided = [...this.#views.values()].filter((view) => view.decidedAt !== undefined);
    for (const { node, id, deps, applied } of this.#stable) {
      const view = this.#view(id);
      let reached: Set<string> | undefined;
      for (const earlier of decided) {
        const key = keyOf(earlier.id);
        if (earlier === view || applied.has(key) || includes(deps, earlier.id)) continue;
        if (compare(earlier.decidedAt as Timestamp, view.decidedAt ?? ZERO) >= 0) continue;
        if (!meet(earlier.participants, view.participants)) continue;
        reached ??= closure(deps, versions);
        if (!reached.has(key)) fail('I9', id, `is stable at node ${node} without ${key}`);
      }
    }
  }

  // ---- bookkeeping ------------------------------------------------------------------------

  #view(id: TxnId): View {
    const key = keyOf(id);
    const known = this.#views.get(key);
    if (known !== undefined) return known;
    const view: View = {
      id,
      participants: undefined,
      decidedAt: undefined,
      invalidated: false,
      fastVotes: 0,
      fastDecided: false,
      committedBy: 0,
      stable: false,
      ballots: new Set(),
      proposals: new Map(),
      acceptedBy: new Map(),
    };
    this.#views.set(key, view);
    return view;
  }

  #claim(node: number, id: TxnId): Claim {
    const claims = this.#of(this.#claims, node);
    const key = keyOf(id);
    const known = claims.get(key);
    if (known !== undefined) return known;
    const nothing = { vote: undefined, promised: ZERO, accepted: ZERO };
    const claim = { id, ...nothing, committed: false, settled: false };
    claims.set(key, claim);
    return claim;
  }

  #marksOf(node: number): { rejectBefore: Timestamp; redundantBefore: Timestamp } {
    const known = this.#marks.get(node);
    if (known !== undefined) return known;
    const marks = { rejectBefore: ZERO, redundantBefore: ZERO };
    this.#marks.set(node, marks);
    return marks;
  }

  #of<T>(all: Map<number, Map<string, T>>, node: number): Map<string, T> {
    const known = all.get(node);
    if (known !== undefined) return known;
    const fresh = new Map<string, T>();
    all.set(node, fresh);
    return fresh;
  }
}

function checkClaim(node: number, claim: Claim, command: CommandView): void {
  const { status, executeAt } = command;
  const settled = isTerminal(status);
  const forgot = (what: string): never => fail('I14', claim.id, `node ${node} forgot ${what}`);
  if (claim.settled && !settled) forgot('that it settled it');
  if (claim.committed && !isDecided(status)) forgot('that it committed it');
  if (!settled && compare(command.promised, claim.promised) < 0) forgot('a promise');
  if (status < Status.Committed && compare(command.accepted, claim.accepted) < 0) {
    forgot('what it accepted');
  }
  if (claim.vote === undefined || status > Status.PreAccepted) return;
  if (executeAt === undefined || !equal(executeAt, claim.vote)) forgot('its vote');
  const fast = equal(claim.vote, claim.id) && !isRejected(claim.vote);
  if (fast && !command.votedFast) forgot('that its vote was t0');
}

function sameTime(a: Timestamp | undefined, b: Timestamp | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return equal(a, b);
}

/** Every transaction reached through stable deps. */
function closure(deps: Deps, versions: ReadonlyMap<string, readonly Deps[]>): Set<string> {
  const reached = new Set<string>();
  const open: TxnId[] = [...deps];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const key = keyOf(id);
    if (reached.has(key)) continue;
    reached.add(key);
    for (const further of versions.get(key) ?? []) open.push(...further);
  }
  return reached;
}

function fail(rule: string, id: Timestamp, what: string): never {
  throw new ProtocolViolation(`${rule}: ${keyOf(id)} ${what}`);
}
