/**
 * string.find, match, gmatch and gsub of Lua 5.1 (lstrlib.c), whose own code in C no hook can
 * interrupt.
 */
import { readLatin1 } from '../../../types/latin1.ts';
import {
  GLOBALS,
  LUA_FUNCTION,
  LUA_NUMBER,
  LUA_STRING,
  LUA_TABLE,
  type LuaMachine,
} from './lua-machine.ts';
import type { Address } from './lua-module.ts';
import { PatternError, PatternSearch } from './lua-pattern.ts';

const CARET = 94;
const PERCENT = 37;
const SPECIALS = new Set([...'^$*+?.([%-'].map((each) => each.charCodeAt(0)));
const PLAIN_BYTES_PER_STEP_BITS = 4;
const NO_NAME = 0;

interface Text {
  readonly at: number;
  readonly length: number;
}

interface Match {
  readonly at: number;
  readonly end: number;
}

export class LuaStrings {
  readonly #machine: LuaMachine;
  readonly #nextMatch: Address;

  constructor(machine: LuaMachine) {
    this.#machine = machine;
    this.#nextMatch = machine.hostFunction((state) => this.#guarded(state, this.#gmatchNext));
  }

  /** Replaces the functions in the table on top of the stack. */
  install(): void {
    const functions: Record<string, (state: Address) => number> = {
      find: (state) => this.#search(state, true),
      match: (state) => this.#search(state, false),
      gmatch: this.#gmatch,
      gfind: this.#gmatch,
      gsub: this.#gsub,
    };
    for (const [name, fn] of Object.entries(functions)) {
      this.#machine.setFunction(name, (state) => this.#guarded(state, fn));
    }
  }

