/**
 * Units of all commands, in every layout that a connection can give them: pipelines, MULTI blocks,
 * and both in one. They live on keys of their own; `reply-judge.ts` knows what they must reply, so
 * they need no model. Whole-store commands see all keys of the run.
 */
import type { Rng } from '../../actors/runtime/ports/ports.ts';
import { slotOfText } from '../../storage/keyspace/slots.ts';
import type { UnitItem } from './client.ts';
import { listCommand, sortedSetCommand, sortUnit } from './ordered-units.ts';
import { collectionCommand } from './random-collections.ts';
import { scriptUnit } from './script-units.ts';
import { streamCommand } from './stream-units.ts';

export type Words = readonly string[];

export interface RandomUnit {
  readonly commands: readonly Words[];
  /** The database of each command; 0 where nothing is said. */
  readonly databases?: readonly number[];
  readonly plan: readonly UnitItem[];
  /** All keys are removed. */
  readonly flushes: boolean;
}

export interface RandomUnitOptions {
  readonly rng: Rng;
  readonly keys: number;
  /** From number 0 on. The last two may be swapped and cleared: no other units use them. */
  readonly databases: number;
  /** All keys share one conflict slot. */
  readonly sameSlot: boolean;
  /** FLUSHALL is among the whole-store commands. */
  readonly flushes: boolean;
  readonly ttlMsMax: number;
  /** Command bytes of a big unit. */
  readonly bigBytesMax: number;
  /** A value that no unit has written before. */
  readonly value: () => string;
}

/** Of the mixed units. */
const SORT_RATE = 0.15;
const SCRIPT_RATE = 0.15;
/** Of the commands of other units. */
const LIST_RATE = 0.15;
const SORTED_SET_RATE = 0.15;
const STREAM_RATE = 0.12;
const COMMANDS_MAX = 6;
const SEGMENT_MAX = 3;
const BIG_KEYS = 100;

export function mixedUnit(options: RandomUnitOptions): RandomUnit {
  const kind = options.rng.next();
  if (kind < SORT_RATE) return sortUnit(options);
  if (kind < SORT_RATE + SCRIPT_RATE) return scriptUnit(options);
  const count = 1 + below(options.rng, COMMANDS_MAX);
  const commands = Array.from({ length: count }, () => anyCommand(options));
  const databases = databasesFor(options, count);
  return { commands, databases, plan: planFor(options.rng, count), flushes: false };
}

/** One whole-store command, alone or among others. */
export function wholeStoreUnit(options: RandomUnitOptions): RandomUnit {
  const { rng, flushes } = options;
  const isOfDatabases = options.databases > 1 && rng.next() < 0.4;
  const whole = isOfDatabases ? databaseCommand(options) : wholeStoreCommand(options);
  const others = rng.next() < 0.5 ? 0 : 1 + below(rng, 3);
  const commands = Array.from({ length: others }, () => anyCommand(options));
  const at = below(rng, others + 1);
  commands.splice(at, 0, whole);
  const plan = planFor(rng, commands.length);
  const databases = databasesFor(options, commands.length);
  // The keys of the first databases are those of other units too.
  if (whole[0] === 'FLUSHDB') databases[at] = swappable(options)[below(rng, 2)] ?? 0;
  return { commands, databases, plan, flushes: flushes && whole[0] === 'FLUSHALL' };
}

/** Many small commands, or few large ones. */
export function bigUnit(options: RandomUnitOptions): RandomUnit {
  const { rng, bigBytesMax, value } = options;
  const count = rng.next() < 0.5 ? 1 + below(rng, 3) : 10 + below(rng, 60);
  const bytes = Math.max(1, Math.floor((bigBytesMax * rng.next()) / count) - 40);
  const commands = Array.from({ length: count }, () => {
    const key = `b${below(rng, BIG_KEYS)}`;
    return rng.next() < 0.2 ? ['GET', key] : ['SET', key, value().padEnd(bytes, 'x')];
  });
  return { commands, plan: planFor(rng, count), flushes: false };
}

/** Settings whose changes the next collections show, and the largest value that is drawn of each. */
const SETTINGS = [
  'hash-max-listpack-entries',
  'set-max-intset-entries',
  'zset-max-listpack-entries',
];
const SETTING_MAX = 8;
const SETTING_RATE = 0.4;

/** A setting of the cluster is changed, or a new collection shows by its label which one holds. */
export function settingUnit(options: RandomUnitOptions): RandomUnit {
  const { rng } = options;
  const name = below(rng, SETTINGS.length);
  if (rng.next() < SETTING_RATE) {
    const words = [
      'HOLO.SETTING',
      'version',
      SETTINGS[name] ?? '',
      `${1 + below(rng, SETTING_MAX)}`,
    ];
    return { commands: [words], plan: [1], flushes: false };
  }
  const key = `xe${below(rng, 4 * options.keys)}`;
  const members = Array.from({ length: 1 + below(rng, SETTING_MAX) }, (_, at) => String(at));
  const pairs = members.flatMap((member) => [member, member]);
  const made = [
    ['HSET', key, ...pairs],
    ['SADD', key, ...members],
    ['ZADD', key, ...pairs],
  ][name];
  const commands = [['DEL', key], made ?? [], ['OBJECT', 'ENCODING', key]];
  return { commands, plan: planFor(rng, commands.length), flushes: false };
}

