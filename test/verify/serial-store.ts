/**
 * One process, one request at a time: the store that every correct history must look like. It is
 * written apart from the models and shares nothing with them, so that one finds errors in the
 * other.
 * `generate.ts` runs its clients against it, `brute-force.ts` replays orders on it.
 */
import type { Json } from './history.ts';
import { SerialCollections } from './serial-collections.ts';

export interface Request {
  readonly kind: string;
  readonly keys: readonly string[];
  readonly args: readonly Json[];
}

/** Behaves as Redis (and the register and store of the data set) does, one request at a time. */
export class SerialStore {
  readonly #values = new Map<string, string>();
  readonly #registers = new Map<string, Json>();
  readonly #lists = new Map<string, Json[]>();
  /** By group. */
  readonly #collections = new Map<string, SerialCollections>();

  run({ kind, keys: [key = ''], args }: Request): Json {
    switch (kind) {
      case 'MULTI':
        return args.map((words) => this.#collectionsOf(key).run(words as string[]));
      case 'txn':
        return args.map((micro) => this.#runMicro(micro));
      case 'read':
        return this.#registers.get(key) ?? null;
      case 'write':
        this.#registers.set(key, args[0] ?? null);
        return true;
      case 'cas':
        if (this.#registers.get(key) !== args[0]) return false;
        this.#registers.set(key, args[1] ?? null);
        return true;
      case 'get':
        return this.#values.get(key) ?? '';
      case 'put':
        this.#values.set(key, String(args[0]));
        return true;
      case 'append':
        this.#values.set(key, `${this.#values.get(key) ?? ''}${args[0]}`);
        return true;
      case 'LRANGE':
        return [...this.#list(key)];
      case 'LLEN':
        return this.#list(key).length;
      case 'RPUSH':
        return this.#list(key).push(...args);
      default:
        return this.#runString(kind, key, args);
    }
  }

  #runString(kind: string, key: string, args: readonly Json[]): Json {
    const old = this.#values.get(key) ?? null;
    const [first] = args.map(String);
    switch (kind) {
      case 'GET':
        return old;
      case 'SET':
        return this.#set(key, old, args.map(String));
      case 'SETNX':
        return this.#set(key, old, [first ?? '', 'NX']) === null ? 0 : 1;
      case 'GETDEL':
        this.#values.delete(key);
        return old;
      case 'DEL':
        return this.#values.delete(key) ? 1 : 0;
      case 'DELIFEQ':
        return old === first && this.#values.delete(key) ? 1 : 0;
      case 'EXISTS':
        return old === null ? 0 : 1;
      case 'STRLEN':
        return old?.length ?? 0;
      case 'APPEND':
        this.#values.set(key, `${old ?? ''}${first}`);
        return `${old ?? ''}${first}`.length;
      case 'INCR':
        return this.#add(key, old, 1);
      case 'DECR':
        return this.#add(key, old, -1);
      case 'INCRBY':
        return this.#add(key, old, Number(first));
      case 'DECRBY':
        return this.#add(key, old, -Number(first));
      default:
        throw new Error(`no such command: ${kind}`);
    }
  }

  #set(key: string, old: string | null, [value = '', ...options]: readonly string[]): Json {
    const expected = options.includes('IFEQ') ? options[options.indexOf('IFEQ') + 1] : undefined;
    const met =
      !(options.includes('NX') && old !== null) &&
      !(options.includes('XX') && old === null) &&
      !(expected !== undefined && old !== expected);
    if (met) this.#values.set(key, value);
    if (options.includes('GET')) return old;
    return met ? 'OK' : null;
  }

  #add(key: string, old: string | null, delta: number): Json {
    const value = old === null ? 0 : Number(old);
    const isCanonical = old === null || String(value) === old;
    // Strings of digits that APPEND made may leave what the models can count.
    if (!isCanonical || !Number.isSafeInteger(value)) {
      return { error: 'ERR value is not an integer or out of range' };
    }
    this.#values.set(key, String(value + delta));
    return value + delta;
  }

  #runMicro(micro: Json): Json {
    const [type, key, value] = micro as [string, string, Json];
    const list = this.#list(key);
    if (type === 'read') return [...list];
    list.push(value);
    return null;
  }

  #collectionsOf(group: string): SerialCollections {
    const known = this.#collections.get(group) ?? new SerialCollections();
    this.#collections.set(group, known);
    return known;
  }

  #list(key: string): Json[] {
    let list = this.#lists.get(key);
    if (list === undefined) {
      list = [];
      this.#lists.set(key, list);
    }
    return list;
  }
}
