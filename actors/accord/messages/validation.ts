/**
 * Validates a message of a peer before it is used: one row per message type, one check per field,
 * and a rule for the fields together and for the members that may send them. Pure. A message that
 * passes cannot make the replica or the coordinator throw, and every timestamp in it is one that
 * some member may have minted. Its content may still be false: a peer that breaks the protocol
 * consistently cannot be told from a correct one.
 */

import { isStable, Status } from '../primitives/status.ts';
import {
  type Ballot,
  compare,
  equal,
  Flags,
  isSameKind,
  isSpanning,
  readTimestamp,
  TIMESTAMP_BYTES,
  type Timestamp,
} from '../primitives/timestamp.ts';
import type { Group } from '../topology/group.ts';
import {
  FieldValidator,
  type FieldValidatorOptions,
  type Judgement,
  wholeNumber,
} from './field-validation.ts';
import {
  type AccordMessage,
  type CommandDefinition,
  isForCoordinator,
  ownerOf,
  type PreAcceptOk,
  type RecoverOk,
  type RejectBeforeOk,
  type Round,
  type StatusReply,
} from './messages.ts';

const KIND_MASK = 0x7fff;
const STATUS_MAX = Status.Truncated;
const ROUNDS: ReadonlySet<unknown> = new Set<Round>([
  'PreAccept',
  'Accept',
  'AcceptInvalidate',
  'Commit',
  'BeginRecovery',
  'Read',
  'Apply',
]);
const NACK_REASONS: ReadonlySet<unknown> = new Set([
  'promised',
  'decided',
  'insufficient',
  'truncated',
  'skewed',
]);

/** Of one message. */
const UNKNOWN_FIELDS_MAX = 16;

type Check = (fields: FieldValidator, value: unknown) => Judgement;

interface Row<M extends AccordMessage> {
  readonly definition?: 'required' | 'optional';
  readonly fields: { readonly [F in Exclude<keyof M, 'type' | 'slots' | 'body'>]-?: Check };
  /** Called with all fields sound. */
  readonly rule?: (message: M, from: number, self: number) => Judgement;
}

type Rows = { readonly [T in AccordMessage['type']]: Row<Extract<AccordMessage, { type: T }>> };

const id: Check = (fields, value) => fields.timestamp(value);
const vote: Check = (fields, value) => fields.vote(value);
const ballot: Check = (fields, value) => fields.ballot(value);
const bytes: Check = (fields, value) => fields.bytes(value);
const mark: Check = (fields, value) => fields.mark(value);
const ids: Check = (fields, value) => fields.ids(value);
const yesOrNo: Check = (_fields, value) => (typeof value === 'boolean' ? undefined : 'shape');
const token: Check = (_fields, value) => wholeNumber(value, Number.MAX_SAFE_INTEGER);
const status: Check = (_fields, value) => wholeNumber(value, STATUS_MAX);
const round: Check = (_fields, value) => (ROUNDS.has(value) ? undefined : 'shape');
const nackReason: Check = (_fields, value) => (NACK_REASONS.has(value) ? undefined : 'shape');

function orNull(check: Check): Check {
  return (fields, value) => (value === null ? undefined : check(fields, value));
}

const PROPOSAL = { id, ballot, executeAt: id, deps: ids };
const ACKNOWLEDGEMENT = { id, ballot };
const SPAN = { base: mark, before: mark, ids };

