/**
 * Lists, sets, hashes and sorted sets of a serial store, in the language's own containers. Like
 * `serial-store.ts`, which it belongs to, it shares nothing with the models.
 */
import type { Json } from './history.ts';

export class SerialCollections {
  readonly #lists = new Map<string, string[]>();
  readonly #sets = new Map<string, Set<string>>();
  readonly #maps = new Map<string, Map<string, number>>();

  run([name = '', key = '', ...args]: readonly string[]): Json {
    if (name.startsWith('S')) return this.#runSet(name, part(this.#sets, key, newSet), args);
    if (/^[HZ]/.test(name)) return this.#runMap(name, part(this.#maps, key, newMap), args);
    return this.#runList(name, part(this.#lists, key, newList), args);
  }

  #runList(name: string, list: string[], args: readonly string[]): Json {
    switch (name) {
      case 'RPUSH':
        return list.push(...args);
      case 'LPOP':
        return list.shift() ?? null;
      case 'LMOVE': {
        const moved = list.shift();
        if (moved === undefined) return null;
        part(this.#lists, args[0] ?? '', newList).push(moved);
        return moved;
      }
      case 'LREM': {
        const found = list.indexOf(args[1] ?? '');
        return found < 0 ? 0 : list.splice(found, 1).length;
      }
      case 'LRANGE':
        return [...list];
      default:
        throw new Error(`no such command: ${name}`);
    }
  }

  #runSet(name: string, members: Set<string>, args: readonly string[]): Json {
    const [member = '', moved = ''] = args;
    const size = members.size;
    switch (name) {
      case 'SADD':
        return members.add(member).size - size;
      case 'SREM':
        return members.delete(member) ? 1 : 0;
      case 'SMOVE':
        if (!members.delete(moved)) return 0;
        part(this.#sets, member, newSet).add(moved);
        return 1;
      case 'SMEMBERS':
        return [...members].sort();
      default:
        throw new Error(`no such command: ${name}`);
    }
  }

  #runMap(name: string, map: Map<string, number>, args: readonly string[]): Json {
    const [first = '', second = ''] = args;
    const size = map.size;
    switch (name) {
      case 'HSET':
        return map.set(first, Number(second)).size - size;
      case 'HINCRBY':
        map.set(first, (map.get(first) ?? 0) + Number(second));
        return map.get(first) ?? null;
      case 'HDEL':
      case 'ZREM':
        return map.delete(first) ? 1 : 0;
      case 'HGETALL':
        return [...map].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([f, v]) => [f, `${v}`]);
      case 'ZADD':
        return map.set(second, Number(first)).size - size;
      case 'ZPOPMIN': {
        const [lowest] = ranked(map);
        if (lowest !== undefined) map.delete(lowest[0]);
        return (lowest ?? []).map(String);
      }
      case 'ZRANGE':
        return ranked(map).flat().map(String);
      default:
        throw new Error(`no such command: ${name}`);
    }
  }
}

const newList = (): string[] => [];
const newSet = (): Set<string> => new Set();
const newMap = (): Map<string, number> => new Map();

function part<T>(parts: Map<string, T>, key: string, make: () => T): T {
  const known = parts.get(key) ?? make();
  parts.set(key, known);
  return known;
}

function ranked(map: ReadonlyMap<string, number>): [string, number][] {
  return [...map].sort(([a, one], [b, other]) => one - other || (a < b ? -1 : 1));
}