  #guarded(state: Address, fn: (state: Address) => number): number {
    try {
      return fn(state);
    } catch (error) {
      if (error instanceof PatternError) this.#machine.raise(state, error.message);
      throw error;
    }
  }

  readonly #charge = (steps: number): void => this.#machine.charge(steps);

  #searchOf(subject: Text, pattern: Text): { search: PatternSearch; isAnchored: boolean } {
    const { bytes } = this.#machine;
    const nul = bytes.indexOf(0, pattern.at);
    const end = Math.min(pattern.at + pattern.length, nul);
    const isAnchored = pattern.length > 0 && bytes[pattern.at] === CARET;
    return { search: new PatternSearch(bytes, subject, end, this.#charge), isAnchored };
  }

  #search(state: Address, isFind: boolean): number {
    const machine = this.#machine;
    const { api, bytes } = machine;
    const subject = machine.checkedText(state, 1);
    const pattern = machine.checkedText(state, 2);
    const given = api.luaL_optinteger(state, 3, 1);
    const relative = given < 0 ? given + subject.length + 1 : given;
    const init = Math.min(Math.max(relative - 1, 0), subject.length);
    if (isFind && (api.lua_toboolean(state, 4) === 1 || isPlain(bytes, pattern))) {
      return this.#findPlain(state, subject, pattern, init);
    }
    const { search, isAnchored } = this.#searchOf(subject, pattern);
    const match = firstMatch(bytes, search, subject, init, pattern.at, isAnchored);
    if (match === undefined) {
      api.lua_pushnil(state);
      return 1;
    }
    if (!isFind) return this.#pushCaptures(state, search, match, true);
    api.lua_pushinteger(state, match.at - subject.at + 1);
    api.lua_pushinteger(state, match.end - subject.at);
    return 2 + this.#pushCaptures(state, search, match, false);
  }

  #findPlain(state: Address, subject: Text, pattern: Text, init: number): number {
    const { api, bytes } = this.#machine;
    this.#machine.charge((subject.length - init) >> PLAIN_BYTES_PER_STEP_BITS);
    const haystack = bytes.subarray(subject.at, subject.at + subject.length);
    const needle = bytes.subarray(pattern.at, pattern.at + pattern.length);
    const found = haystack.indexOf(needle, init);
    if (found === -1) {
      api.lua_pushnil(state);
      return 1;
    }
    api.lua_pushinteger(state, found + 1);
    api.lua_pushinteger(state, found + pattern.length);
    return 2;
  }

  /** All of the match where there are no captures and `whole`. */
  #pushCaptures(state: Address, search: PatternSearch, match: Match, whole: boolean): number {
    const count = search.captures === 0 && whole ? 1 : search.captures;
    this.#machine.api.luaL_checkstack(state, count, NO_NAME);
    for (let i = 0; i < count; i += 1) this.#pushCapture(state, search, match, i);
    return count;
  }

  #pushCapture(state: Address, search: PatternSearch, { at, end }: Match, index: number): void {
    const { api } = this.#machine;
    const captured = search.captured(index, at, end);
    if (captured.length === undefined) api.lua_pushinteger(state, captured.at);
    else api.lua_pushlstring(state, captured.at, captured.length);
  }

  readonly #gmatch = (state: Address): number => {
    const { api } = this.#machine;
    this.#machine.checkedText(state, 1);
    this.#machine.checkedText(state, 2);
    api.lua_settop(state, 2);
    api.lua_pushinteger(state, 0);
    api.lua_pushcclosure(state, this.#nextMatch, 3);
    return 1;
  };

  /** Its upvalues: the subject, the pattern, and where to go on. */
  readonly #gmatchNext = (state: Address): number => {
    const machine = this.#machine;
    const { api } = machine;
    const subject = machine.locate(state, GLOBALS - 1);
    const pattern = machine.locate(state, GLOBALS - 2);
    const from = api.lua_tonumber(state, GLOBALS - 3);
    const { search } = this.#searchOf(subject, pattern);
    const match = firstMatch(machine.bytes, search, subject, from, pattern.at, false);
    if (match === undefined) return 0;
    const { at, end } = match;
    api.lua_pushinteger(state, end - subject.at + Number(end === at));
    api.lua_replace(state, GLOBALS - 3);
    return this.#pushCaptures(state, search, match, true);
  };

  readonly #gsub = (state: Address): number => {
    const machine = this.#machine;
    const { api } = machine;
    const subject = machine.checkedText(state, 1);
    const pattern = machine.checkedText(state, 2);
    const type = api.lua_type(state, 3);
    if (![LUA_NUMBER, LUA_STRING, LUA_FUNCTION, LUA_TABLE].includes(type)) {
      machine.argumentError(state, 3, 'string/function/table expected');
    }
    const countMax = api.luaL_optinteger(state, 4, subject.length + 1);
    const { search, isAnchored } = this.#searchOf(subject, pattern);
    const end = subject.at + subject.length;
    const first = pattern.at + Number(isAnchored);
    const pieces: string[] = [];
    let copied = subject.at;
    let at = subject.at;
    let count = 0;
    while (count < countMax) {
      const matched = search.matchAt(machine.bytes, at, first);
      if (matched !== undefined) {
        count += 1;
        pieces.push(this.#textBetween(copied, at));
        pieces.push(this.#replacement(state, search, { at, end: matched }, type));
        copied = matched;
      }
      if (matched !== undefined && matched > at) at = matched;
      else if (at < end) at += 1;
      else break;
      if (isAnchored) break;
    }
    pieces.push(this.#textBetween(copied, end));
    machine.pushText(state, pieces.join(''));
    api.lua_pushinteger(state, count);
    return 2;
  };

  #textBetween(from: number, to: number): string {
    this.#machine.charge((to - from) >> PLAIN_BYTES_PER_STEP_BITS);
    return readLatin1(this.#machine.bytes, from, to);
  }

  #replacement(state: Address, search: PatternSearch, match: Match, type: number): string {
    const machine = this.#machine;
    const { api } = machine;
    if (type === LUA_NUMBER || type === LUA_STRING) return this.#filled(state, search, match);
    if (type === LUA_FUNCTION) {
      api.lua_pushvalue(state, 3);
      const count = this.#pushCaptures(state, search, match, true);
      api.lua_call(state, count, 1);
    } else {
      this.#pushCapture(state, search, match, 0);
      api.lua_gettable(state, 3);
    }
    const result = api.lua_type(state, -1);
    if (api.lua_toboolean(state, -1) === 0) {
      api.lua_settop(state, -2);
      return this.#textBetween(match.at, match.end);
    }
    if (result !== LUA_STRING && result !== LUA_NUMBER) {
      machine.raise(state, `invalid replacement value (a ${TYPE_NAMES[result]})`);
    }
    const text = machine.textAt(state, -1);
    machine.charge(text.length >> PLAIN_BYTES_PER_STEP_BITS);
    api.lua_settop(state, -2);
    return text;
  }

  /** The third argument with the captures that it names. */
  #filled(state: Address, search: PatternSearch, { at, end }: Match): string {
    const { bytes } = this.#machine;
    const text = this.#machine.locate(state, 3);
    const textEnd = text.at + text.length;
    let filled = '';
    for (let i = text.at; i < textEnd; i += 1) {
      this.#machine.charge(1);
      let byte = bytes[i] as number;
      if (byte === PERCENT) {
        i += 1;
        byte = i < textEnd ? (bytes[i] as number) : 0;
        if (byte === 48) {
          filled += this.#textBetween(at, end);
          continue;
        }
        if (byte > 48 && byte <= 57) {
          const captured = search.captured(byte - 49, at, end);
          filled +=
            captured.length === undefined
              ? String(captured.at)
              : this.#textBetween(captured.at, captured.at + captured.length);
          continue;
        }
      }
      filled += String.fromCharCode(byte);
    }
    return filled;
  }
}

const TYPE_NAMES = [
  ...['nil', 'boolean', 'userdata', 'number', 'string'],
  ...['table', 'function', 'userdata', 'thread'],
];

function isPlain(bytes: Uint8Array, { at, length }: Text): boolean {
  for (let i = at; i < at + length; i += 1) {
    const byte = bytes[i] as number;
    if (byte === 0) return true;
    if (SPECIALS.has(byte)) return false;
  }
  return true;
}

function firstMatch(
  bytes: Uint8Array,
  search: PatternSearch,
  subject: Text,
  from: number,
  pattern: number,
  isAnchored: boolean,
): Match | undefined {
  const last = isAnchored ? from : subject.length;
  for (let at = subject.at + from; at <= subject.at + last; at += 1) {
    const end = search.matchAt(bytes, at, pattern + Number(isAnchored));
    if (end !== undefined) return { at, end };
  }
  return undefined;
}
