/**
 * Settings of Redis that have no meaning here, or only one possible value, and those of the
 * cluster. Clients, tools and test
 * suites set them. A setting without meaning is accepted, kept until the node ends, and shown. A
 * value that would weaken a guarantee, or claim a missing feature, is refused with a reason.
 */
import { EVENTS_SETTING } from '../../storage/cluster-settings.ts';
import { eventFlagsOf } from '../../storage/keyspace/key-events.ts';
import {
  MEMORY_SETTING,
  SCRIPT_LIMITS,
  SCRIPTS_BYTES_SETTING,
  STEPS_SETTING,
} from '../../storage/script-limits.ts';
import { INT64_MAX, parseInteger } from '../../storage/types/integers.ts';
import { type Judged, parseBytes, type Setting, YES_OR_NO } from './settings-registry.ts';

export type Judge = (text: string) => Judged;

interface Inert {
  /** The second one is an older name for the same. */
  readonly names: readonly string[];
  readonly standard: string;
  readonly judge: Judge;
}

const INT_MAX = 2 ** 31 - 1;
/** Some 10 s of a node's time. */
const SCRIPT_STEPS_MAX = 1_000_000_000;
/** Lua itself needs some. */
const SCRIPT_BYTES_MIN = 1024 * 1024;
const SCRIPT_BYTES_MAX = 1024 * 1024 * 1024;

function within(min: number, max: number | bigint, what: Parser): Judge {
  return (text) => {
    const value = what.parse(text);
    if (value === undefined) return { reason: what.unreadable };
    return value < min || value > max
      ? { reason: `argument must be between ${min} and ${max} inclusive` }
      : { kept: String(value) };
  };
}

interface Parser {
  parse(text: string): number | bigint | undefined;
  readonly unreadable: string;
}

const INTEGER: Parser = {
  parse: parseInteger,
  unreadable: "argument couldn't be parsed into an integer",
};
const MEMORY: Parser = { parse: parseBytes, unreadable: 'argument must be a memory value' };

export const count = (min: number, max: number | bigint = INT64_MAX): Judge =>
  within(min, max, INTEGER);
const memory: Judge = within(0, INT64_MAX, MEMORY);

export const yesOrNo: Judge = (text) => {
  const word = text.toLowerCase();
  return word === 'yes' || word === 'no' ? { kept: word } : { reason: YES_OR_NO };
};

function oneOf(...words: readonly string[]): Judge {
  return (text) => {
    const word = text.toLowerCase();
    return words.includes(word)
      ? { kept: word }
      : { reason: `argument(s) must be one of the following: ${words.join(', ')}` };
  };
}

/** A value that `judge` accepts must also equal `value`; else `reason` is the error. */
function only(value: string, judge: Judge, reason: string): Judge {
  return (text) => {
    const judged = judge(text);
    return 'reason' in judged || judged.kept === value ? judged : { reason };
  };
}

/** Redis clamps it to its range. */
const hz: Judge = (text) => {
  const judged = count(0, INT_MAX)(text);
  if ('reason' in judged) return judged;
  return { kept: String(Math.min(500, Math.max(1, Number(judged.kept)))) };
};

const savePoints: Judge = (text) =>
  /^((\d+ \d+)( \d+ \d+)*)?$/.test(text) ? { kept: text } : { reason: 'Invalid save parameters' };

const eventFlags: Judge = (text) => {
  const kept = eventFlagsOf(text);
  if (kept !== undefined) return { kept };
  return { reason: "Invalid event class character. Use 'Ag$lshzxeKEtmdn'." };
};

const POLICIES = [
  ...['volatile-lru', 'volatile-lfu', 'volatile-random', 'volatile-ttl'],
  ...['allkeys-lru', 'allkeys-lfu', 'allkeys-random', 'noeviction'],
];

/** One value only. */
const BOUND: readonly Inert[] = [
  {
    names: ['save'],
    standard: '',
    judge: only('', savePoints, 'there are no snapshots here: the log has every write'),
  },
  {
    names: ['appendonly'],
    standard: 'yes',
    judge: only('yes', yesOrNo, 'acknowledged writes are always on disk'),
  },
  {
    names: ['appendfsync'],
    standard: 'always',
    judge: only(
      'always',
      oneOf('everysec', 'always', 'no'),
      'nothing is acknowledged before it is synced; see --sync-policy',
    ),
  },
  {
    names: ['no-appendfsync-on-rewrite'],
    standard: 'no',
    judge: only('no', yesOrNo, 'nothing is acknowledged before it is synced'),
  },
  {
    names: ['maxmemory-policy'],
    standard: 'noeviction',
    judge: only('noeviction', oneOf(...POLICIES), 'acknowledged keys are never evicted'),
  },
  {
    names: ['min-replicas-to-write', 'min-slaves-to-write'],
    standard: '0',
    judge: only('0', count(0, INT_MAX), 'every write needs a majority of the nodes already'),
  },
  {
    names: ['activedefrag'],
    standard: 'no',
    judge: only('no', yesOrNo, 'active defragmentation is not there in this allocator'),
  },
];

