/** Values of Lua as replies: the conversions of Redis (`luaReplyToRedisReply` of script_lua.c). */
import type { ScriptReply } from '../script-reply.ts';
import { LUA_BOOLEAN, LUA_NUMBER, LUA_STRING, LUA_TABLE, type LuaMachine } from './lua-machine.ts';
import type { Address } from './lua-module.ts';

const NIL: ScriptReply = { type: 'nil' };
const TOO_DEEP: ScriptReply = { type: 'error', text: 'ERR reached lua stack limit' };
/** A reply nests at most so deep. */
const DEPTH_MAX = 128;
/** Values on the stack of one level. */
const SLOTS = 4;
const ELEMENT_STEPS = 4;
const TABLE_STEPS = 60;
const BYTES_PER_STEP_BITS = 4;

/** Names of fields that make a table something else than an array. */
const REPLY_FIELDS = ['err', 'ok', 'double', 'map', 'set', 'big_number', 'verbatim_string'];

export class LuaResult {
  readonly #machine: LuaMachine;
  readonly #state: Address;
  readonly #protocol: 2 | 3;

  /** `protocol`: as the script has set it for its own calls. */
  constructor(machine: LuaMachine, protocol: 2 | 3) {
    this.#machine = machine;
    this.#state = machine.state;
    this.#protocol = protocol;
  }

  /** Takes the value on top of the stack. */
  take(depth = 0): ScriptReply {
    const { api } = this.#machine;
    const reply = this.#replyOf(api.lua_type(this.#state, -1), depth);
    api.lua_settop(this.#state, -2);
    return reply;
  }

  #replyOf(type: number, depth: number): ScriptReply {
    const { api } = this.#machine;
    const state = this.#state;
    this.#machine.charge(ELEMENT_STEPS);
    switch (type) {
      case LUA_STRING:
        return { type: 'bulk', text: this.#text() };
      case LUA_NUMBER:
        return { type: 'integer', value: asInteger(api.lua_tonumber(state, -1)) };
      case LUA_BOOLEAN: {
        const value = api.lua_toboolean(state, -1) === 1;
        if (this.#protocol === 3) return { type: 'boolean', value };
        return value ? { type: 'integer', value: 1 } : NIL;
      }
      case LUA_TABLE:
        this.#machine.charge(TABLE_STEPS);
        if (depth === DEPTH_MAX || api.lua_checkstack(state, SLOTS) === 0) return TOO_DEEP;
        return this.#named(depth) ?? this.#array(depth);
      default:
        return NIL;
    }
  }

  #text(): string {
    const { length } = this.#machine.locate(this.#state, -1);
    this.#machine.charge(length >> BYTES_PER_STEP_BITS);
    return this.#machine.textAt(this.#state, -1);
  }

  /** Pushes a field; returns its type. */
  #field(name: string): number {
    const { api } = this.#machine;
    this.#machine.pushText(this.#state, name);
    api.lua_rawget(this.#state, -2);
    return api.lua_type(this.#state, -1);
  }

  #named(depth: number): ScriptReply | undefined {
    const { api } = this.#machine;
    for (const name of REPLY_FIELDS) {
      const type = this.#field(name);
      const reply = type === 0 ? undefined : this.#special(name, type, depth);
      api.lua_settop(this.#state, -2);
      if (reply !== undefined) return reply;
    }
    return undefined;
  }

  #special(name: string, type: number, depth: number): ScriptReply | undefined {
    const isText = type === LUA_STRING;
    switch (name) {
      case 'err':
        return isText ? { type: 'error', text: oneLine(this.#text()) } : undefined;
      case 'ok':
        return isText ? { type: 'simple', text: oneLine(this.#text()) } : undefined;
      case 'big_number':
        return isText ? { type: 'bulk', text: oneLine(this.#text()) } : undefined;
      case 'double': {
        const value = this.#machine.api.lua_tonumber(this.#state, -1);
        return type === LUA_NUMBER ? { type: 'double', value } : undefined;
      }
      case 'verbatim_string':
        return type === LUA_TABLE ? this.#verbatim() : undefined;
      default:
        return type === LUA_TABLE ? this.#pairs(name === 'map', depth) : undefined;
    }
  }

  #verbatim(): ScriptReply | undefined {
    const type = this.#field('string');
    const text = type === LUA_STRING ? this.#text() : undefined;
    this.#machine.api.lua_settop(this.#state, -2);
    return text === undefined ? undefined : { type: 'verbatim', text };
  }

  /** The keys of a table with or without their values. */
  #pairs(isMap: boolean, depth: number): ScriptReply {
    const { api } = this.#machine;
    const state = this.#state;
    const items: ScriptReply[] = [];
    if (api.lua_checkstack(state, SLOTS) === 0) return TOO_DEEP;
    this.#machine.chargeWalk(state, -1);
    api.lua_pushnil(state);
    while (api.lua_next(state, -2) !== 0) {
      const value = this.take(depth + 1);
      api.lua_pushvalue(state, -1);
      items.push(this.take(depth + 1));
      if (isMap) items.push(value);
    }
    return { type: isMap ? 'map' : 'set', items };
  }

  #array(depth: number): ScriptReply {
    const { api } = this.#machine;
    const items: ScriptReply[] = [];
    for (let i = 1; ; i += 1) {
      api.lua_rawgeti(this.#state, -1, i);
      if (api.lua_type(this.#state, -1) === 0) break;
      items.push(this.take(depth + 1));
    }
    api.lua_settop(this.#state, -2);
    return { type: 'array', items };
  }
}

/** As C casts a double to a 64 bit integer on the machines that Redis runs on. */
function asInteger(value: number): number | bigint {
  const whole = Math.trunc(value);
  if (Number.isSafeInteger(whole)) return whole;
  return Math.abs(whole) < 2 ** 63 ? BigInt(whole) : -(2n ** 63n);
}

function oneLine(text: string): string {
  return text.replace(/[\r\n]/g, ' ');
}
