/** Commands that read and write whole strings. */

import type { Arguments } from '../arguments.ts';
import { type Deadline, NO_DEADLINE } from '../keyspace/entry.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import { forRangeInSteps, type Steps } from '../steps.ts';
import { STRING, textOf } from '../types/string.ts';
import type { Value } from '../types/value-type.ts';
import {
  ALL_KEYS,
  arityError,
  type Command,
  command,
  expireTimeError,
  KEYS_AND_VALUES,
  ONE_KEY,
  SYNTAX_ERROR,
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

const WRITE = { group: 'string', keys: ONE_KEY, flags: 'write denyoom' } as const;
const WRITE_FAST = { group: 'string', keys: ONE_KEY, flags: 'write denyoom fast' } as const;

/** https://redis.io/docs/latest/commands/get */
const get = command({
  name: 'GET',
  arity: 2,
  group: 'string',
  keys: ONE_KEY,
  flags: 'readonly fast',
  summary: 'Get the value of a key',
  since: '1.0.0',
  complexity: 'O(1)',
  run(keyspace, args, out) {
    const cell = keyspace.findOf(STRING, args, 1);
    if (cell === undefined) out.nil();
    else out.bulk(cell.entry.value);
  },
});

type Condition = 'NX' | 'XX' | 'IFEQ' | 'IFNE';

interface SetOptions {
  condition: Condition | undefined;
  /** The value to compare with, of IFEQ and IFNE. */
  compared: string;
  get: boolean;
  keepTtl: boolean;
  /** The argument with the time, and its form. */
  timeAt: number;
  form: TimeForm;
}

function timeForm(args: Arguments, i: number): TimeForm | undefined {
  if (args.is(i, 'EX')) return SECONDS;
  if (args.is(i, 'PX')) return MILLISECONDS;
  if (args.is(i, 'EXAT')) return AT_SECONDS;
  return args.is(i, 'PXAT') ? AT_MILLISECONDS : undefined;
}

function conditionOf(args: Arguments, i: number): Condition | undefined {
  if (args.is(i, 'NX')) return 'NX';
  if (args.is(i, 'XX')) return 'XX';
  if (args.is(i, 'IFEQ')) return 'IFEQ';
  return args.is(i, 'IFNE') ? 'IFNE' : undefined;
}

function comparesValues(condition: Condition | undefined): boolean {
  return condition === 'IFEQ' || condition === 'IFNE';
}

/** `undefined` for a syntax error. */
function parseSetOptions(args: Arguments): SetOptions | undefined {
  const options: SetOptions = {
    condition: undefined,
    compared: '',
    get: false,
    keepTtl: false,
    timeAt: 0,
    form: SECONDS,
  };
  for (let i = 3; i < args.count; i += 1) {
    const condition = conditionOf(args, i);
    const form = timeForm(args, i);
    if (condition !== undefined) {
      const compares = comparesValues(condition);
      // NX may be given twice, as in Redis; two comparisons may not.
      if (options.condition !== undefined && (options.condition !== condition || compares)) {
        return undefined;
      }
      options.condition = condition;
      if (compares) {
        if (++i === args.count) return undefined;
        options.compared = args.text(i);
      }
    } else if (form !== undefined) {
      // The same form may be given twice, as in Redis: the last one counts.
      const other = options.timeAt !== 0 && options.form !== form;
      if (options.keepTtl || other || ++i === args.count) return undefined;
      options.form = form;
      options.timeAt = i;
    } else if (args.is(i, 'GET')) {
      options.get = true;
    } else if (args.is(i, 'KEEPTTL') && options.timeAt === 0) {
      options.keepTtl = true;
    } else {
      return undefined;
    }
  }
  return options;
}

function conditionHolds(options: SetOptions, old: Value | undefined): boolean {
  switch (options.condition) {
    case 'NX':
      return old === undefined;
    case 'XX':
      return old !== undefined;
    case 'IFEQ':
      return old === options.compared;
    case 'IFNE':
      return old !== options.compared;
    case undefined:
      return true;
  }
}

function setWithOptions(keyspace: Keyspace, args: Arguments, out: ReplySink): void {
  const options = parseSetOptions(args);
  if (options === undefined) return out.error(SYNTAX_ERROR);
  let deadline: Deadline | string = NO_DEADLINE;
  if (options.timeAt !== 0) {
    const text = args.text(options.timeAt);
    const invalid = expireTimeError('set');
    deadline = parseDeadline(text, options.form, keyspace.nowMs, invalid, true);
    if (typeof deadline === 'string') return out.error(deadline);
  }
  const readsOld = options.get || comparesValues(options.condition);
  const found = readsOld ? keyspace.findOf(STRING, args, 1) : keyspace.find(args, 1);
  const old = found?.entry;
  const holds = conditionHolds(options, old?.value);
  if (holds) {
    if (options.keepTtl && old !== undefined) deadline = old.deadline;
    setUntil(keyspace, args, deadline, options.timeAt !== 0);
  }
  if (options.get) {
    if (old === undefined) out.nil();
    else out.bulk(String(old.value));
  } else if (holds) {
    out.simple('OK');
  } else {
    out.nil();
  }
}

/** A deadline in the past removes the key. */
function setUntil(keyspace: Keyspace, args: Arguments, deadline: Deadline, isTimed: boolean): void {
  if (deadline === NO_DEADLINE || deadline > keyspace.nowMs) {
    setText(keyspace, args, 2, deadline);
    if (isTimed) keyspace.notify('generic', 'expire', args, 1);
    return;
  }
  const cell = keyspace.find(args, 1);
  if (cell === undefined) return;
  keyspace.remove(cell);
  keyspace.notify('generic', 'del', args, 1);
}

/** The text in argument `i` becomes the value of the key in argument 1. */
function setText(keyspace: Keyspace, args: Arguments, i: number, deadline: Deadline): void {
  keyspace.set(args, 1, STRING, args.text(i), deadline);
  keyspace.notify('string', 'set', args, 1);
}

/** https://redis.io/docs/latest/commands/set */
const set = command({
  ...WRITE,
  name: 'SET',
  arity: -3,
  summary: 'Set the string value of a key',
  since: '1.0.0',
  complexity: 'O(1)',
  run(keyspace, args, out) {
    if (args.count > 3) return setWithOptions(keyspace, args, out);
    setText(keyspace, args, 2, NO_DEADLINE);
    out.simple('OK');
  },
});

const setnx = command({
  ...WRITE_FAST,
  name: 'SETNX',
  arity: 3,
  summary: 'Set the value of a key, only if the key does not exist',
  since: '1.0.0',
  complexity: 'O(1)',
  run(keyspace, args, out) {
    const absent = keyspace.find(args, 1) === undefined;
    if (absent) setText(keyspace, args, 2, NO_DEADLINE);
    out.integer(absent ? 1 : 0);
  },
});

function setFor(form: TimeForm, name: string) {
  return (keyspace: Keyspace, args: Arguments, out: ReplySink): void => {
    const invalid = expireTimeError(name);
    const deadline = parseDeadline(args.text(2), form, keyspace.nowMs, invalid, true);
    if (typeof deadline === 'string') return out.error(deadline);
    setText(keyspace, args, 3, deadline);
    keyspace.notify('generic', 'expire', args, 1);
    out.simple('OK');
  };
}

const setex = command({
  ...WRITE,
  name: 'SETEX',
  arity: 4,
  summary: 'Set the value and expiration of a key',
  since: '2.0.0',
  complexity: 'O(1)',
  run: setFor(SECONDS, 'setex'),
});

const psetex = command({
  ...WRITE,
  name: 'PSETEX',
  arity: 4,
  summary: 'Set the value and expiration in milliseconds of a key',
  since: '2.6.0',
  complexity: 'O(1)',
  run: setFor(MILLISECONDS, 'psetex'),
});

const getset = command({
  ...WRITE_FAST,
  name: 'GETSET',
  arity: 3,
  summary: 'Set the string value of a key and return its old value',
  since: '1.0.0',
  complexity: 'O(1)',
  run(keyspace, args, out) {
    const old = keyspace.findOf(STRING, args, 1)?.entry.value;
    setText(keyspace, args, 2, NO_DEADLINE);
    if (old === undefined) out.nil();
    else out.bulk(old);
  },
});

const getdel = command({
  ...WRITE_FAST,
  flags: 'write fast',
  name: 'GETDEL',
  arity: 2,
  summary: 'Get the value of a key and delete the key',
  since: '6.2.0',
  complexity: 'O(1)',
  run(keyspace, args, out) {
    const cell = keyspace.findOf(STRING, args, 1);
    if (cell === undefined) return out.nil();
    const old = cell.entry.value;
    keyspace.remove(cell);
    keyspace.notify('generic', 'del', args, 1);
    out.bulk(old);
  },
});

/** https://redis.io/docs/latest/commands/getex: one option at most. */
const getex = command({
  ...WRITE_FAST,
  flags: 'write fast',
  name: 'GETEX',
  arity: -2,
  summary: 'Get the value of a key and optionally set its expiration',
  since: '6.2.0',
  complexity: 'O(1)',
  run(keyspace, args, out) {
    let form: TimeForm | undefined;
    let persist = false;
    let timeAt = 0;
    for (let i = 2; i < args.count; i += 1) {
      const found = timeForm(args, i);
      const same = form === undefined || form === found;
      if (found !== undefined && same && !persist && i + 1 < args.count) {
        form = found;
        timeAt = ++i;
      } else if (args.is(i, 'PERSIST') && form === undefined) {
        persist = true;
      } else {
        return out.error(SYNTAX_ERROR);
      }
    }
    const cell = keyspace.findOf(STRING, args, 1);
    if (cell === undefined) return out.nil();
    const { value, deadline: before } = cell.entry;
    let deadline: Deadline | string = persist ? NO_DEADLINE : before;
    if (form !== undefined) {
      const invalid = expireTimeError('getex');
      deadline = parseDeadline(args.text(timeAt), form, keyspace.nowMs, invalid, true);
      if (typeof deadline === 'string') return out.error(deadline);
    }
    const isOver = deadline !== NO_DEADLINE && deadline <= keyspace.nowMs;
    if (isOver) keyspace.remove(cell);
    else if (deadline !== before) keyspace.replace(cell, STRING, value, deadline);
    if (isOver) keyspace.notify('generic', 'del', args, 1);
    else if (form !== undefined) keyspace.notify('generic', 'expire', args, 1);
    else if (deadline !== before) keyspace.notify('generic', 'persist', args, 1);
    out.bulk(value);
  },
});

const mget = command({
  group: 'string',
  keys: ALL_KEYS,
  flags: 'readonly fast',
  name: 'MGET',
  arity: -2,
  summary: 'Get the values of all the given keys',
  since: '1.0.0',
  complexity: 'O(N) where N is the number of keys to retrieve.',
  run(keyspace, args, out) {
    out.array(args.count - 1);
    return forRangeInSteps(1, args.count, keyspace.stepElements, (start, end) => {
      for (let i = start; i < end; i += 1) {
        const entry = keyspace.find(args, i)?.entry;
        const text = entry === undefined ? undefined : textOf(entry.type, entry.value);
        if (text === undefined) out.nil();
        else out.bulk(text);
      }
    });
  },
});

function setAll(keyspace: Keyspace, args: Arguments): Steps {
  return forRangeInSteps(0, (args.count - 1) / 2, keyspace.stepElements, (start, end) => {
    for (let i = 2 * start + 1; i <= 2 * end; i += 2) {
      keyspace.set(args, i, STRING, args.text(i + 1), NO_DEADLINE);
      keyspace.notify('string', 'set', args, i);
    }
  });
}

const mset = command({
  ...WRITE,
  keys: KEYS_AND_VALUES,
  name: 'MSET',
  arity: -3,
  ignoresValues: true,
  summary: 'Set multiple keys to multiple values',
  since: '1.0.1',
  complexity: 'O(N) where N is the number of keys to set.',
  *run(keyspace, args, out) {
    if (args.count % 2 === 0) return out.error(arityError('mset'));
    yield* setAll(keyspace, args);
    out.simple('OK');
  },
});

const msetnx = command({
  ...WRITE,
  keys: KEYS_AND_VALUES,
  name: 'MSETNX',
  arity: -3,
  ignoresValues: true,
  summary: 'Set multiple keys to multiple values, only if none of the keys exist',
  since: '1.0.1',
  complexity: 'O(N) where N is the number of keys to set.',
  *run(keyspace, args, out) {
    if (args.count % 2 === 0) return out.error(arityError('msetnx'));
    for (let i = 1; i < args.count; i += 2) {
      if (keyspace.find(args, i) !== undefined) return out.integer(0);
    }
    yield* setAll(keyspace, args);
    out.integer(1);
  },
});

export const STRING_COMMANDS: readonly Command[] = [
  get,
  set,
  setnx,
  setex,
  psetex,
  getset,
  getdel,
  getex,
  mget,
  mset,
  msetnx,
];