/** Each command's own, or one for all of them. */
function databasesFor({ rng, databases }: RandomUnitOptions, count: number): number[] {
  if (databases === 1) return [];
  const one = below(rng, databases);
  const apart = rng.next() < 0.4;
  return Array.from({ length: count }, () => (apart ? below(rng, databases) : one));
}

function swappable({ databases }: RandomUnitOptions): readonly [number, number] {
  return [databases - 2, databases - 1];
}

function databaseCommand(options: RandomUnitOptions): Words {
  const { rng } = options;
  return rng.next() < 0.6 ? ['SWAPDB', ...swappable(options).map(String)] : ['FLUSHDB'];
}

function below(rng: Rng, end: number): number {
  return Math.floor(rng.next() * end);
}

/** Runs of commands, every other one a MULTI block, about. */
function planFor(rng: Rng, count: number): UnitItem[] {
  const plan: UnitItem[] = [];
  for (let left = count; left > 0; ) {
    const some = rng.next() < 0.3 ? left : Math.min(left, 1 + below(rng, SEGMENT_MAX));
    plan.push(rng.next() < 0.5 ? some : { exec: some });
    left -= some;
  }
  return plan;
}

/** Keys of one family hold strings, of the others collections, for the most part. */
function keyOf({ rng, keys, sameSlot }: RandomUnitOptions, family = 0): string {
  const at = below(rng, keys) + family * keys;
  return sameSlot ? (crowd()[at % CROWD_KEYS] ?? 'x0') : `x${at}`;
}

function wholeStoreCommand({ rng, flushes }: RandomUnitOptions): Words {
  const choices: readonly Words[] = [
    ['DBSIZE'],
    ['KEYS', '*'],
    ['KEYS', 'x*'],
    // A smaller page may hold a few keys more or less: that depends on what is in memory.
    ['SCAN', '0', 'COUNT', '10000'],
    ['RANDOMKEY'],
    flushes ? ['FLUSHALL'] : ['DBSIZE'],
  ];
  return choices[below(rng, choices.length)] ?? ['DBSIZE'];
}

const COLLECTIONS_RATE = 0.4;
/** Of keys. */
const FAMILIES = 5;

function anyCommand(options: RandomUnitOptions): Words {
  const family = options.rng.next();
  if (family < LIST_RATE) return listCommand(options);
  if (family < LIST_RATE + SORTED_SET_RATE) return sortedSetCommand(options);
  if (family > 1 - STREAM_RATE) return streamCommand(options);
  return stringCommand(options);
}

function stringCommand(options: RandomUnitOptions): Words {
  const { rng, ttlMsMax, value } = options;
  if (rng.next() < COLLECTIONS_RATE) {
    const keys = {
      hash: keyOf(options, 1),
      otherHash: keyOf(options, 1),
      set: keyOf(options, 2),
      otherSet: keyOf(options, 2),
      list: keyOf(options, 3),
      otherList: keyOf(options, 3),
      ranked: keyOf(options, 4),
      otherRanked: keyOf(options, 4),
      text: keyOf(options),
    };
    return collectionCommand(rng, keys, value);
  }
  const key = keyOf(options);
  const other = keyOf(options);
  const ttl = String(1 + below(rng, ttlMsMax));
  const fresh = value();
  const choices: readonly Words[] = [
    ['SET', key, fresh],
    ['SET', key, fresh],
    ['SET', key, fresh, 'PX', ttl],
    ['SET', key, fresh, 'NX', 'GET'],
    ['SET', key, fresh, 'KEEPTTL'],
    ['GET', key],
    ['GET', key],
    ['MGET', key, other],
    ['MSET', key, fresh, other, fresh],
    ['MSETNX', key, fresh, other, fresh],
    ['APPEND', key, fresh],
    ['INCR', key],
    ['DECRBY', key, '3'],
    ['INCRBYFLOAT', key, '0.5'],
    ['SETRANGE', key, '3', fresh],
    ['GETRANGE', key, '1', '-2'],
    ['STRLEN', key],
    ['DEL', key, other],
    ['EXISTS', key, other],
    ['RENAME', key, other],
    ['COPY', key, other, 'REPLACE'],
    ['TYPE', key],
    ['GETDEL', key],
    ['GETEX', key, 'PX', ttl],
    ['PERSIST', key],
    ['PEXPIRE', key, ttl, 'GT'],
    ['PTTL', key],
    ['PEXPIRETIME', key],
  ];
  const between = rng.next();
  if (options.databases > 1 && between < 0.15) {
    const family = below(rng, FAMILIES);
    return betweenDatabases(options, keyOf(options, family), keyOf(options, family));
  }
  return choices[below(rng, choices.length)] ?? ['GET', key];
}

function betweenDatabases(
  { rng, databases }: RandomUnitOptions,
  key: string,
  other: string,
): Words {
  const target = String(below(rng, databases));
  return rng.next() < 0.5 ? ['MOVE', key, target] : ['COPY', key, other, 'DB', target, 'REPLACE'];
}

const CROWD_KEYS = 40;
let crowdKeys: string[] | undefined;

/** Keys that share one conflict slot. */
function crowd(): readonly string[] {
  if (crowdKeys !== undefined) return crowdKeys;
  const found: string[] = [];
  const slot = slotOfText('x0');
  for (let at = 0; found.length < CROWD_KEYS; at += 1) {
    if (slotOfText(`x${at}`) === slot) found.push(`x${at}`);
  }
  crowdKeys = found;
  return found;
}