/** They reach the state, so that every replica needs the same, or are the same at all nodes. */
const OF_CLUSTER: readonly Inert[] = [
  { names: listpack('hash', 'entries'), standard: '512', judge: count(0) },
  { names: listpack('hash', 'value'), standard: '64', judge: memory },
  {
    names: ['list-max-listpack-size', 'list-max-ziplist-size'],
    standard: '-2',
    judge: count(-INT_MAX - 1, INT_MAX),
  },
  { names: ['set-max-intset-entries'], standard: '512', judge: count(0) },
  { names: ['set-max-listpack-entries'], standard: '128', judge: count(0) },
  { names: ['set-max-listpack-value'], standard: '64', judge: memory },
  { names: listpack('zset', 'entries'), standard: '128', judge: count(0) },
  { names: listpack('zset', 'value'), standard: '64', judge: memory },
  { names: [EVENTS_SETTING], standard: '', judge: eventFlags },
  {
    names: [STEPS_SETTING],
    standard: String(SCRIPT_LIMITS.scriptStepsMax),
    judge: count(1_000, SCRIPT_STEPS_MAX),
  },
  {
    names: [MEMORY_SETTING],
    standard: String(SCRIPT_LIMITS.scriptMemoryBytesMax),
    judge: within(SCRIPT_BYTES_MIN, SCRIPT_BYTES_MAX, MEMORY),
  },
  {
    names: [SCRIPTS_BYTES_SETTING],
    standard: String(SCRIPT_LIMITS.scriptsBytesMax),
    judge: within(0, SCRIPT_BYTES_MAX, MEMORY),
  },
];

const INERT: readonly Inert[] = [
  { names: ['list-compress-depth'], standard: '0', judge: count(0, INT_MAX) },
  { names: ['stream-node-max-bytes'], standard: '4096', judge: memory },
  { names: ['stream-node-max-entries'], standard: '100', judge: count(0) },
  { names: ['hll-sparse-max-bytes'], standard: '3000', judge: memory },
  { names: ['busy-reply-threshold', 'lua-time-limit'], standard: '5000', judge: count(0) },
  { names: ['hz'], standard: '10', judge: hz },
  { names: ['dynamic-hz'], standard: 'yes', judge: yesOrNo },
  { names: ['activerehashing'], standard: 'yes', judge: yesOrNo },
  { names: ['active-expire-effort'], standard: '1', judge: count(1, 10) },
  { names: ['maxmemory-samples'], standard: '5', judge: count(1, INT_MAX) },
  { names: ['maxmemory-eviction-tenacity'], standard: '10', judge: count(0, 100) },
  { names: ['lfu-log-factor'], standard: '10', judge: count(0, INT_MAX) },
  { names: ['lfu-decay-time'], standard: '1', judge: count(0, INT_MAX) },
  { names: ['lazyfree-lazy-eviction'], standard: 'no', judge: yesOrNo },
  { names: ['lazyfree-lazy-expire'], standard: 'no', judge: yesOrNo },
  { names: ['lazyfree-lazy-server-del'], standard: 'no', judge: yesOrNo },
  { names: ['lazyfree-lazy-user-del'], standard: 'no', judge: yesOrNo },
  { names: ['lazyfree-lazy-user-flush'], standard: 'no', judge: yesOrNo },
  { names: ['tcp-keepalive'], standard: '300', judge: count(0, INT_MAX) },
  {
    names: ['loglevel'],
    standard: 'notice',
    judge: oneOf('debug', 'verbose', 'notice', 'warning'),
  },
  { names: ['stop-writes-on-bgsave-error'], standard: 'yes', judge: yesOrNo },
  { names: ['rdbcompression'], standard: 'yes', judge: yesOrNo },
  { names: ['aof-use-rdb-preamble'], standard: 'yes', judge: yesOrNo },
  { names: ['auto-aof-rewrite-percentage'], standard: '100', judge: count(0, INT_MAX) },
  { names: ['auto-aof-rewrite-min-size'], standard: '67108864', judge: memory },
  {
    names: ['min-replicas-max-lag', 'min-slaves-max-lag'],
    standard: '10',
    judge: count(0, INT_MAX),
  },
  { names: ['sanitize-dump-payload'], standard: 'no', judge: oneOf('no', 'yes', 'clients') },
];

function listpack(type: string, what: string): string[] {
  return [`${type}-max-listpack-${what}`, `${type}-max-ziplist-${what}`];
}

/** Each call makes new settings: they hold the values of one node. */
export function inertSettings(changed: () => ReadonlyMap<string, string>): Setting[] {
  const ofCluster = OF_CLUSTER.flatMap(({ names, standard, judge }) => {
    const [inTable = ''] = names;
    const get = (): string => changed().get(inTable) ?? standard;
    return names.map((name) => ({ name, get, ofCluster: { name: inTable, judge } }));
  });
  return [...ofCluster, ...inertOfNode()];
}

function inertOfNode(): Setting[] {
  return [...BOUND, ...INERT].flatMap(({ names, standard, judge }) => {
    let value = standard;
    const get = (): string => value;
    const prepare = (text: string): string | (() => void) => {
      const judged = judge(text);
      if ('reason' in judged) return judged.reason;
      return () => {
        value = judged.kept;
      };
    };
    return names.map((name) => ({ name, get, prepare }));
  });
}
