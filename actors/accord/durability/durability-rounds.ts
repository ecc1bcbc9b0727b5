/**
 * Forgetting, safely (accord.md §2.14, without a sync-point transaction). Once in a while a replica
 * leads a round for a time X that lies a little in the past:
 *
 *  1. Fence: every replica promises, durably, to witness no unknown transaction below X any more,
 *     and names those it knows. (As many as fit a message: X then becomes the end of the shortest
 *     answer, and the next round follows at once.) After a quorum with enough of the electorate
 *     has promised, a transaction below X that none of them named can never be decided: a later
 *     quorum of votes meets a refusal, and a recovery meets enough electors who never voted t0 to
 *     rule the fast path out. (One fenced replica proves nothing: the fast path may have done
 *     without it.)
 *  2. The leader gets all named transactions applied (or invalidated) here; then it has "settled
 *     before X" and sends the list of those that execute.
 *  3. A replica that has applied the whole list has settled before X as well. A transaction below X
 *     that is not in the list can never execute.
 *
 * Below the minimum of all members' marks everything is applied everywhere and may be forgotten.
 * The list is also how a replica that was away catches up. A member that is down stops the
 * forgetting, not the work, until it is passed over.
 */
import type { Command } from '../local/command.ts';
import { makeInvalidated } from '../local/execution.ts';
import type { Mark } from '../local/journal.ts';
import { lacksFacts, type ReplicaState } from '../local/replica-state.ts';
import type {
  AppliedHint,
  AppliedList,
  CatchUp,
  RejectBefore,
  RejectBeforeOk,
} from '../messages/messages.ts';
import { population } from '../primitives/bit-set.ts';
import { type Deps, decodeDeps, encodeDeps, union } from '../primitives/deps.ts';
import { isDecided, isTerminal, Status } from '../primitives/status.ts';
import { boundAt, compare, max, min, type Timestamp, type TxnId } from '../primitives/timestamp.ts';
import { AppliedHints } from './applied-hints.ts';

const NOT_SETTLED = 'it is not among the settled';

interface LedRound {
  readonly before: Timestamp;
  readonly base: Timestamp;
  readonly startedMs: number;
  promised: number;
  ids: Deps;
  /** The promises name every transaction below this. */
  end: Timestamp;
}

interface Task {
  readonly from: number;
  readonly before: Timestamp;
  /** Keys of all transactions that execute below `before`. */
  readonly executes: ReadonlySet<string>;
  /** The transactions that this replica still has to apply. */
  missing: readonly TxnId[];
  fetchAtMs: number;
}

const SECOND_US = 1_000_000;
/** A member is far behind by so many rounds. */
const LAG_ROUNDS = 4;

export class DurabilityRounds {
  readonly #state: ReplicaState;
  #round: LedRound | undefined;
  #task: Task | undefined;
  #nextRoundMs = 0;
  /** When the mark last moved, or nothing was there to be forgotten. */
  #movedMs: number | undefined;
  #catchUpAtMs = 0;
  /** Some member has told that it holds transactions. */
  #retaining = false;
  readonly #hints: AppliedHints;

  constructor(state: ReplicaState) {
    this.#state = state;
    this.#hints = new AppliedHints(state);
  }

  handle(
    from: number,
    message: AppliedHint | RejectBefore | RejectBeforeOk | AppliedList | CatchUp,
  ): void {
    switch (message.type) {
      case 'AppliedHint':
        return this.#hint(from, message);
      case 'RejectBefore':
        return this.#rejectBefore(from, message);
      case 'RejectBeforeOk':
        return this.#rejectBeforeOk(from, message);
      case 'AppliedList':
        return this.#list(from, message);
      case 'CatchUp':
        return this.#sendList(from, message.from);
    }
  }

  /** The log has been read. */
  restored(): void {
    this.#hints.restored();
  }

  peerUp(peer: number): void {
    this.#state.down.delete(peer);
    this.#hints.peerUp(peer);
  }

  peerDown(peer: number): void {
    this.#state.down.add(peer);
    this.#hints.peerDown(peer);
  }

