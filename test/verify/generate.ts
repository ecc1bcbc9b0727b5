/**
 * Histories that are right by construction: a serial store in one process, and clients whose
 * operations take effect at one point between invocation and answer. Clients give up, are refused,
 * and leave operations behind that take effect long after. The tests and benchmarks of the checkers
 * use it.
 */
import { type History, HistoryRecorder, type Json, type ModelName } from './history.ts';
import { type Request, SerialStore } from './serial-store.ts';

/** Uniform in 0..below-1. */
export type Pick = (below: number) => number;

export interface GenerateOptions {
  readonly operations: number;
  readonly processes: number;
  readonly keys: number;
  /** Of a hundred operations, so many are given up, and half of these take effect some time. */
  readonly unknownPercent: number;
  readonly refusedPercent: number;
}

interface Running extends Request {
  readonly id: number;
  readonly fate: 'answered' | 'refused' | 'lost' | 'late';
  result: Json | undefined;
}

/** A linearizable (and for transactions strictly serializable) history. */
export function generateHistory(model: ModelName, pick: Pick, options: GenerateOptions): History {
  let time = 0;
  const recorder = new HistoryRecorder(model, () => ++time);
  const store = new SerialStore();
  const running: (Running | undefined)[] = Array.from({ length: options.processes });
  const ghosts: Running[] = [];
  const isBusy = (): boolean => running.some((one) => one !== undefined);
  while (recorder.size < options.operations || isBusy()) {
    const process = pick(options.processes);
    const current = running[process];
    if (ghosts.length > 0 && pick(4) === 0) {
      const [ghost] = ghosts.splice(pick(ghosts.length), 1);
      if (ghost !== undefined) store.run(ghost);
    } else if (current === undefined) {
      if (recorder.size >= options.operations) continue;
      const request = makeRequest(model, pick, options.keys, recorder.size);
      const id = recorder.invoke(process, request.kind, request.keys, request.args);
      running[process] = { ...request, id, fate: makeFate(pick, options), result: undefined };
    } else if (current.fate === 'answered' && current.result === undefined) {
      current.result = store.run(current);
    } else {
      if (current.fate === 'answered') recorder.complete(current.id, current.result ?? null);
      else if (current.fate === 'refused') recorder.refuse(current.id);
      else recorder.unknown(current.id);
      if (current.fate === 'late') ghosts.push(current);
      running[process] = undefined;
    }
  }
  return recorder.history();
}

function makeFate(pick: Pick, options: GenerateOptions): Running['fate'] {
  const draw = pick(100);
  if (draw < options.refusedPercent) return 'refused';
  if (draw >= options.refusedPercent + options.unknownPercent) return 'answered';
  return pick(2) === 0 ? 'lost' : 'late';
}

function makeRequest(model: ModelName, pick: Pick, keys: number, serial: number): Request {
  const key = `k${pick(keys)}`;
  const one = (kind: string, ...args: Json[]): Request => ({ kind, keys: [key], args });
  const small = String(pick(4));
  switch (model) {
    case 'cas-register': {
      const requests = [one('read'), one('write', pick(4)), one('cas', pick(4), pick(4))];
      return requests[pick(requests.length)] ?? one('read');
    }
    case 'kv': {
      const requests = [one('get'), one('append', `${serial},`), one('put', `${serial};`)];
      return requests[pick(requests.length)] ?? one('get');
    }
    case 'counter': {
      const requests = [one('GET'), one('INCR'), one('DECR'), one('INCRBY', 5), one('DECRBY', 2)];
      return requests[pick(requests.length)] ?? one('GET');
    }
    case 'list': {
      const push = one('RPUSH', `a${serial}`);
      const requests = [one('LRANGE', 0, -1), push, one('RPUSH', `a${serial}`, 'b'), one('LLEN')];
      return requests[pick(requests.length)] ?? push;
    }
    case 'redis': {
      const requests = [
        one('GET'),
        one('SET', small),
        one('SET', small, 'NX'),
        one('SET', small, 'XX', 'GET'),
        one('SET', small, 'IFEQ', String(pick(4))),
        one('SETNX', small),
        one('GETDEL'),
        one('DEL'),
        one('DELIFEQ', small),
        one('EXISTS'),
        one('STRLEN'),
        one('APPEND', pick(8) === 0 ? 'x' : small),
        one('INCR'),
        one('DECRBY', 3),
      ];
      return requests[pick(requests.length)] ?? one('GET');
    }
    case 'collections':
      return one('MULTI', ...makeBlock(pick));
    case 'list-append-txn':
      return makeTransaction(pick, keys, serial);
  }
}

const MICROS_MAX = 4;

function makeTransaction(pick: Pick, keys: number, serial: number): Request {
  const touched = new Set<string>();
  const args = Array.from({ length: 1 + pick(MICROS_MAX) }, (_, at): Json => {
    const key = `k${pick(keys)}`;
    touched.add(key);
    return pick(2) === 0 ? ['read', key] : ['append', key, serial * MICROS_MAX + at];
  });
  return { kind: 'txn', keys: [...touched], args };
}

/** One command of a group of keys, or a few. */
function makeBlock(pick: Pick): Json[] {
  const small = String(pick(3));
  const commands = [
    ['RPUSH', 'l', small],
    ['LPOP', 'l'],
    ['LMOVE', 'l', 'l2', 'LEFT', 'RIGHT'],
    ['LREM', 'l', '1', small],
    ['LRANGE', pick(2) === 0 ? 'l' : 'l2', '0', '-1'],
    ['SADD', 's', small],
    ['SREM', 's', small],
    ['SMOVE', 's', 's2', small],
    ['SMEMBERS', pick(2) === 0 ? 's' : 's2'],
    ['HSET', 'h', small, String(pick(9))],
    ['HINCRBY', 'h', small, '2'],
    ['HDEL', 'h', small],
    ['HGETALL', 'h'],
    ['ZADD', 'z', String(pick(9)), small],
    ['ZREM', 'z', small],
    ['ZPOPMIN', 'z'],
    ['ZRANGE', 'z', '0', '-1', 'WITHSCORES'],
  ];
  return Array.from(
    { length: 1 + pick(2) },
    () => commands[pick(commands.length)] ?? ['LPOP', 'l'],
  );
}

/** A small generator of numbers from a seed (mulberry32), for benchmarks and long histories. */
export function pickFrom(seed: number): Pick {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) % below;
  };
}

/**
 * Picks from a list of choices, and zeros when it is used up; so fast-check can shrink a history.
 * The generator ends because every second draw at the latest is made by a seed behind the list.
 */
export function pickFromChoices(choices: readonly number[]): Pick {
  let at = 0;
  const rest = pickFrom(choices.length);
  return (below) => {
    const choice = choices[at++];
    return choice === undefined ? rest(below) : choice % below;
  };
}
