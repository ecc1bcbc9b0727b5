/**
 * The table `cmsgpack` of scripts: `pack`, `unpack` and `unpack_one` as lua_cmsgpack.c of Redis has
 * them: the smallest form of each number, arrays of tables with the keys 1 to n.
 */
import {
  GLOBALS,
  LUA_BOOLEAN,
  LUA_NUMBER,
  LUA_STRING,
  LUA_TABLE,
  type LuaMachine,
} from './lua-machine.ts';
import type { Address } from './lua-module.ts';
import { MsgpackReader } from './msgpack-reader.ts';

/** A table that is nested deeper is packed as nil. */
const DEPTH_MAX = 16;
const SLOTS = 8;
const VALUE_STEPS = 10;
const NO_NAME = 0;
const VALUES_MAX = 8_000;

/** Sets the global, in `LuaMachine`'s preparation. */
export function installMsgpack(machine: LuaMachine): void {
  const { api, state } = machine;
  api.lua_createtable(state, 0, 4);
  machine.setFunction('pack', (its) => {
    const count = api.lua_gettop(its);
    if (count === 0) machine.argumentError(its, 0, 'MessagePack pack needs input.');
    api.luaL_checkstack(its, SLOTS, NO_NAME);
    const writer = new MsgpackWriter(machine, its);
    for (let i = 1; i <= count; i += 1) {
      api.lua_pushvalue(its, i);
      writer.write(0);
      api.lua_settop(its, -2);
    }
    machine.pushText(its, writer.text);
    return 1;
  });
  machine.setFunction('unpack', (its) => {
    const { length } = machine.checkedText(its, 1);
    machine.charge(length);
    const reader = new MsgpackReader(machine, its, machine.textAt(its, 1));
    let count = 0;
    for (; !reader.isAtEnd && count < VALUES_MAX; count += 1) reader.read(0);
    machine.noteValues(count);
    return count;
  });
  machine.setFunction('unpack_one', (its) => {
    const { length } = machine.checkedText(its, 1);
    const from = api.luaL_optinteger(its, 2, 0);
    if (from < 0 || from > length) machine.raise(its, `Start offset ${from} out of range.`);
    machine.charge(length);
    const reader = new MsgpackReader(machine, its, machine.textAt(its, 1), from);
    if (reader.isAtEnd) return 0;
    api.luaL_checkstack(its, SLOTS, NO_NAME);
    api.lua_pushnil(its);
    reader.read(0);
    api.lua_pushinteger(its, reader.isAtEnd ? -1 : reader.at);
    api.lua_replace(its, -3);
    return 2;
  });
  machine.pushText(state, 'cmsgpack');
  api.lua_setfield(state, -2, machine.name('_NAME'));
  api.lua_setfield(state, GLOBALS, machine.name('cmsgpack'));
}

class MsgpackWriter {
  readonly #machine: LuaMachine;
  readonly #state: Address;
  readonly #pieces: string[] = [];

  constructor(machine: LuaMachine, state: Address) {
    this.#machine = machine;
    this.#state = state;
  }

  get text(): string {
    return this.#pieces.join('');
  }

  /** The value on top of the stack, which stays there. */
  write(depth: number): void {
    const { api } = this.#machine;
    const type = api.lua_type(this.#state, -1);
    this.#machine.charge(VALUE_STEPS);
    if (type === LUA_STRING) {
      const text = this.#machine.textAt(this.#state, -1);
      this.#machine.charge(text.length >> 4);
      this.#head(text.length, 0xa0, 31, [0xd9, 0xda, 0xdb]);
      this.#pieces.push(text);
    } else if (type === LUA_NUMBER) {
      this.#pieces.push(numberBytes(api.lua_tonumber(this.#state, -1)));
    } else if (type === LUA_BOOLEAN) {
      this.#byte(api.lua_toboolean(this.#state, -1) === 1 ? 0xc3 : 0xc2);
    } else if (type === LUA_TABLE && depth < DEPTH_MAX) {
      this.#table(depth + 1);
    } else {
      this.#byte(0xc0);
    }
  }

  #byte(value: number): void {
    this.#pieces.push(String.fromCharCode(value));
  }

