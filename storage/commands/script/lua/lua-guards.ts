/**
 * Functions of Lua's own library whose work no hook can interrupt: each call counts the work ahead
 * of it, and then runs as it is. Some are replaced or removed: those that would load compiled code,
 * or drive the collector.
 */
import {
  ALL_RESULTS,
  GLOBALS,
  LUA_NUMBER,
  LUA_STRING,
  LUA_TABLE,
  type LuaMachine,
  TOO_MUCH_MEMORY,
} from './lua-machine.ts';
import { type Address, functionAt } from './lua-module.ts';
import { SCOPE } from './lua-prelude.ts';
import { ScriptRandom } from './lua-random.ts';
import { sortOf } from './lua-sort.ts';
import { LuaStrings } from './lua-strings.ts';

const ESCAPE = 27;
const KIB = 1024;
/** A number, or an address, becomes a text. */
const TEXT_STEPS = 50;
const READ_NUMBER_STEPS = 40;
/** A source is compiled: for each of its bytes, and in all. */
const SOURCE_BYTE_STEPS = 4;
const SOURCE_STEPS = 200;
/** Items are gone through, each by a call of a function in C. */
const ITEM_STEPS = 4;
/** Items that are numbers become texts. */
const JOINED_ITEM_STEPS = 16;
/** Bytes that `format` goes through in a step. */
const FORMAT_BYTES_PER_STEP_BITS = 2;
/** A coroutine begins to count its instructions anew. */
const COROUTINE_STEPS = 100;
const FORMAT_STEPS = 150;
/** A walk through a smaller table is not followed from one `next` to the other. */
const FOLLOWED_SLOTS_MIN = 64;
/** Where the registry has the last key of each walk, by its table. */
const WALKS = 'walks';
const VALUE_BYTES_BITS = 4;
const WRONG_NUMBER = 'wrong number of arguments';
const READONLY = 'Attempt to modify a readonly table';
const REGISTRY = -10_000;
const EMPTY_INTERVAL = 'interval is empty';

type Cost = (state: Address) => void;

export class LuaGuards {
  readonly #machine: LuaMachine;
  readonly #strings: LuaStrings;
  #random: ScriptRandom | undefined;
  #seed: () => number = () => 0;

  constructor(machine: LuaMachine) {
    this.#machine = machine;
    this.#strings = new LuaStrings(machine);
  }

  /** Call it at the beginning of every run. `seed`: for the first random number. */
  begin(seed: () => number): void {
    this.#random = undefined;
    this.#seed = seed;
  }