  tick(): void {
    this.#hints.tick();
    this.#advanceRound();
    this.#advanceTask();
    this.#forget();
  }

  /**
   * When `tick` has something to do next, as long as no message comes and nothing is flushed;
   * infinite for a group in which no member has anything to forget.
   */
  get dueMs(): number {
    if (this.#round !== undefined || this.#task !== undefined) return 0;
    const hintsMs = this.#hints.dueMs;
    if (!this.#hasToForget()) return hintsMs;
    return Math.min(hintsMs, Math.max(this.#nextRoundMs, this.#leadsFromMs()));
  }

  #hint(from: number, message: AppliedHint): void {
    this.#hints.receive(from, message);
    if (message.retains) this.#retaining = true;
    if (compare(message.redundantBefore, this.#state.redundantBefore) > 0) {
      this.#lagging(from, message.redundantBefore);
    }
  }

  // ---- leading a round --------------------------------------------------------------------

  /**
   * When the leader makes no progress (because others refuse its fences, say), the next members
   * lead as well: two leaders at once do no harm.
   */
  #leadsFromMs(): number {
    const { self, group, down, nowMs, limits } = this.#state;
    const rank = group.leadRank(self, (node) => !down.has(node));
    return (this.#movedMs ?? nowMs) + limits.standInMs * rank;
  }

  #hasToForget(): boolean {
    return this.#state.commands.size > 0 || this.#retaining;
  }

  #advanceRound(): void {
    const state = this.#state;
    const { nowMs, limits, clock, self } = state;
    const round = this.#round;
    if (round !== undefined) {
      if (this.#closed(round.promised)) this.#finishRound(round);
      else if (nowMs - round.startedMs > 4 * limits.durabilityEveryMs) this.#round = undefined;
      return;
    }
    // An idle group was not ticked: the wait for the leader starts over.
    if (!this.#hasToForget()) this.#movedMs = undefined;
    else this.#movedMs ??= nowMs;
    if (nowMs < this.#nextRoundMs || this.#task !== undefined) return;
    if (nowMs < this.#leadsFromMs()) return;
    this.#nextRoundMs = nowMs + limits.durabilityEveryMs;
    const past = boundAt(clock.presentUs - limits.durabilityLagMs * 1_000);
    const before = this.#belowOpen(past);
    const base = state.redundantBefore;
    // A cluster that holds nothing to forget needs no rounds.
    if (compare(before, base) <= 0 || !this.#hasToForget()) return;
    this.#retaining = false;
    if (this.#isAllApplied() && this.#areTooFew()) {
      this.#redundantUpTo(before);
      return this.#hints.tellMark();
    }
    this.#round = { before, base, startedMs: nowMs, promised: 0, ids: [], end: before };
    state.trace('durability round');
    for (const peer of state.peers) state.send(peer, { type: 'RejectBefore', before, base });
    this.#rejectBefore(self, { type: 'RejectBefore', before, base });
  }

  /**
   * A round ends when all that it names is settled, so a higher fence would not let more be
   * forgotten. But where votes take longer than the fence stays behind, as on a slow disk, each
   * fence would refuse what is under way, and its recovery, and nothing would ever be settled.
   */
  #belowOpen(before: Timestamp): Timestamp {
    let lowest = before;
    for (const { id, status } of this.#state.unapplied) {
      if (!isTerminal(status) && compare(id, lowest) < 0) lowest = boundAt(id.hlc);
    }
    return lowest;
  }

  /** All that has an effect executes before the Close: lists of others name nothing new. */
  #isAllApplied(): boolean {
    const { ended, unapplied } = this.#state;
    return ended !== undefined && unapplied.size === 0;
  }

  /** The others have let go of the group, and would promise nothing. */
  #areTooFew(): boolean {
    const { group, isPassedOver } = this.#state;
    const left = group.members.filter((node) => !isPassedOver(node));
    return !this.#closed(left.reduce((bits, node) => bits | group.bit(node), 0));
  }

  /** No node can learn that a transaction which these members have not named was decided. */
  #closed(promised: number): boolean {
    const { group } = this.#state;
    const { slow, durabilityElectors } = group.quorums;
    return population(promised) >= slow && group.electors(promised) >= durabilityElectors;
  }

  #rejectBefore(from: number, message: RejectBefore): void {
    const state = this.#state;
    const { before, base } = message;
    if (state.clock.isTooFar(before)) return;
    // It cannot name all that the leader lacks, which was passed over.
    if (compare(base, state.durableBefore) < 0) return;
    // Every transaction that this node begins from now on lies above the fence.
    state.clock.observe(before);
    if (compare(before, state.rejectBefore) > 0) {
      state.rejectBefore = before;
      state.persist({ type: 'RejectBefore', before }, true);
    }
    const { ids, end } = state.idsBetween(base, before, () => true);
    state.reply(from, { type: 'RejectBeforeOk', before, base, ids: encodeDeps(ids), end });
  }

  #rejectBeforeOk(from: number, message: RejectBeforeOk): void {
    const round = this.#round;
    if (round === undefined || compare(message.before, round.before) !== 0) return;
    // While the clock stands still, a later round can have the same end and another beginning.
    if (compare(message.base, round.base) !== 0) return;
    round.promised |= this.#state.group.bit(from);
    round.ids = union(round.ids, decodeDeps(message.ids));
    round.end = min(round.end, message.end);
  }

  /** All named transactions are known here from now on, so the progress log settles them. */
  #finishRound(round: LedRound): void {
    const state = this.#state;
    if (compare(round.base, state.redundantBefore) !== 0) {
      // Another leader's list came first.
      this.#round = undefined;
      return;
    }
    let open = false;
    const named = new Set<string>();
    for (const id of round.ids) {
      if (compare(id, round.end) >= 0) break;
      const command = state.find(id) ?? state.open(id);
      if (!isTerminal(command.status)) open = true;
      named.add(command.key);
    }
    if (open) return;
    this.#round = undefined;
    if (compare(round.end, round.before) < 0) this.#nextRoundMs = state.nowMs;
    // A quorum has promised and did not name them: only this node knows them, too late.
    // This node names a transaction decided here meanwhile in the next round.
    if (!this.#invalidateUnlisted(state.self, 'RejectBeforeOk', round.end, named)) return;
    this.#redundantUpTo(round.end);
    // The list goes first: a member that hears of the new mark before it asks for it again.
    for (const peer of state.peers) this.#sendList(peer, round.base);
    this.#hints.tellMark();
  }

  // ---- following --------------------------------------------------------------------------

  /**
   * Sends the transactions that execute from `from` on, as far as settled and one message holds.
   * Where they are forgotten it says from when on it has them.
   */
  #sendList(to: number, from: Timestamp): void {
    const state = this.#state;
    const { durableBefore: base } = state;
    if (compare(from, base) < 0) {
      return state.reply(to, { type: 'AppliedList', base, before: base, ids: encodeDeps([]) });
    }
    if (compare(from, state.redundantBefore) >= 0) return;
    const applied = (command: Command): boolean => command.status === Status.Applied;
    const { ids, end } = state.idsBetween(from, state.redundantBefore, applied);
    state.reply(to, { type: 'AppliedList', base: from, before: end, ids: encodeDeps(ids) });
  }