const ROWS: Rows = {
  PreAccept: {
    definition: 'required',
    fields: { id, deps: ids },
    rule: (message, from) =>
      message.id.node === from ? idsBelow(message.deps, message.id) : 'sender',
  },
  PreAcceptOk: {
    fields: { id, vote, deps: orNull(ids) },
    rule: preAcceptOk,
  },
  Accept: { definition: 'optional', fields: PROPOSAL, rule: proposal },
  AcceptOk: { fields: { id, ballot, deps: ids }, rule: answer },
  AcceptInvalidate: { fields: ACKNOWLEDGEMENT, rule: request },
  AcceptInvalidateOk: { fields: ACKNOWLEDGEMENT, rule: answer },
  Commit: { definition: 'optional', fields: PROPOSAL, rule: proposal },
  CommitOk: { fields: ACKNOWLEDGEMENT, rule: answer },
  Stable: { definition: 'optional', fields: { id, executeAt: id, deps: ids }, rule: timeAndDeps },
  Read: { fields: ACKNOWLEDGEMENT, rule: ofSeveral(request) },
  ReadOk: {
    fields: { id, ballot, entries: orNull(bytes), reads: orNull(bytes) },
    rule: (message, from, self) => {
      if ((message.entries === null) === (message.reads === null)) return 'sense';
      return ofSeveral(answer)(message, from, self);
    },
  },
  Apply: {
    definition: 'optional',
    fields: { id, ballot, executeAt: id, deps: ids, reads: bytes },
    rule: (message, from, self) => ofSeveral(request)(message, from, self) ?? timeAndDeps(message),
  },
  ApplyOk: { fields: ACKNOWLEDGEMENT, rule: ofSeveral(answer) },
  InformDurable: { fields: { id }, rule: ofSeveral(() => undefined) },
  CommitInvalidate: { fields: { id } },
  Nack: {
    fields: { id, round, ballot, reason: nackReason, promised: ballot },
    rule: answer,
  },
  BeginRecovery: {
    definition: 'optional',
    fields: { id, ballot },
    rule: (message, from, self) =>
      message.ballot.node === 0 ? 'sense' : request(message, from, self),
  },
  RecoverOk: {
    definition: 'optional',
    fields: {
      id,
      ballot,
      status,
      accepted: ballot,
      executeAt: orNull(vote),
      coordinated: orNull(ids),
      local: orNull(ids),
      votedFast: yesOrNo,
      rejectsFastPath: yesOrNo,
      wait: ids,
      noWait: ids,
      reads: orNull(bytes),
    },
    rule: recoverOk,
  },
  CheckStatus: { fields: { id } },
  StatusReply: {
    definition: 'optional',
    fields: {
      id,
      status,
      promised: ballot,
      accepted: ballot,
      executeAt: orNull(id),
      deps: orNull(ids),
      reads: orNull(bytes),
    },
    rule: statusReply,
  },
  ReadBarrier: { fields: { token, redundantBefore: mark, after: mark } },
  ReadBarrierOk: { fields: { token, ids, behind: yesOrNo } },
  AppliedHint: { fields: { ids, redundantBefore: mark, retains: yesOrNo, asks: yesOrNo } },
  RejectBefore: {
    fields: { before: mark, base: mark },
    rule: ({ base, before }) => (compare(base, before) < 0 ? undefined : 'sense'),
  },
  RejectBeforeOk: { fields: { ...SPAN, end: mark }, rule: rejectBeforeOk },
  AppliedList: { fields: SPAN, rule: list },
  Fetch: { fields: { ids } },
  CatchUp: { fields: { from: mark } },
};

/** As the judge walks it: no look-up by name that a message could lead astray. */
interface CompiledRow {
  readonly names: readonly string[];
  readonly checks: readonly Check[];
  readonly definition: 'required' | 'optional' | undefined;
  readonly rule: ((message: never, from: number, self: number) => Judgement) | undefined;
}

const COMPILED: ReadonlyMap<unknown, CompiledRow> = new Map(
  Object.entries(ROWS).map(([type, row]: [string, Row<never>]) => [
    type,
    {
      names: Object.keys(row.fields),
      checks: Object.values(row.fields) as Check[],
      definition: row.definition,
      rule: row.rule,
    },
  ]),
);

/** Every message type; labels of a metric. */
export const MESSAGE_TYPES = Object.keys(ROWS) as readonly AccordMessage['type'][];

export class MessageValidator {
  readonly #self: number;
  readonly #group: Group;
  readonly #fields: FieldValidator;

  constructor(options: FieldValidatorOptions & { readonly self: number }) {
    this.#self = options.self;
    this.#group = options.group;
    this.#fields = new FieldValidator(options);
  }

