/**
 * table.sort of Lua 5.1 (ltablib.c): the same comparisons in the same order, so that elements which
 * compare as equal end where Redis has them. Each comparison is counted.
 */
import { LUA_FUNCTION, LUA_STRING, LUA_TABLE, type LuaMachine } from './lua-machine.ts';
import type { Address, HostFunction } from './lua-module.ts';

const ARRAY = 1;
const ORDER = 2;
const SLOTS = 40;
const COMPARED_STEPS = 2;
/** Of texts that are compared. */
const BYTES_PER_STEP_BITS = 4;
const NO_NAME = 0;
const INVALID_ORDER = 'invalid order function for sorting';

export function sortOf(machine: LuaMachine): HostFunction {
  return (state) => {
    const { api } = machine;
    api.luaL_checktype(state, ARRAY, LUA_TABLE);
    const count = api.lua_objlen(state, ARRAY);
    api.luaL_checkstack(state, SLOTS, NO_NAME);
    if (api.lua_type(state, ORDER) > 0) api.luaL_checktype(state, ORDER, LUA_FUNCTION);
    api.lua_settop(state, ORDER);
    new Sorting(machine, state).sort(1, count);
    return 0;
  };
}

class Sorting {
  readonly #machine: LuaMachine;
  readonly #state: Address;
  readonly #hasOrder: boolean;

  constructor(machine: LuaMachine, state: Address) {
    this.#machine = machine;
    this.#state = state;
    this.#hasOrder = machine.api.lua_type(state, ORDER) === LUA_FUNCTION;
  }

  sort(from: number, to: number): void {
    let low = from;
    let high = to;
    while (low < high) {
      this.#orderEnds(low, high);
      if (high - low === 1) return;
      const middle = (low + high) >> 1;
      this.#orderMiddle(low, middle, high);
      if (high - low === 2) return;
      const pivot = this.#partition(low, middle, high);
      // The larger half is the one to go on with.
      const [start, end] = pivot - low < high - pivot ? [low, pivot - 1] : [pivot + 1, high];
      if (start === low) low = pivot + 1;
      else high = pivot - 1;
      this.sort(start, end);
    }
  }

  #get(index: number): void {
    this.#machine.api.lua_rawgeti(this.#state, ARRAY, index);
  }

  /** The two values on top of the stack: the upper one goes to `first`. */
  #setBoth(first: number, second: number): void {
    const { api } = this.#machine;
    api.lua_rawseti(this.#state, ARRAY, first);
    api.lua_rawseti(this.#state, ARRAY, second);
  }

  #pop(count: number): void {
    this.#machine.api.lua_settop(this.#state, -count - 1);
  }

  #isLess(a: number, b: number): boolean {
    const { api } = this.#machine;
    const state = this.#state;
    this.#machine.charge(COMPARED_STEPS);
    if (!this.#hasOrder) {
      if (api.lua_type(state, a) === LUA_STRING) {
        this.#machine.charge(api.lua_objlen(state, a) >> BYTES_PER_STEP_BITS);
      }
      return api.lua_lessthan(state, a, b) === 1;
    }
    api.lua_pushvalue(state, ORDER);
    api.lua_pushvalue(state, a - 1);
    api.lua_pushvalue(state, b - 2);
    api.lua_call(state, 2, 1);
    const isLess = api.lua_toboolean(state, -1) === 1;
    this.#pop(1);
    return isLess;
  }

  #orderEnds(low: number, high: number): void {
    this.#get(low);
    this.#get(high);
    if (this.#isLess(-1, -2)) this.#setBoth(low, high);
    else this.#pop(2);
  }

  #orderMiddle(low: number, middle: number, high: number): void {
    this.#get(middle);
    this.#get(low);
    if (this.#isLess(-2, -1)) return this.#setBoth(middle, low);
    this.#pop(1);
    this.#get(high);
    if (this.#isLess(-1, -2)) this.#setBoth(middle, high);
    else this.#pop(2);
  }

  /** Returns the place of the pivot, with all that is less before it. */
  #partition(low: number, middle: number, high: number): number {
    const { api } = this.#machine;
    const state = this.#state;
    this.#get(middle);
    api.lua_pushvalue(state, -1);
    this.#get(high - 1);
    this.#setBoth(middle, high - 1);
    let i = low;
    let j = high - 1;
    for (;;) {
      i += 1;
      for (this.#get(i); this.#isLess(-1, -2); this.#get(i)) {
        if (i > high) this.#machine.raise(state, INVALID_ORDER);
        this.#pop(1);
        i += 1;
      }
      j -= 1;
      for (this.#get(j); this.#isLess(-3, -1); this.#get(j)) {
        if (j < low) this.#machine.raise(state, INVALID_ORDER);
        this.#pop(1);
        j -= 1;
      }
      if (j < i) break;
      this.#setBoth(i, j);
    }
    this.#pop(3);
    this.#get(high - 1);
    this.#get(i);
    this.#setBoth(high - 1, i);
    return i;
  }
}
