/**
 * Histories with known verdicts, from the Porcupine project (MIT, see data/LICENSE.md): 60 runs of
 * Jepsen against etcd on one compare-and-swap register, and 4 of a key/value store. The tests hold
 * our checker and Porcupine against them. It reads the folder `data/` and nothing else.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { History, Json, Operation } from './history.ts';

export interface KnownHistory {
  readonly name: string;
  readonly linearizable: boolean;
  readonly history: History;
}

const DATA = join(import.meta.dirname, 'data');

/** All 64, in the order of their names. */
export function readKnownHistories(): KnownHistory[] {
  const expected = JSON.parse(readFileSync(join(DATA, 'register/expected.json'), 'utf8')) as {
    [file: string]: boolean;
  };
  const registers = Object.entries(expected).map(([name, linearizable]) => {
    const text = readFileSync(join(DATA, 'register', name), 'utf8');
    return { name, linearizable, history: parseRegisterLog(text) };
  });
  const files = readdirSync(join(DATA, 'kv')).sort();
  const stores = files.map((name) => {
    const text = readFileSync(join(DATA, 'kv', name), 'utf8');
    return { name, linearizable: name.endsWith('-ok.txt'), history: parseKvLog(text) };
  });
  return [...registers, ...stores];
}

type Event = 'invoke' | 'ok' | 'fail' | 'info';

type Draft = { -readonly [field in keyof Operation]: Operation[field] };

/** Pairs the events of each process; the number of the line is the time. */
class Pairing {
  readonly operations: Draft[] = [];
  readonly #running = new Map<number, Draft>();
  #time = 0;

  invoke(process: number, kind: string, key: string, args: Json[]): void {
    const draft: Draft = {
      id: this.operations.length,
      process,
      invokedAt: ++this.#time,
      completedAt: undefined,
      kind,
      keys: [key],
      args,
      result: undefined,
      outcome: 'unknown',
    };
    this.operations.push(draft);
    this.#running.set(process, draft);
  }

  /** A result of undefined leaves the operation open. */
  complete(process: number, result: Json | undefined): void {
    const time = ++this.#time;
    const draft = this.#running.get(process);
    if (draft === undefined) throw new Error(`process ${process} has nothing to complete`);
    this.#running.delete(process);
    if (result === undefined) return;
    draft.completedAt = time;
    draft.result = result;
    draft.outcome = 'ok';
  }
}

const REGISTER_LINE = /^INFO\s+jepsen\.util - (\d+)\s+:(\w+)\s+:(\w+)\s+(.*)$/;

/**
 * `:fail` of a cas is an answer (the value did not match); of anything else it says nothing, and is
 * left open like `:info`.
 */
export function parseRegisterLog(text: string): History {
  const pairing = new Pairing();
  for (const line of text.split('\n')) {
    const match = REGISTER_LINE.exec(line);
    if (match === null) continue;
    const [, process, event, kind = '', value = ''] = match;
    const values = registerValues(value);
    if (event === 'invoke') {
      pairing.invoke(Number(process), kind, 'register', kind === 'read' ? [] : values);
    } else {
      pairing.complete(Number(process), registerResult(event as Event, kind, values));
    }
  }
  return { model: 'cas-register', operations: pairing.operations };
}

/** `nil`, `3`, `[1 2]`; `:timed-out` has no value. */
function registerValues(text: string): (number | null)[] {
  const words = text.replace(/[[\]]/g, '').split(' ');
  return words.map((word) => (/^-?\d+$/.test(word) ? Number(word) : null));
}

function registerResult(event: Event, kind: string, values: (number | null)[]): Json | undefined {
  if (kind === 'cas' && event === 'fail') return false;
  if (event !== 'ok') return undefined;
  return kind === 'read' ? (values[0] ?? null) : true;
}

const KV_LINE =
  /^\{:process (\d+), :type :(\w+), :f :(\w+), :key "([^"]*)", :value (nil|"[^"]*")\}$/;

export function parseKvLog(text: string): History {
  const pairing = new Pairing();
  for (const line of text.split('\n')) {
    const match = KV_LINE.exec(line);
    if (match === null) continue;
    const [, process, event, kind = '', key = '', quoted = 'nil'] = match;
    const value = quoted === 'nil' ? null : quoted.slice(1, -1);
    if (event === 'invoke') {
      pairing.invoke(Number(process), kind, key, kind === 'get' ? [] : [value]);
    } else if (event === 'ok') pairing.complete(Number(process), kind === 'get' ? value : true);
    else pairing.complete(Number(process), undefined);
  }
  return { model: 'kv', operations: pairing.operations };
}