  /** Into the globals, in `LuaMachine`'s preparation. */
  install(): void {
    const machine = this.#machine;
    const { api } = machine;
    machine.name('err');
    this.#in('string', () => {
      this.#strings.install();
      this.#guard('rep', this.#costOfRepetition);
      this.#guard('byte', this.#costOfBytes);
      this.#guard('format', this.#costOfFormat);
      for (const name of ['lower', 'upper', 'reverse']) this.#guard(name, this.#costOfText);
      this.#remove('dump');
    });
    this.#in('table', () => {
      for (const name of ['insert', 'remove']) this.#guard(name, this.#costOfItems);
      this.#guard('concat', (its) => machine.charge(JOINED_ITEM_STEPS * this.#items(its)));
      for (const name of ['maxn', 'foreach', 'foreachi']) this.#guard(name, this.#costOfMemory);
      machine.setFunction('sort', sortOf(machine));
    });
    this.#in('coroutine', () => {
      const cost = () => machine.charge(COROUTINE_STEPS);
      for (const name of ['create', 'wrap']) this.#guard(name, cost);
    });
    this.#in('math', () => {
      machine.setFunction('random', this.#drawn);
      machine.setFunction('randomseed', this.#seeded);
    });
    this.#in('_G', () => {
      this.#guard('unpack', this.#costOfUnpacking);
      this.#guardIpairs();
      this.#guard('loadstring', this.#costOfSource);
      this.#guard('tonumber', (its) => {
        machine.charge(READ_NUMBER_STEPS);
        this.#costOfText(its);
      });
      this.#guard('tostring', () => machine.charge(TEXT_STEPS));
      this.#makeWalks();
      const next = this.#guardNext();
      machine.setFunction('pairs', (its) => this.#pairs(its, next));
      machine.setFunction('pcall', this.#protectedCall);
      this.#guard('rawset', this.#refuseScope);
      this.#guard('setmetatable', (its) => {
        this.#refuseScope(its);
        if (api.lua_type(its, 2) === LUA_TABLE) machine.noteMetatable(api.lua_topointer(its, 2));
      });
      machine.setFunction('collectgarbage', this.#collected);
      machine.setFunction('gcinfo', (state) => this.#pushKib(state, Math.floor));
    });
  }

  #in(library: string, install: () => void): void {
    const { api, state } = this.#machine;
    api.lua_getfield(state, GLOBALS, this.#machine.name(library));
    install();
    api.lua_settop(state, -2);
  }

  #remove(name: string): void {
    const { api, state } = this.#machine;
    api.lua_pushnil(state);
    api.lua_setfield(state, -2, this.#machine.name(name));
  }

  /** Runs the function in the same frame, so that its errors name it and the caller's line. */
  #guard(name: string, cost: Cost): Address {
    const machine = this.#machine;
    const { api, state } = machine;
    api.lua_getfield(state, -1, machine.name(name));
    const original = functionAt(api, api.lua_tocfunction(state, -1));
    api.lua_settop(state, -2);
    return machine.setFunction(name, (its) => {
      cost(its);
      return original(its);
    });
  }

  /** Bad arguments cost nothing: the function refuses them. */
  readonly #costOfRepetition: Cost = (state) => {
    const { api } = this.#machine;
    const count = api.lua_tonumber(state, 2);
    const bytes = api.lua_objlen(state, 1);
    if (api.lua_type(state, 1) !== LUA_STRING || !(count > 0)) return;
    this.#machine.charge(Math.min(count, Number.MAX_SAFE_INTEGER));
    if (count * bytes > 2 ** 31) throw TOO_MUCH_MEMORY;
  };

  readonly #costOfBytes: Cost = (state) => {
    if (this.#machine.api.lua_type(state, 3) <= 0) return;
    this.#spread(this.#machine.api.lua_objlen(state, 1));
  };

  readonly #costOfText: Cost = (state) => {
    if (this.#machine.api.lua_type(state, 1) !== LUA_STRING) return;
    this.#machine.charge(this.#machine.api.lua_objlen(state, 1));
  };

  readonly #costOfFormat: Cost = (state) => {
    const { api } = this.#machine;
    let bytes = 0;
    for (let i = api.lua_gettop(state); i > 1; i -= 1) {
      if (api.lua_type(state, i) === LUA_STRING) bytes += api.lua_objlen(state, i);
    }
    this.#machine.charge(FORMAT_STEPS + (bytes >> FORMAT_BYTES_PER_STEP_BITS));
  };

  readonly #costOfItems: Cost = (state) => {
    this.#machine.charge(this.#items(state));
  };

  readonly #costOfMemory: Cost = () => {
    this.#machine.charge(this.#machine.usedBytes >> VALUE_BYTES_BITS);
  };

  /** Weak keys: it keeps no table. */
  #makeWalks(): void {
    const machine = this.#machine;
    const { api, state } = machine;
    api.lua_createtable(state, 0, 0);
    api.lua_createtable(state, 0, 1);
    machine.pushText(state, 'k');
    api.lua_setfield(state, -2, machine.name('__mode'));
    api.lua_setmetatable(state, -2);
    api.lua_setfield(state, REGISTRY, machine.name(WALKS));
  }

  /**
   * A walk looks at each slot of the table once, and is paid when it begins. A call that does not
   * go on where the last one has ended may go through all slots again.
   */
  #guardNext(): Address {
    const machine = this.#machine;
    const { api, state } = machine;
    api.lua_getfield(state, -1, machine.name('next'));
    const original = functionAt(api, api.lua_tocfunction(state, -1));
    api.lua_settop(state, -2);
    return machine.setFunction('next', (its) => {
      if (api.lua_type(its, 1) !== LUA_TABLE) return original(its);
      const isFollowed = machine.slotsOf(its, 1) >= FOLLOWED_SLOTS_MIN;
      if (!isFollowed || !this.#goesOn(its)) machine.chargeWalk(its, 1);
      const results = original(its);
      if (isFollowed && results === 2) this.#noteWalk(its);
      return results;
    });
  }

  /** The function that it returns is a value of its closure. */
  #guardIpairs(): void {
    const machine = this.#machine;
    const { api, state } = machine;
    api.lua_getfield(state, -1, machine.name('ipairs'));
    const original = functionAt(api, api.lua_tocfunction(state, -1));
    const guarded = machine.hostFunction((its) => {
      machine.charge(ITEM_STEPS * this.#items(its));
      return original(its);
    });
    api.lua_getupvalue(state, -1, 1);
    api.lua_pushcclosure(state, guarded, 1);
    api.lua_setfield(state, -3, machine.name('ipairs'));
    api.lua_settop(state, -2);
  }

  /** Argument 2 is the last key of the walk through argument 1. */
  #goesOn(state: Address): boolean {
    const { api } = this.#machine;
    if (api.lua_type(state, 2) <= 0) return false;
    api.lua_getfield(state, REGISTRY, this.#machine.name(WALKS));
    api.lua_pushvalue(state, 1);
    api.lua_rawget(state, -2);
    const isSame = api.lua_rawequal(state, 2, -1) === 1;
    api.lua_settop(state, -3);
    return isSame;
  }

  /** The key and its value are on top of the stack. */
  #noteWalk(state: Address): void {
    const { api } = this.#machine;
    api.lua_getfield(state, REGISTRY, this.#machine.name(WALKS));
    api.lua_pushvalue(state, 1);
    api.lua_pushvalue(state, -4);
    api.lua_rawset(state, -3);
    api.lua_settop(state, -2);
  }

  /** As in Redis: of an error that is a table, its text. */
  readonly #protectedCall = (state: Address): number => {
    const { api } = this.#machine;
    const count = api.lua_gettop(state);
    if (count === 0) this.#machine.argumentError(state, 1, 'value expected');
    const isDone = api.lua_pcall(state, count - 1, ALL_RESULTS, 0) === 0;
    if (!isDone && api.lua_type(state, -1) === LUA_TABLE) {
      api.lua_getfield(state, -1, this.#machine.name('err'));
      const type = api.lua_type(state, -1);
      if (type === LUA_STRING || type === LUA_NUMBER) api.lua_replace(state, -2);
      else api.lua_settop(state, -2);
    }
    api.lua_pushboolean(state, Number(isDone));
    api.lua_insert(state, 1);
    return api.lua_gettop(state);
  };

  /** Its own would go on with a `next` that counts nothing. */
  #pairs(state: Address, next: Address): number {
    const { api } = this.#machine;
    api.luaL_checktype(state, 1, LUA_TABLE);
    api.lua_pushcclosure(state, next, 0);
    api.lua_pushvalue(state, 1);
    api.lua_pushnil(state);
    return 3;
  }

  readonly #costOfUnpacking: Cost = (state) => {
    const { api } = this.#machine;
    const from = api.lua_type(state, 2) > 0 ? api.lua_tonumber(state, 2) : 1;
    const to = api.lua_type(state, 3) > 0 ? api.lua_tonumber(state, 3) : this.#items(state);
    this.#spread(to - from + 1);
  };

  /** C refuses more than its stack takes. */
  #spread(values: number): void {
    const count = Math.min(Math.max(0, values), 8_000);
    this.#machine.charge(count);
    this.#machine.noteValues(count);
  }

  #items(state: Address): number {
    const { api } = this.#machine;
    return api.lua_type(state, 1) === LUA_TABLE ? api.lua_objlen(state, 1) : 0;
  }

  /** Compiled code, which could do anything, is no source: one that begins with it is refused. */
  readonly #costOfSource: Cost = (state) => {
    const machine = this.#machine;
    if (machine.api.lua_type(state, 1) !== LUA_STRING) return;
    const { at, length } = machine.locate(state, 1);
    machine.charge(SOURCE_STEPS + SOURCE_BYTE_STEPS * length);
    if (machine.bytes[at] !== ESCAPE) return;
    if (machine.api.lua_type(state, 2) <= 0) {
      machine.api.lua_settop(state, 1);
      machine.api.lua_pushvalue(state, 1);
    }
    machine.pushText(state, ' ');
    machine.api.lua_pushvalue(state, 1);
    machine.api.lua_concat(state, 2);
    machine.api.lua_replace(state, 1);
  };

  /** The globals of scripts cannot be changed. */
  readonly #refuseScope: Cost = (state) => {
    const { api } = this.#machine;
    if (api.lua_type(state, 1) !== LUA_TABLE) return;
    api.lua_getfield(state, REGISTRY, this.#machine.name(SCOPE));
    const isScope = api.lua_rawequal(state, 1, -1) === 1;
    api.lua_settop(state, -2);
    if (!isScope) return;
    this.#machine.pushText(state, READONLY);
    api.lua_error(state);
  };

  readonly #collected = (state: Address): number => {
    const { api } = this.#machine;
    const isCount = api.lua_type(state, 1) > 0 && this.#machine.textAt(state, 1) === 'count';
    if (isCount) return this.#pushKib(state, (kib) => kib);
    // The collector works at its own pace.
    api.lua_pushinteger(state, 0);
    return 1;
  };

  #pushKib(state: Address, rounded: (kib: number) => number): number {
    this.#machine.api.lua_pushnumber(state, rounded(this.#machine.usedBytes / KIB));
    return 1;
  }

  readonly #drawn = (state: Address): number => {
    const machine = this.#machine;
    const { api } = machine;
    this.#random ??= new ScriptRandom(this.#seed());
    const drawn = this.#random.next();
    const count = api.lua_gettop(state);
    if (count > 2) machine.raise(state, WRONG_NUMBER);
    const low = count === 2 ? api.luaL_checkinteger(state, 1) : 1;
    const high = count === 0 ? 1 : api.luaL_checkinteger(state, count);
    if (low > high) machine.argumentError(state, count, EMPTY_INTERVAL);
    const value = count === 0 ? drawn : Math.floor(drawn * (high - low + 1)) + low;
    api.lua_pushnumber(state, value);
    return 1;
  };

  readonly #seeded = (state: Address): number => {
    this.#random = new ScriptRandom(this.#machine.api.luaL_checkinteger(state, 1));
    return 0;
  };
}
