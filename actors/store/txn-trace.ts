/**
 * The notes of a store's actors about transactions: the messages that concern one, as they leave
 * and arrive, and its steps. For all transactions, always; see `txn-ring.ts` for what that costs.
 */
import type { Part } from '../../transport/resp/connection/part.ts';
import type { Path } from '../accord/coordinate/coordinator.ts';
import type { SpanningConclusion } from '../accord/coordinate/spanning-recovery.ts';
import type { Execution } from '../accord/local/effects.ts';
import type { ReplicaMessage } from '../accord/local/replica.ts';
import type { BareOk } from '../accord/messages/bare-ok.ts';
import { decodeDeps } from '../accord/primitives/deps.ts';
import {
  type Participants,
  participantsOf,
  WHOLE_STORE,
} from '../accord/primitives/participants.ts';
import { keyOf, type TxnId } from '../accord/primitives/timestamp.ts';
import type { Group } from '../accord/topology/group.ts';
import { type GroupId, groupKey } from '../accord/topology/group-id.ts';
import { KEEP_EVERY_MS, KeptTxns, type SlowTransaction } from '../runtime/trace/kept-txns.ts';
import type { TraceRecorder } from '../runtime/trace/trace-recorder.ts';
import type { TxnRing } from '../runtime/trace/txn-ring.ts';
import { MESSAGE_CODES, STEP_CODES, type TxnStep, tracedTurn } from '../runtime/trace/txn-steps.ts';

/** Deps of one transaction that are noted by name; of those beyond, the number is. */
const DEPS_NOTED_MAX = 8;

/** Keys of one transaction that it is found by; one on more of them is found by any key. */
const KEYS_NOTED_MAX = 1_024;

/** A client's part that has been answered. */
interface Answered {
  readonly part: Pick<Part, 'count' | 'participants' | 'wholeStore'>;
  readonly isWide?: boolean;
}

/** Codes of the messages that name a transaction; below 0 for the others. */
const CODES: Readonly<Record<ReplicaMessage['type'], number>> = Object.freeze({
  ...MESSAGE_CODES,
  BeginRead: -1,
  LookAfter: -1,
  ReadBarrier: -1,
  ReadBarrierOk: -1,
  AppliedHint: -1,
  RejectBefore: -1,
  RejectBeforeOk: -1,
  AppliedList: -1,
  Fetch: -1,
  CatchUp: -1,
});

export class TxnTrace {
  readonly #recorder: TraceRecorder;
  readonly #ring: TxnRing;
  #collectAtMs = 0;

  constructor(recorder: TraceRecorder) {
    this.#recorder = recorder;
    this.#ring = recorder.txns;
  }

  /** The present time, as the caller has just read it. */
  at(nowMs: number): number {
    this.#ring.atMs = nowMs;
    return nowMs;
  }

