/**
 * The order of execution on one replica (accord.md §2.8): a stable transaction waits for those of
 * its deps that execute before it, then it is handed to the executor. Waits go strictly down in
 * executeAt, so there are no cycles; transactions are handed over in that order.
 */

import type { Deps } from '../primitives/deps.ts';
import { isMoved as isMovedByReads, MOVED } from '../primitives/spanning-body.ts';
import { Status } from '../primitives/status.ts';
import { isClose, isSpanning, type Timestamp, type TxnId } from '../primitives/timestamp.ts';
import { decodeSuccessors } from '../topology/close-body.ts';
import { Command, type Definition, type Waiter } from './command.ts';
import { executesLater, type ReplicaState } from './replica-state.ts';

/** Deps that a transaction waits for and traces name; the others are waited for alike. */
const WAITS_TRACED_MAX = 8;

/** A read that looks at the applied state once everything it must see is part of it. */
export class ReadWaiter implements Waiter {
  readonly executeAt = undefined;
  waitingOn = 0;
  readonly token: number;
  readonly barrierSequence: number;

  constructor(token: number, barrierSequence: number) {
    this.token = token;
    this.barrierSequence = barrierSequence;
  }
}

/** Takes the final executeAt and deps, then executes as soon as the deps allow. */
export function makeStable(
  state: ReplicaState,
  command: Command,
  executeAt: Timestamp,
  deps: Deps,
): void {
  if (command.definition === undefined) throw new Error(`${command.key}: stable, but undefined`);
  command.status = Status.Stable;
  command.executeAt = executeAt;
  command.deps = deps;
  state.clock.observe(executeAt);
  state.index.bump(command.definition.participants, executeAt);
  state.transition(command, { type: 'Stable', id: command.id, executeAt, deps }, false);
  releaseEarlier(state, command);
  awaitDeps(state, command);
}

/** Of a stable transaction over several groups: takes what it has read in all of them. */
export function makePreApplied(state: ReplicaState, command: Command, reads: Uint8Array): void {
  command.status = Status.PreApplied;
  state.keepReads(command, reads);
  state.transition(command, { type: 'PreApplied', id: command.id, reads }, true);
  answerReaders(state, command, reads);
  if (command.waitingOn === 0) handOver(state, command);
}

/** Those who wait for its read here learn what was read in all groups. */
function answerReaders(state: ReplicaState, command: Command, reads: Uint8Array): void {
  const { id, readers } = command;
  command.readers = [];
  for (const { node, ballot } of readers) {
    state.reply(node, { type: 'ReadOk', id, ballot, entries: null, reads });
  }
}

/** Builds the waiting set; hands over at once when it is empty. */
export function awaitDeps(state: ReplicaState, command: Command): void {
  command.waitingOn = 0;
  for (const id of command.deps ?? []) {
    const dep = known(state, id);
    const before = command.waitingOn;
    if (dep !== undefined && dep !== command) state.waitFor(command, dep);
    const waits = command.waitingOn > before;
    if (waits && before < WAITS_TRACED_MAX) state.trace('waits', command.id, id);
  }
  if (command.waitingOn === 0) handOver(state, command);
}

/** Waits for all the transactions, whatever their time; then the `Read` effect. */
export function awaitRead(
  state: ReplicaState,
  read: ReadWaiter,
  ids: Deps,
  concerns: (command: Command) => boolean,
): void {
  for (const id of ids) {
    const command = known(state, id);
    if (command !== undefined && concerns(command)) state.waitFor(read, command);
  }
  if (read.waitingOn === 0) handOverRead(state, read);
}

/** Behind the end of the group there is nothing to be read. */
function handOverRead(state: ReplicaState, { token, barrierSequence }: ReadWaiter): void {
  if (state.ended !== undefined) {
    state.effects.push({ type: 'ReadMoved', token });
    return;
  }
  state.effects.push({ type: 'Read', token, barrierSequence });
}

/**
 * The record of a transaction that another depends on. An unknown one gets a record, so that the
 * progress log resolves it; below `redundantBefore` there is nothing left to wait for.
 */