  /**
   * The defect of a message of this member; undefined when it is sound. Fields that this release
   * does not know are taken off: a newer one may send them, and does without them.
   */
  judge(from: number, message: object): Judgement {
    const values = message as Readonly<Record<string, unknown>>;
    const row = COMPILED.get(values['type']);
    if (row === undefined) return 'type';
    const isOfSeveral = isSpanningId(values['id']);
    const mayTell = this.#group.bit(from) !== 0 || (isOfSeveral && this.#isRequest(from, values));
    if (from === this.#self || !mayTell) return 'sender';
    const { names, checks, definition, rule } = row;
    this.#fields.begin();
    let expected = names.length + 1;
    if (definition !== undefined) {
      const { slots, body } = values;
      if (slots !== undefined || body !== undefined || definition === 'required') {
        const defect = this.#fields.definition(slots, body, values['id']);
        if (defect !== undefined) return defect;
        expected += 2;
      }
    }
    for (let at = 0; at < checks.length; at += 1) {
      const defect = (checks[at] as Check)(this.#fields, values[names[at] as string]);
      if (defect !== undefined) return defect;
    }
    const count = Object.keys(values).length;
    if (count < expected || count > expected + UNKNOWN_FIELDS_MAX) return 'shape';
    if (count > expected) dropUnknown(message, names, expected - names.length > 1);
    return rule?.(message as never, from, this.#self);
  }

  /** A node that is no member coordinates a transaction over several groups. */
  #isRequest(from: number, message: object): boolean {
    return !isForCoordinator(message as { readonly type: string }) && this.#fields.isNode(from);
  }
}

function dropUnknown(message: object, names: readonly string[], isDefined: boolean): void {
  for (const name of Object.keys(message)) {
    const isKnown = name === 'type' || names.includes(name);
    if (isKnown || (isDefined && (name === 'slots' || name === 'body'))) continue;
    delete (message as Record<string, unknown>)[name];
  }
}

function isSpanningId(value: unknown): boolean {
  return typeof value === 'object' && value !== null && isSpanning(value as Timestamp);
}

// ---- rules ----------------------------------------------------------------------------------

interface Requested {
  readonly id: Timestamp;
  readonly ballot: Ballot;
}

function request(message: Requested, from: number, _self: number): Judgement {
  return ownerOf(message).node === from ? undefined : 'sender';
}

function answer(message: Requested, _from: number, self: number): Judgement {
  return ownerOf(message).node === self ? undefined : 'sender';
}

/** Only transactions over several groups have such a message. */
function ofSeveral<M extends { readonly id: Timestamp }>(
  rule: (message: M, from: number, self: number) => Judgement,
): (message: M, from: number, self: number) => Judgement {
  return (message, from, self) => (isSpanning(message.id) ? rule(message, from, self) : 'sense');
}

function timeAndDeps(message: {
  readonly id: Timestamp;
  readonly executeAt: Timestamp;
  readonly deps: Uint8Array;
}): Judgement {
  const { id: txn, executeAt, deps } = message;
  if (!isSameKind(executeAt, txn)) return 'sense';
  return compare(executeAt, txn) < 0 ? 'sense' : idsBelow(deps, executeAt);
}

function proposal(
  message: Requested & { readonly executeAt: Timestamp; readonly deps: Uint8Array },
  from: number,
  self: number,
): Judgement {
  return request(message, from, self) ?? timeAndDeps(message);
}

/** A vote is t0, or a time that the voter itself has minted, later than t0 unless it refuses. */
function preAcceptOk(message: PreAcceptOk, from: number, self: number): Judgement {
  const { id: txn, vote: its, deps } = message;
  if (txn.node !== self) return 'sender';
  return voteOf(its, txn, from) ?? (deps === null ? undefined : idsBelow(deps, txn));
}

function voteOf(its: Timestamp, txn: Timestamp, from: number): Judgement {
  const refuses = (its.flags & Flags.REJECTED) !== 0;
  if (!isSameKind(its, txn)) return 'sense';
  if (equal(its, txn)) return refuses ? 'sense' : undefined;
  if (its.node !== from) return 'sender';
  return refuses || compare(its, txn) > 0 ? undefined : 'sense';
}

function recoverOk(message: RecoverOk, from: number, self: number): Judgement {
  const { id: txn, status: its, executeAt, coordinated, local, votedFast, body } = message;
  const owner = answer(message, from, self);
  if (owner !== undefined) return owner;
  if (its === Status.Truncated || !areReadsSound(message)) return 'sense';
  const known = its !== Status.NotDefined && its !== Status.AcceptedInvalidate;
  if (known && its !== Status.Invalidated && body === undefined) return 'sense';
  if (its < Status.Committed && (local === null || idsBelow(local, txn) !== undefined)) {
    return 'sense';
  }
  if (its === Status.PreAccepted) {
    if (executeAt === null || votedFast !== equal(executeAt, txn)) return 'sense';
    return voteOf(executeAt, txn, from);
  }
  if (its < Status.Accepted || its > Status.Applied) return undefined;
  if (executeAt === null || coordinated === null) return 'sense';
  if ((executeAt.flags & KIND_MASK) !== executeAt.flags) return 'sense';
  return timeAndDeps({ id: txn, executeAt, deps: coordinated });
}

/** The reads of several groups are told from PreApplied on, and never before. */
function areReadsSound(message: RecoverOk | StatusReply): boolean {
  const { id: txn, status: its, reads } = message;
  if (!isSpanning(txn)) return reads === null && its !== Status.PreApplied;
  return (reads !== null) === (its === Status.PreApplied || its === Status.Applied);
}

/** Times and deps travel as facts, from Stable on, and then they are all there. */
function statusReply(message: StatusReply & Partial<CommandDefinition>): Judgement {
  const { id: txn, status: its, executeAt, deps, body } = message;
  if (!areReadsSound(message)) return 'sense';
  if (!isStable(its)) return executeAt === null && deps === null ? undefined : 'sense';
  if (executeAt === null || deps === null || body === undefined) return 'sense';
  return timeAndDeps({ id: txn, executeAt, deps });
}

/** An empty one at its base says that all below is forgotten. */
function list(message: Parameters<typeof span>[0]): Judgement {
  const { base, before, ids: named } = message;
  return named.length === 0 && compare(base, before) === 0 ? undefined : span(message);
}

function span(message: {
  readonly base: Timestamp;
  readonly before: Timestamp;
  readonly ids: Uint8Array;
}): Judgement {
  const { base, before, ids: listed } = message;
  if (compare(base, before) >= 0) return 'sense';
  if (listed.length > 0 && compare(readTimestamp(listed, 0), base) < 0) return 'sense';
  return idsBelow(listed, before);
}

/** It names what lies below its end, and that is not behind the fence. */
function rejectBeforeOk(message: RejectBeforeOk): Judgement {
  const { base, before, end, ids: named } = message;
  return compare(end, before) > 0 ? 'sense' : span({ base, before: end, ids: named });
}

/** Sorted ids, all of them below the bound. */
function idsBelow(sorted: Uint8Array, bound: Timestamp): Judgement {
  if (sorted.length === 0) return undefined;
  return compare(readTimestamp(sorted, sorted.length - TIMESTAMP_BYTES), bound) < 0
    ? undefined
    : 'sense';
}
