/** Commands that set, read and remove deadlines, and the one that removes expired keys. */

import type { Arguments } from '../arguments.ts';
import { type Deadline, NO_DEADLINE } from '../keyspace/entry.ts';
import type { Found, Keyspace } from '../keyspace/keyspace.ts';
import { exactInteger } from '../types/integers.ts';
import {
  ALL_KEYS,
  type Command,
  command,
  expireTimeError,
  ONE_KEY,
  printableEnd,
} from './command.ts';
import {
  AT_MILLISECONDS,
  AT_SECONDS,
  MILLISECONDS,
  parseDeadline,
  SECONDS,
  type TimeForm,
} from './deadlines.ts';
import type { ReplySink } from './reply.ts';

const WRITE = {
  group: 'generic',
  keys: ONE_KEY,
  flags: 'write fast',
  complexity: 'O(1)',
} as const;
const READ = {
  group: 'generic',
  keys: ONE_KEY,
  flags: 'readonly fast',
  complexity: 'O(1)',
} as const;

/** Characters of an unknown option that the error repeats. */
const OPTION_SHOWN_MAX = 1024;

interface Conditions {
  nx: boolean;
  xx: boolean;
  gt: boolean;
  lt: boolean;
}

/** The conditions, or the error line. */
function parseConditions(args: Arguments): Conditions | string {
  const conditions = { nx: false, xx: false, gt: false, lt: false };
  for (let i = 3; i < args.count; i += 1) {
    if (args.is(i, 'NX')) conditions.nx = true;
    else if (args.is(i, 'XX')) conditions.xx = true;
    else if (args.is(i, 'GT')) conditions.gt = true;
    else if (args.is(i, 'LT')) conditions.lt = true;
    else return `ERR Unsupported option ${printableEnd(args.text(i), OPTION_SHOWN_MAX)}`;
  }
  if (conditions.nx && (conditions.xx || conditions.gt || conditions.lt)) {
    return 'ERR NX and XX, GT or LT options at the same time are not compatible';
  }
  if (conditions.gt && conditions.lt) {
    return 'ERR GT and LT options at the same time are not compatible';
  }
  return conditions;
}

/** A key without a deadline counts as one with an infinite deadline. */
function allows(conditions: Conditions, before: Deadline, deadline: Deadline): boolean {
  const forever = before === NO_DEADLINE;
  if (conditions.nx && !forever) return false;
  if (conditions.xx && forever) return false;
  if (conditions.gt && (forever || deadline <= before)) return false;
  return !(conditions.lt && !forever && deadline >= before);
}

function expire(form: TimeForm, name: string) {
  return (keyspace: Keyspace, args: Arguments, out: ReplySink): void => {
    const conditions = parseConditions(args);
    if (typeof conditions === 'string') return out.error(conditions);
    const invalid = expireTimeError(name);
    const deadline = parseDeadline(args.text(2), form, keyspace.nowMs, invalid, false);
    if (typeof deadline === 'string') return out.error(deadline);
    const cell = keyspace.find(args, 1);
    if (cell === undefined || !allows(conditions, cell.entry.deadline, deadline)) {
      return out.integer(0);
    }
    const isOver = deadline <= keyspace.nowMs;
    if (isOver) keyspace.remove(cell);
    else setDeadline(keyspace, cell, deadline);
    keyspace.notify('generic', isOver ? 'del' : 'expire', args, 1);
    out.integer(1);
  };
}

function setDeadline(keyspace: Keyspace, found: Found, deadline: Deadline): void {
  keyspace.replace(found, found.entry.type, found.entry.value, deadline);
}

/** Answers the deadline, or -2 for no key and -1 for no deadline. */
function tell(of: (deadline: Deadline, nowMs: number) => Deadline) {
  return (keyspace: Keyspace, args: Arguments, out: ReplySink): void => {
    const entry = keyspace.find(args, 1)?.entry;
    if (entry === undefined) out.integer(-2);
    else if (entry.deadline === NO_DEADLINE) out.integer(-1);
    else out.integer(of(entry.deadline, keyspace.nowMs));
  };
}

function left(deadline: Deadline, nowMs: number): Deadline {
  if (typeof deadline === 'number') return deadline - nowMs;
  return exactInteger(deadline - BigInt(nowMs));
}

/** Redis rounds half a second up. */
function toSeconds(ms: Deadline): Deadline {
  if (typeof ms === 'number') return Math.floor((ms + 500) / 1000);
  return exactInteger((ms + 500n) / 1000n);
}

const persist = command({
  ...WRITE,
  name: 'PERSIST',
  arity: 2,
  summary: 'Remove the expiration from a key',
  since: '2.2.0',
  run(keyspace, args, out) {
    const cell = keyspace.find(args, 1);
    if (cell === undefined || cell.entry.deadline === NO_DEADLINE) return out.integer(0);
    setDeadline(keyspace, cell, NO_DEADLINE);
    keyspace.notify('generic', 'persist', args, 1);
    out.integer(1);
  },
});

/** Not a Redis command: a node removes expired keys with it that no command has met. */
const holoExpire = command({
  ...WRITE,
  keys: ALL_KEYS,
  name: 'HOLO.EXPIRE',
  arity: -2,
  summary: 'Remove those of the keys that are past their deadline',
  since: '0.1.0',
  complexity: 'O(N) where N is the number of keys.',
  run(keyspace, args, out) {
    let removed = 0;
    for (let i = 1; i < args.count; i += 1) {
      const size = keyspace.size;
      keyspace.find(args, i);
      removed += size - keyspace.size;
    }
    out.integer(removed);
  },
});

export const EXPIRY_COMMANDS: readonly Command[] = [
  command({
    ...WRITE,
    name: 'EXPIRE',
    arity: -3,
    summary: "Set a key's time to live in seconds",
    since: '1.0.0',
    run: expire(SECONDS, 'expire'),
  }),
  command({
    ...WRITE,
    name: 'PEXPIRE',
    arity: -3,
    summary: "Set a key's time to live in milliseconds",
    since: '2.6.0',
    run: expire(MILLISECONDS, 'pexpire'),
  }),
  command({
    ...WRITE,
    name: 'EXPIREAT',
    arity: -3,
    summary: 'Set the expiration for a key as a UNIX timestamp',
    since: '1.2.0',
    run: expire(AT_SECONDS, 'expireat'),
  }),
  command({
    ...WRITE,
    name: 'PEXPIREAT',
    arity: -3,
    summary: 'Set the expiration for a key as a UNIX timestamp specified in milliseconds',
    since: '2.6.0',
    run: expire(AT_MILLISECONDS, 'pexpireat'),
  }),
  command({
    ...READ,
    name: 'TTL',
    arity: 2,
    summary: 'Get the time to live for a key in seconds',
    since: '1.0.0',
    run: tell((deadline, nowMs) => toSeconds(left(deadline, nowMs))),
  }),
  command({
    ...READ,
    name: 'PTTL',
    arity: 2,
    summary: 'Get the time to live for a key in milliseconds',
    since: '2.6.0',
    run: tell(left),
  }),
  command({
    ...READ,
    name: 'EXPIRETIME',
    arity: 2,
    summary: 'Get the expiration Unix timestamp for a key',
    since: '7.0.0',
    run: tell(toSeconds),
  }),
  command({
    ...READ,
    name: 'PEXPIRETIME',
    arity: 2,
    summary: 'Get the expiration Unix timestamp for a key in milliseconds',
    since: '7.0.0',
    run: tell((deadline) => deadline),
  }),
  persist,
  holoExpire,
];