  /** `codes`: for lengths of one byte (0: there is none), of two and of four. */
  #head(length: number, short: number, shortMax: number, codes: readonly number[]): void {
    const [one = 0, two = 0, four = 0] = codes;
    if (length <= shortMax) this.#byte(short | length);
    else if (one !== 0 && length < 2 ** 8) this.#pieces.push(bytesOf(one, length, 1));
    else if (length < 2 ** 16) this.#pieces.push(bytesOf(two, length, 2));
    else this.#pieces.push(bytesOf(four, length, 4));
  }

  #table(depth: number): void {
    const { api } = this.#machine;
    const state = this.#state;
    api.luaL_checkstack(state, SLOTS, NO_NAME);
    const { entries, isArray } = this.#entries();
    if (isArray) {
      this.#head(entries, 0x90, 15, [0, 0xdc, 0xdd]);
      for (let i = 1; i <= entries; i += 1) {
        api.lua_rawgeti(state, -1, i);
        this.write(depth);
        api.lua_settop(state, -2);
      }
      return;
    }
    this.#head(entries, 0x80, 15, [0, 0xde, 0xdf]);
    api.lua_pushnil(state);
    while (api.lua_next(state, -2) !== 0) {
      api.lua_pushvalue(state, -2);
      this.write(depth);
      api.lua_settop(state, -2);
      this.write(depth);
      api.lua_settop(state, -2);
    }
  }

  #entries(): { entries: number; isArray: boolean } {
    const { api } = this.#machine;
    const state = this.#state;
    let entries = 0;
    let last = 0;
    let isArray = true;
    this.#machine.chargeWalk(state, -1);
    api.lua_pushnil(state);
    while (api.lua_next(state, -2) !== 0) {
      this.#machine.charge(VALUE_STEPS);
      entries += 1;
      const isNumber = api.lua_type(state, -2) === LUA_NUMBER;
      const key = isNumber ? api.lua_tonumber(state, -2) : 0;
      isArray &&= Number.isInteger(key) && key > 0;
      last = Math.max(last, key);
      api.lua_settop(state, -2);
    }
    return { entries, isArray: isArray && last === entries };
  }
}

/** A code and an integer of so many bytes behind it. */
function bytesOf(code: number, value: number, bytes: number): string {
  const all = Buffer.alloc(1 + bytes);
  all[0] = code;
  all.writeUIntBE(value, 1, bytes);
  return all.toString('latin1');
}

function numberBytes(value: number): string {
  if (!Number.isInteger(value) || Math.abs(value) >= 2 ** 63) return floatBytes(value);
  if (value >= 0) {
    if (value < 2 ** 7) return String.fromCharCode(value);
    if (value < 2 ** 8) return bytesOf(0xcc, value, 1);
    if (value < 2 ** 16) return bytesOf(0xcd, value, 2);
    if (value < 2 ** 32) return bytesOf(0xce, value, 4);
  } else {
    if (value >= -32) return String.fromCharCode(value & 0xff);
    if (value >= -(2 ** 7)) return bytesOf(0xd0, value & 0xff, 1);
    if (value >= -(2 ** 15)) return bytesOf(0xd1, value & 0xffff, 2);
    if (value >= -(2 ** 31)) return bytesOf(0xd2, value >>> 0, 4);
  }
  const all = Buffer.alloc(9);
  all[0] = value >= 0 ? 0xcf : 0xd3;
  all.writeBigUInt64BE(BigInt.asUintN(64, BigInt(value)), 1);
  return all.toString('latin1');
}

function floatBytes(value: number): string {
  const isShort = Math.fround(value) === value;
  const all = Buffer.alloc(isShort ? 5 : 9);
  all[0] = isShort ? 0xca : 0xcb;
  if (isShort) all.writeFloatBE(value, 1);
  else all.writeDoubleBE(value, 1);
  return all.toString('latin1');
}