function known(state: ReplicaState, id: TxnId): Command | undefined {
  const command = state.find(id);
  if (command !== undefined) return command;
  return state.isRedundant(id) ? undefined : state.open(id);
}

/** It can never execute: its waiters are released. */
export function makeInvalidated(state: ReplicaState, command: Command): void {
  command.status = Status.Invalidated;
  state.transition(command, { type: 'Invalidated', id: command.id }, false);
  state.index.remove(command);
  for (const commands of state.unappliedBy.values()) commands.delete(command);
  state.settled(command);
  if (command.id.node === state.self) state.effects.push({ type: 'Refused', id: command.id });
  release(state, command.waiters);
  command.waiters = [];
}

/** Now that its time is known, those that execute before it need not wait. */
function releaseEarlier(state: ReplicaState, command: Command): void {
  if (command.waiters.length === 0) return;
  const free = (waiter: Waiter): boolean =>
    waiter.executeAt !== undefined && executesLater(command, waiter.executeAt);
  const released = command.waiters.filter(free);
  if (released.length === 0) return;
  command.waiters = command.waiters.filter((waiter) => !free(waiter));
  release(state, released);
}

function release(state: ReplicaState, waiters: readonly Waiter[]): void {
  for (const waiter of waiters) {
    waiter.waitingOn -= 1;
    if (waiter.waitingOn > 0) continue;
    if (waiter instanceof Command) handOver(state, waiter);
    else if (waiter instanceof ReadWaiter) handOverRead(state, waiter);
  }
}

/**
 * Gives it the next place in the order, then its waiters, then theirs, without recursion.
 */
function handOver(state: ReplicaState, first: Command): void {
  const ready: Command[] = [first];
  for (let at = 0; at < ready.length; at += 1) {
    const command = ready[at] as Command;
    if (!execute(state, command)) continue;
    for (const waiter of command.waiters) {
      waiter.waitingOn -= 1;
      if (waiter.waitingOn > 0) continue;
      if (waiter instanceof Command) ready.push(waiter);
      else if (waiter instanceof ReadWaiter) handOverRead(state, waiter);
    }
    command.waiters = [];
  }
}

/** `false`: over several groups, it is read at this place, and applied when all have been read. */
function execute(state: ReplicaState, command: Command): boolean {
  const { definition, executeAt, id, reads, status } = command;
  if (definition === undefined || executeAt === undefined) return false;
  if (isSpanning(id) && status !== Status.PreApplied) {
    if (command.readers.length > 0) readAt(state, command);
    return false;
  }
  command.status = Status.Applied;
  const isMoved = state.ended !== undefined || isMovedByReads(reads);
  if (state.ended === undefined) place(state, command, definition, executeAt);
  // It has no place, and no effect.
  else state.transition(command, { type: 'Applied', id, sequence: 0 }, false);
  if (isMoved && id.node === state.self) state.effects.push({ type: 'Moved', id });
  state.settled(command);
  return true;
}

/** The next place in the order is its own; behind a Close there is none. */
function place(
  state: ReplicaState,
  command: Command,
  { participants, body }: Definition,
  executeAt: Timestamp,
): void {
  const { id, reads } = command;
  state.sequence += 1;
  const { sequence } = state;
  command.sequence = sequence;
  state.transition(command, { type: 'Applied', id, sequence }, false);
  const execution = { id, executeAt, participants, body, reads, sequence, isRepeated: false };
  state.effects.push({ type: 'Execute', execution });
  if (isClose(id)) state.end(id, executeAt, decodeSuccessors(body));
}

/** All that it must see is applied; what conflicts and executes later waits for it. */
export function readAt(state: ReplicaState, command: Command): void {
  const { id, definition, executeAt } = command;
  if (definition === undefined || executeAt === undefined) return;
  if (state.ended !== undefined) return answerReaders(state, command, MOVED);
  state.effects.push({ type: 'ReadAt', id, executeAt, body: definition.body });
}
