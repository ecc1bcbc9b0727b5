/**
 * The reply of a command as values of Lua: the conversions of Redis (`redisProtocolToLuaType` of
 * script_lua.c). Each reply is pushed on the stack as it is written.
 */

import { scoreText } from '../../../types/scores.ts';
import type { ReplySink } from '../../reply.ts';
import type { LuaMachine } from './lua-machine.ts';
import type { Address } from './lua-module.ts';

/** A table that is being filled. */
interface Filling {
  readonly type: 'array' | 'map' | 'set';
  left: number;
  next: number;
  /** It is in a table that tells what it is. */
  readonly isNamed: boolean;
}

const ELEMENT_STEPS = 2;

export class LuaReply implements ReplySink {
  readonly #machine: LuaMachine;
  #state: Address;
  #protocol: 2 | 3 = 2;
  readonly #open: Filling[] = [];
  /** The line of a reply that is an error; nothing is pushed then. */
  failure: string | undefined;

  constructor(machine: LuaMachine) {
    this.#machine = machine;
    this.#state = machine.state;
  }

  begin(state: Address, protocol: 2 | 3): void {
    this.#state = state;
    this.#protocol = protocol;
    this.#open.length = 0;
    this.failure = undefined;
  }

  simple(text: string): void {
    this.#named('ok', () => this.#machine.pushText(this.#state, text));
  }

  error(line: string): void {
    if (this.#open.length === 0) this.failure = line;
    else this.#named('err', () => this.#machine.pushText(this.#state, line));
  }

  integer(value: number | bigint): void {
    this.#machine.api.lua_pushnumber(this.#state, Number(value));
    this.#placed();
  }

  bulk(text: string): void {
    this.#machine.pushText(this.#state, text);
    this.#placed();
  }

  nil(): void {
    const { api } = this.#machine;
    if (this.#protocol === 3) api.lua_pushnil(this.#state);
    else api.lua_pushboolean(this.#state, 0);
    this.#placed();
  }

  nilArray(): void {
    this.nil();
  }

  array(length: number): void {
    this.#machine.api.lua_createtable(this.#state, length, 0);
    this.#begin('array', length, false);
  }

  map(pairs: number): void {
    if (this.#protocol === 2) return this.array(2 * pairs);
    this.#beginNamed('map', 2 * pairs);
  }

  set(length: number): void {
    if (this.#protocol === 2) return this.array(length);
    this.#beginNamed('set', length);
  }

  pairs(count: number): void {
    this.array(this.#protocol === 2 ? 2 * count : count);
  }

  pair(): void {
    if (this.#protocol === 3) this.array(2);
  }

  keyedMap(entries: number): void {
    if (this.#protocol === 3) this.map(entries);
    else this.array(entries);
  }

  keyed(): void {
    if (this.#protocol === 2) this.array(2);
  }

  double(value: number): void {
    if (this.#protocol === 2) return this.bulk(scoreText(value));
    this.#named('double', () => this.#machine.api.lua_pushnumber(this.#state, value));
  }

  boolean(value: boolean): void {
    if (this.#protocol === 2) return this.integer(Number(value));
    this.#machine.api.lua_pushboolean(this.#state, Number(value));
    this.#placed();
  }

  verbatim(text: string): void {
    if (this.#protocol === 2) return this.bulk(text);
    const { api } = this.#machine;
    this.#named('verbatim_string', () => {
      api.lua_createtable(this.#state, 0, 2);
      for (const [name, value] of [
        ['format', 'txt'],
        ['string', text],
      ] as const) {
        this.#machine.pushText(this.#state, name);
        this.#machine.pushText(this.#state, value);
        api.lua_rawset(this.#state, -3);
      }
    });
  }

  /** A table with one field. */
  #named(field: string, push: () => void): void {
    const { api } = this.#machine;
    api.lua_createtable(this.#state, 0, 1);
    this.#machine.pushText(this.#state, field);
    push();
    api.lua_rawset(this.#state, -3);
    this.#placed();
  }

  #beginNamed(type: 'map' | 'set', left: number): void {
    const { api } = this.#machine;
    api.lua_createtable(this.#state, 0, 1);
    this.#machine.pushText(this.#state, type);
    api.lua_createtable(this.#state, 0, left);
    this.#begin(type, left, true);
  }

  #begin(type: Filling['type'], left: number, isNamed: boolean): void {
    this.#open.push({ type, left, next: 1, isNamed });
    if (left === 0) this.#end();
  }

  /** The table on top is complete. */
  #end(): void {
    const done = this.#open.pop();
    if (done?.isNamed === true) this.#machine.api.lua_rawset(this.#state, -3);
    this.#placed();
  }

  /** A value is on top of the stack: it goes where it belongs. */
  #placed(): void {
    this.#machine.charge(ELEMENT_STEPS);
    const filling = this.#open.at(-1);
    if (filling === undefined) return;
    this.#put(filling);
    filling.left -= 1;
    if (filling.left === 0) this.#end();
  }

  #put(filling: Filling): void {
    const { api } = this.#machine;
    const state = this.#state;
    if (filling.type === 'array') {
      api.lua_rawseti(state, -2, filling.next);
      filling.next += 1;
    } else if (filling.type === 'set') {
      api.lua_pushboolean(state, 1);
      api.lua_rawset(state, -3);
    } else if (filling.left % 2 === 1) {
      // A map: its key came before.
      api.lua_rawset(state, -3);
    }
  }
}
