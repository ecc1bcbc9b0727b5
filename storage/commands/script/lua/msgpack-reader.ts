/** Reads MessagePack into values of Lua, one after the other. */
import type { LuaMachine } from './lua-machine.ts';
import type { Address } from './lua-module.ts';

const SLOTS = 4;
const VALUE_STEPS = 10;
const NO_NAME = 0;
/** The machine's own calls are as deep. */
const DEPTH_MAX = 1_000;
const MISSING = 'Missing bytes in input.';
const BAD = 'Bad data format in input.';

export class MsgpackReader {
  readonly #machine: LuaMachine;
  readonly #state: Address;
  readonly #bytes: Buffer;
  at: number;

  /** `text`: a byte string (latin1). */
  constructor(machine: LuaMachine, state: Address, text: string, from = 0) {
    this.#machine = machine;
    this.#state = state;
    this.#bytes = Buffer.from(text, 'latin1');
    this.at = from;
  }

  get isAtEnd(): boolean {
    return this.at >= this.#bytes.length;
  }

  /** Pushes the next value. */
  read(depth: number): void {
    const { api } = this.#machine;
    const state = this.#state;
    this.#machine.charge(VALUE_STEPS);
    api.luaL_checkstack(state, SLOTS, NO_NAME);
    if (depth > DEPTH_MAX) this.#machine.raise(state, BAD);
    const code = this.#unsigned(1);
    if (code < 0x80) return api.lua_pushnumber(state, code);
    if (code >= 0xe0) return api.lua_pushnumber(state, code - 0x100);
    if (code < 0x90) return this.#map(code & 15, depth);
    if (code < 0xa0) return this.#array(code & 15, depth);
    if (code < 0xc0) return this.#text(code & 31);
    this.#long(code, depth);
  }

  #long(code: number, depth: number): void {
    const { api } = this.#machine;
    const state = this.#state;
    switch (code) {
      case 0xc0:
        return api.lua_pushnil(state);
      case 0xc2:
      case 0xc3:
        return api.lua_pushboolean(state, code & 1);
      case 0xca:
        return api.lua_pushnumber(state, this.#bytes.readFloatBE(this.#take(4)));
      case 0xcb:
        return api.lua_pushnumber(state, this.#bytes.readDoubleBE(this.#take(8)));
      case 0xcc:
      case 0xcd:
      case 0xce:
        return api.lua_pushnumber(state, this.#unsigned(2 ** (code - 0xcc)));
      case 0xcf:
        return api.lua_pushnumber(state, Number(this.#bytes.readBigUInt64BE(this.#take(8))));
      case 0xd0:
      case 0xd1:
      case 0xd2: {
        const bytes = 2 ** (code - 0xd0);
        return api.lua_pushnumber(state, this.#bytes.readIntBE(this.#take(bytes), bytes));
      }
      case 0xd3:
        return api.lua_pushnumber(state, Number(this.#bytes.readBigInt64BE(this.#take(8))));
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#text(this.#unsigned(2 ** (code - 0xc4)));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#unsigned(2 ** (code - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.#array(this.#unsigned(2 * (code - 0xdb)), depth);
      case 0xde:
      case 0xdf:
        return this.#map(this.#unsigned(2 * (code - 0xdd)), depth);
      default:
        this.#machine.raise(state, BAD);
    }
  }

  /** Returns where the next bytes begin. */
  #take(bytes: number): number {
    const { at } = this;
    if (at + bytes > this.#bytes.length) this.#machine.raise(this.#state, MISSING);
    this.at = at + bytes;
    return at;
  }

  #unsigned(bytes: number): number {
    return this.#bytes.readUIntBE(this.#take(bytes), bytes);
  }

  #text(length: number): void {
    const from = this.#take(length);
    this.#machine.pushText(this.#state, this.#bytes.toString('latin1', from, from + length));
  }

  #array(length: number, depth: number): void {
    const { api } = this.#machine;
    api.lua_createtable(this.#state, 0, 0);
    for (let i = 1; i <= length; i += 1) {
      this.read(depth + 1);
      api.lua_rawseti(this.#state, -2, i);
    }
  }

  #map(pairs: number, depth: number): void {
    const { api } = this.#machine;
    api.lua_createtable(this.#state, 0, 0);
    for (let i = 0; i < pairs; i += 1) {
      this.read(depth + 1);
      this.read(depth + 1);
      api.lua_settable(this.#state, -3);
    }
  }
}