  #lagging(peer: number, before: Timestamp): void {
    const { nowMs, limits, redundantBefore } = this.#state;
    if (this.#task !== undefined) return;
    // The list of a round usually comes right behind; ask only when it does not.
    const far = before.hlc - redundantBefore.hlc > 4 * limits.durabilityEveryMs * 1_000;
    if (far || nowMs > this.#catchUpAtMs) this.catchUp(peer);
  }

  /** Asks the peer for what was settled since our own mark. */
  catchUp(peer: number): void {
    const { nowMs, limits, redundantBefore } = this.#state;
    if (nowMs < this.#catchUpAtMs || this.#task !== undefined) return;
    this.#catchUpAtMs = nowMs + limits.durabilityEveryMs / 2;
    this.#state.send(peer, { type: 'CatchUp', from: redundantBefore });
  }

  #list(from: number, message: AppliedList): void {
    const state = this.#state;
    const { base, before } = message;
    if (compare(before, state.redundantBefore) <= 0 || this.#task !== undefined) return;
    if (compare(base, state.redundantBefore) > 0) {
      if (!this.#isAllApplied()) return this.catchUp(from);
      this.#redundantUpTo(base);
      return this.#hints.tellMark();
    }
    const ids = decodeDeps(message.ids).filter((id) => !state.isRedundant(id));
    const executes = new Set(ids.map((id) => state.open(id).key));
    this.#task = { from, before, executes, missing: ids, fetchAtMs: 0 };
    for (const command of state.order.from(state.redundantBefore)) {
      if (compare(command.id, before) >= 0) break;
      if (executes.has(command.key) || !isDecided(command.status)) continue;
      return this.#denied(from, 'AppliedList', command, NOT_SETTLED);
    }
    this.#advanceTask();
  }

  /**
   * Transactions below the mark and not in the list can never execute, even if first heard of now.
   * `false`: one of them is decided here, so the list is wrong.
   */
  #invalidateUnlisted(
    from: number,
    type: 'RejectBeforeOk' | 'AppliedList',
    before: Timestamp,
    executes: ReadonlySet<string>,
  ): boolean {
    const state = this.#state;
    const unlisted: Command[] = [];
    for (const command of state.unapplied) {
      if (compare(command.id, before) >= 0 || executes.has(command.key)) continue;
      if (isDecided(command.status)) {
        this.#denied(from, type, command, NOT_SETTLED);
        return false;
      }
      unlisted.push(command);
    }
    for (const command of unlisted) makeInvalidated(state, command);
    return true;
  }

  /** A list is wrong, or this node is: it is given up, another member's may do. */
  #denied(
    from: number,
    type: 'RejectBeforeOk' | 'AppliedList',
    command: Command,
    what: string,
  ): void {
    this.#task = undefined;
    this.#state.contradict(from, type, command, what);
  }

  #advanceTask(): void {
    const task = this.#task;
    const state = this.#state;
    if (task === undefined) return;
    if (!this.#invalidateUnlisted(task.from, 'AppliedList', task.before, task.executes)) return;
    const missing: TxnId[] = [];
    for (const id of task.missing) {
      const command = state.find(id);
      if (command?.status === Status.Invalidated) {
        return this.#denied(task.from, 'AppliedList', command, 'it is among the settled');
      }
      const applied = command?.status === Status.Applied;
      if (!applied && (command !== undefined || !state.isRedundant(id))) missing.push(id);
    }
    task.missing = missing;
    if (task.missing.length === 0) {
      this.#task = undefined;
      this.#redundantUpTo(task.before);
      this.#hints.tellMark();
      this.#catchUpAtMs = 0;
      for (const [peer, mark] of state.peerRedundantBefore) {
        if (compare(mark, state.redundantBefore) > 0 && !this.#state.down.has(peer)) {
          this.catchUp(peer);
        }
      }
      return;
    }
    if (state.nowMs < task.fetchAtMs) return;
    task.fetchAtMs = state.nowMs + 100;
    const unknown = task.missing.filter((id) => {
      const command = state.find(id);
      return command === undefined || lacksFacts(command);
    });
    if (unknown.length === 0) return;
    const to = this.#state.down.has(task.from) ? this.#someoneElse(task) : task.from;
    state.send(to, { type: 'Fetch', ids: encodeDeps(unknown) });
  }

  #someoneElse(task: Task): number {
    for (const [peer, mark] of this.#state.peerRedundantBefore) {
      if (!this.#state.down.has(peer) && compare(mark, task.before) >= 0) return peer;
    }
    return task.from;
  }

  #redundantUpTo(before: Timestamp): void {
    const state = this.#state;
    if (compare(before, state.redundantBefore) <= 0) return;
    state.redundantBefore = before;
    this.#movedMs = state.nowMs;
    state.persist({ type: 'RedundantBefore', before }, false);
  }

