/**
 * The table `cjson` of scripts: `encode`, `decode` and `null`, with the defaults and the errors of
 * lua-cjson 2.1 in Redis. Each value and each character is counted.
 */
import { JsonReader } from './json-reader.ts';
import {
  GLOBALS,
  LUA_BOOLEAN,
  LUA_NUMBER,
  LUA_STRING,
  LUA_TABLE,
  LUA_USERDATA,
  type LuaMachine,
} from './lua-machine.ts';
import type { Address } from './lua-module.ts';

const DEPTH_MAX = 1_000;
const SLOTS = 8;
const VALUE_STEPS = 10;
/** A number becomes a text. */
const NUMBER_STEPS = 20;
/** A byte that is escaped. */
const ESCAPE_STEPS = 8;
const NO_NAME = 0;
/** An array may have so few of its items, unless it is this short. */
const SPARSE_RATIO = 2;
const SPARSE_SAFE = 10;
const TYPE_NAMES = [
  ...['nil', 'boolean', 'userdata', 'number', 'string'],
  ...['table', 'function', 'userdata', 'thread'],
];
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '/': '\\/',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\f': '\\f',
  '\r': '\\r',
};
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are to be escaped.
const ESCAPED = /["\\/\u0000-\u001f\u007f]/g;

/** Sets the global, in `LuaMachine`'s preparation. */
export function installJson(machine: LuaMachine): void {
  const { api, state } = machine;
  api.lua_createtable(state, 0, 5);
  machine.setFunction('encode', (its) => {
    checkOne(machine, its);
    machine.pushText(its, new JsonWriter(machine, its).write(0));
    return 1;
  });
  machine.setFunction('decode', (its) => {
    checkOne(machine, its);
    const { length } = machine.checkedText(its, 1);
    machine.charge(2 * length);
    new JsonReader(machine, its, machine.textAt(its, 1)).read();
    return 1;
  });
  api.lua_pushlightuserdata(state, 0);
  api.lua_setfield(state, -2, machine.name('null'));
  for (const [name, text] of [
    ['_NAME', 'cjson'],
    ['_VERSION', '2.1.0'],
  ] as const) {
    machine.pushText(state, text);
    api.lua_setfield(state, -2, machine.name(name));
  }
  api.lua_setfield(state, GLOBALS, machine.name('cjson'));
}

function checkOne(machine: LuaMachine, state: Address): void {
  if (machine.api.lua_gettop(state) !== 1) machine.argumentError(state, 1, 'expected 1 argument');
}

class JsonWriter {
  readonly #machine: LuaMachine;
  readonly #state: Address;

  constructor(machine: LuaMachine, state: Address) {
    this.#machine = machine;
    this.#state = state;
  }

  /** The value on top of the stack, which stays there. */
  write(depth: number): string {
    const { api } = this.#machine;
    const state = this.#state;
    this.#machine.charge(VALUE_STEPS);
    const type = api.lua_type(state, -1);
    switch (type) {
      case LUA_STRING:
        return this.#text();
      case LUA_NUMBER:
        return this.#number();
      case LUA_BOOLEAN:
        return api.lua_toboolean(state, -1) === 1 ? 'true' : 'false';
      case LUA_TABLE:
        return this.#table(depth + 1);
      case 0:
        return 'null';
      case LUA_USERDATA:
        if (api.lua_touserdata(state, -1) === 0) return 'null';
    }
    return this.#refuse(type, 'type not supported');
  }

  #refuse(type: number, why: string): never {
    this.#machine.raise(this.#state, `Cannot serialise ${TYPE_NAMES[type]}: ${why}`);
  }

  #text(): string {
    const text = this.#machine.textAt(this.#state, -1);
    this.#machine.charge(text.length);
    const written = text.replace(ESCAPED, (byte) => {
      this.#machine.charge(ESCAPE_STEPS);
      return escaped(byte);
    });
    return `"${written}"`;
  }

  #number(): string {
    const { api } = this.#machine;
    const value = api.lua_tonumber(this.#state, -1);
    this.#machine.charge(NUMBER_STEPS);
    if (!Number.isFinite(value)) this.#refuse(LUA_NUMBER, 'must not be NaN or Inf');
    // In C, with as many digits; a copy, since the value itself may be a key.
    api.lua_pushnumber(this.#state, value);
    const text = this.#machine.textAt(this.#state, -1);
    api.lua_settop(this.#state, -2);
    return text;
  }

  #table(depth: number): string {
    if (depth > DEPTH_MAX) {
      this.#machine.raise(this.#state, `Cannot serialise, excessive nesting (${depth})`);
    }
    this.#machine.api.luaL_checkstack(this.#state, SLOTS, NO_NAME);
    const length = this.#lengthAsArray();
    return length > 0 ? this.#array(length, depth) : this.#object(depth);
  }

  /** 0: it is an object. */
  #lengthAsArray(): number {
    const { api } = this.#machine;
    const state = this.#state;
    let last = 0;
    let items = 0;
    this.#machine.chargeWalk(state, -1);
    api.lua_pushnil(state);
    while (api.lua_next(state, -2) !== 0) {
      this.#machine.charge(VALUE_STEPS);
      const isNumber = api.lua_type(state, -2) === LUA_NUMBER;
      const key = isNumber ? api.lua_tonumber(state, -2) : 0;
      if (!Number.isInteger(key) || key < 1) {
        api.lua_settop(state, -3);
        return 0;
      }
      last = Math.max(last, key);
      items += 1;
      api.lua_settop(state, -2);
    }
    if (last > items * SPARSE_RATIO && last > SPARSE_SAFE) {
      this.#refuse(LUA_TABLE, 'excessively sparse array');
    }
    return last;
  }

  #array(length: number, depth: number): string {
    const items: string[] = [];
    for (let i = 1; i <= length; i += 1) {
      this.#machine.api.lua_rawgeti(this.#state, -1, i);
      items.push(this.write(depth));
      this.#machine.api.lua_settop(this.#state, -2);
    }
    return `[${items.join(',')}]`;
  }

  #object(depth: number): string {
    const { api } = this.#machine;
    const state = this.#state;
    const fields: string[] = [];
    api.lua_pushnil(state);
    while (api.lua_next(state, -2) !== 0) {
      const type = api.lua_type(state, -2);
      api.lua_pushvalue(state, -2);
      if (type !== LUA_STRING && type !== LUA_NUMBER) {
        this.#refuse(type, 'table key must be a number or string');
      }
      const key = type === LUA_STRING ? this.#text() : `"${this.#number()}"`;
      api.lua_settop(state, -2);
      fields.push(`${key}:${this.write(depth)}`);
      api.lua_settop(state, -2);
    }
    return `{${fields.join(',')}}`;
  }
}

function escaped(character: string): string {
  const short = ESCAPES[character];
  return short ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