  sent(group: GroupId, to: number, message: ReplicaMessage): void {
    if (!this.#ring.isOn) return;
    const code = CODES[message.type];
    if (code < 0 || !('id' in message)) return;
    const value = markOf(message);
    this.#ring.out(this.#recorder.current, code, group, message.id, to, value);
  }

  received(group: GroupId, from: number, message: ReplicaMessage): void {
    if (!this.#ring.isOn) return;
    const code = CODES[message.type];
    if (code < 0 || !('id' in message)) return;
    const value = markOf(message);
    this.#ring.in(this.#recorder.current, code, group, message.id, from, value);
  }

  /** Plain answers that were counted below the actors. */
  counted(group: Group, { round, id, ballot, members }: BareOk): void {
    const code = MESSAGE_CODES[`${round}Ok`];
    const value = round === 'PreAccept' ? id.hlc : ballot.hlc;
    for (const from of group.members) {
      if ((members & group.bit(from)) === 0) continue;
      this.#ring.in(this.#recorder.current, code, group.id, id, from, value);
    }
  }

  begun(group: GroupId, id: TxnId, commands: number, waitedMs: number): void {
    this.#ring.step(
      this.#recorder.current,
      STEP_CODES.begin,
      group,
      id,
      waitedMs,
      Math.min(commands, 2 ** 32 - 1),
    );
  }

  decided(group: GroupId, id: TxnId, path: Path): void {
    this.step(group, id, path);
    if (path !== 'recovered' && path !== 'invalidated') return;
    const begunMs = this.#recorder.timeUs(0) / 1_000;
    const tookMs = Math.max(0, begunMs + this.#ring.atMs - id.hlc / 1_000);
    this.#keep(group, id, tookMs, [], 'recovered');
  }

  concluded(group: GroupId, id: TxnId, conclusion: SpanningConclusion['type']): void {
    this.step(group, id, `recovery: ${conclusion}`);
  }

  /** The deps that it is decided with. */
  deps(group: GroupId, id: TxnId, encoded: Uint8Array): void {
    if (encoded.length === 0 || !this.#ring.isOn) return;
    for (const dep of decodeDeps(encoded).slice(-DEPS_NOTED_MAX)) {
      this.#ring.stepOn(this.#recorder.current, STEP_CODES.dep, group, id, dep);
    }
  }

  waits(group: GroupId, id: TxnId, on: TxnId): void {
    this.#ring.stepOn(this.#recorder.current, STEP_CODES.waits, group, id, on);
  }

  step(group: GroupId, id: TxnId, step: TxnStep, value = 0): void {
    this.#ring.step(this.#recorder.current, STEP_CODES[step], group, id, value);
  }

  /** Replica to executor: its place in the order is fixed. */
  ordered(group: GroupId, { id, sequence }: Execution): void {
    this.#ring.out(this.#recorder.current, MESSAGE_CODES.Execute, group, id, 0, sequence);
  }

  handed(group: GroupId, { id, sequence }: Execution): void {
    this.#ring.in(this.#recorder.current, MESSAGE_CODES.Execute, group, id, 0, sequence);
  }

  executed(group: GroupId, { id, sequence }: Execution, isAwaited: boolean): void {
    const actor = this.#recorder.current;
    this.#ring.step(actor, STEP_CODES.executed, group, id, sequence);
    if (isAwaited) this.#ring.out(actor, MESSAGE_CODES.Executed, group, id, 0, 0);
  }

  /** The clients have been answered, so long after the first of them had asked. */
  answered(group: GroupId, id: TxnId, tookMs: number, pendings: readonly Answered[]): void {
    const actor = this.#recorder.current;
    this.#ring.in(actor, MESSAGE_CODES.Executed, group, id, 0, 0);
    this.#ring.step(actor, STEP_CODES.answered, group, id, tookMs);
    if (tookMs >= this.#recorder.slowMs) this.#keep(group, id, tookMs, pendings, 'slow');
    else if (KeptTxns.isSample(id)) this.#keep(group, id, tookMs, pendings, 'sampled');
  }

  /** Remembered beyond the ring, here and at the peers. */
  #keep(
    group: GroupId,
    id: TxnId,
    tookMs: number,
    pendings: readonly Answered[],
    why: SlowTransaction['why'],
  ): void {
    const commands = commandsOf(pendings);
    const txn = `${groupKey(group)}/${keyOf(id)}`;
    const atUs = this.#recorder.timeUs(this.#ring.atMs);
    const footprint = footprintOf(pendings);
    this.#recorder.kept.ended({ id, tookMs }, footprint, { txn, atUs, tookMs, commands, why });
  }

  /** To be called on a tick. */
  collect(nowMs: number): void {
    if (nowMs < this.#collectAtMs) return;
    this.#collectAtMs = nowMs + KEEP_EVERY_MS;
    this.#recorder.kept.collect(nowMs);
  }

  /** Between a replica and the log, of one turn. */
  ofLog(kind: 'out' | 'in', message: 'Append' | 'Durable', store: number, token: number): void {
    const { current } = this.#recorder;
    this.#ring.ofNode(current, kind, MESSAGE_CODES[message], tracedTurn(store, token));
  }
}

export function commandsOf(pendings: readonly Answered[]): number {
  return pendings.reduce((sum, { part }) => sum + part.count, 0);
}

/** So that transactions are found by their keys. */
function footprintOf(pendings: readonly Answered[]): Participants {
  const keys = pendings.reduce((sum, { part }) => sum + part.participants.length, 0);
  const isWhole = pendings.some(({ part, isWide }) => part.wholeStore || isWide);
  if (keys > KEYS_NOTED_MAX || isWhole) return WHOLE_STORE;
  return participantsOf(pendings.flatMap(({ part }) => part.participants));
}

/** A time, or a ballot: it tells apart two messages of one kind. */
function markOf(message: ReplicaMessage & { readonly type: string }): number {
  switch (message.type) {
    case 'PreAcceptOk':
      return message.vote.hlc;
    case 'Accept':
    case 'Commit':
    case 'Stable':
      return message.executeAt.hlc;
    case 'AcceptOk':
    case 'CommitOk':
    case 'AcceptInvalidate':
    case 'AcceptInvalidateOk':
    case 'Nack':
    case 'BeginRecovery':
    case 'RecoverOk':
      return message.ballot.hlc;
    case 'StatusReply':
      return message.status;
    default:
      return 0;
  }
}