  // ---- forgetting -------------------------------------------------------------------------

  /** Drops whole seconds that every member has settled and that this node has flushed. */
  #forget(): void {
    const state = this.#state;
    let everywhere = state.redundantBefore;
    for (const [peer, mark] of state.peerRedundantBefore) {
      if (compare(mark, everywhere) < 0 && !state.isPassedOver(peer)) everywhere = mark;
    }
    if (compare(everywhere, state.durableBefore) <= 0) return;
    const commands = state.order.takeBelow(this.#forgettableBefore(everywhere));
    const last = commands.at(-1);
    if (last === undefined) return;
    for (const command of commands) state.forget(command);
    state.durableBefore = max(state.durableBefore, secondOf(last.id, 1));
    this.repeatMarks();
  }

  /**
   * Members for whose sake records are kept that would be forgotten by now: those that are down,
   * and those that are far behind for whatever reason.
   */
  laggards(): readonly number[] {
    const { peerRedundantBefore, order, down, limits, clock, isPassedOver } = this.#state;
    const [oldest] = order;
    if (oldest === undefined) return [];
    const { durabilityLagMs, durabilityEveryMs, standInMs } = limits;
    const usualUs = 1_000 * (durabilityLagMs + LAG_ROUNDS * durabilityEveryMs) + SECOND_US;
    const ageUs = clock.presentUs - oldest.id.hlc;
    return [...peerRedundantBefore].flatMap(([peer, mark]) => {
      const isHeldFor = compare(mark, oldest.id) <= 0 && !isPassedOver(peer);
      const ageUsMax = usualUs + (down.has(peer) ? 0 : 2_000 * standInMs);
      return isHeldFor && ageUs > ageUsMax ? [peer] : [];
    });
  }

  /**
   * The log may go below the oldest record of a transaction: what else must be found again at a
   * start is written once more, above that.
   */
  repeatMarks(): void {
    const state = this.#state;
    const { rejectBefore, redundantBefore, durableBefore } = state;
    state.persist({ type: 'RejectBefore', before: rejectBefore }, false);
    state.persist({ type: 'RedundantBefore', before: redundantBefore }, false);
    state.persist({ type: 'DurableBefore', before: durableBefore }, false);
    state.persistLife();
    state.effects.push({ type: 'LogNeeded', fromLsn: this.oldestLsn() });
  }

  /** The beginning of the first second that must be kept. */
  #forgettableBefore(everywhere: Timestamp): Timestamp {
    const end = secondOf(everywhere);
    for (const command of this.#state.order) {
      if (compare(command.id, end) >= 0) return end;
      if (!this.#erasable(command, everywhere)) return secondOf(command.id);
    }
    return end;
  }

  /**
   * Records without an LSN yet are not durable, so they lie above; 0 while there are only such.
   * When nothing is held, nothing is needed.
   */
  oldestLsn(): number {
    const { commands, logged } = this.#state;
    if (commands.size === 0) return Number.MAX_SAFE_INTEGER;
    return logged.oldestLsn() ?? 0;
  }

  #erasable(command: Command, everywhere: Timestamp): boolean {
    if (!isTerminal(command.status)) return false;
    // The other groups of a transaction may find its outcome nowhere else.
    if (this.#state.undurable.has(command)) return false;
    if (command.sequence > this.#state.flushedSequence) return false;
    return command.executeAt === undefined || compare(command.executeAt, everywhere) < 0;
  }

  restore(record: Mark): void {
    const state = this.#state;
    const { before } = record;
    if (record.type === 'RejectBefore') state.rejectBefore = max(state.rejectBefore, before);
    else if (record.type === 'RedundantBefore') {
      state.redundantBefore = max(state.redundantBefore, before);
    } else state.durableBefore = max(state.durableBefore, before);
  }

  /** Its records are still in an old segment, but it was forgotten before the restart. */
  wasErased(command: Command): boolean {
    const { durableBefore } = this.#state;
    return compare(command.id, durableBefore) < 0;
  }
}

/** The beginning of its second, or of a later one. */
function secondOf({ hlc }: Timestamp, later = 0): Timestamp {
  return boundAt((Math.floor(hlc / SECOND_US) + later) * SECOND_US);
}
