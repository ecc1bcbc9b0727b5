/** Reads JSON into values of Lua, as strictly as lua-cjson 2.1 and with its errors. */
import type { LuaMachine } from './lua-machine.ts';
import type { Address } from './lua-module.ts';

const DEPTH_MAX = 1_000;
const SLOTS = 4;
const VALUE_STEPS = 16;
const NO_NAME = 0;

const NUMBER = /-?(?:0x[0-9a-f]+|\d+(?:\.\d*)?(?:e[-+]?\d+)?|inf(?:inity)?|nan)/iy;
const BLANK = /[ \t\n\r]*/y;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};
const SIGNS: Readonly<Record<string, string>> = {
  '{': 'T_OBJ_BEGIN',
  '}': 'T_OBJ_END',
  '[': 'T_ARR_BEGIN',
  ']': 'T_ARR_END',
  ',': 'T_COMMA',
  ':': 'T_COLON',
};
const WORDS = { true: 'T_BOOLEAN', false: 'T_BOOLEAN', null: 'T_NULL' } as const;

interface Token {
  readonly type: string;
  readonly at: number;
  readonly text: string;
  readonly value: number;
}

export class JsonReader {
  readonly #machine: LuaMachine;
  readonly #state: Address;
  readonly #text: string;
  #at = 0;

  /** `text`: a byte string (latin1). */
  constructor(machine: LuaMachine, state: Address, text: string) {
    this.#machine = machine;
    this.#state = state;
    this.#text = text;
  }

  /** Pushes the value. */
  read(): void {
    this.#value(this.#next(), 0);
    const end = this.#next();
    if (end.type !== 'T_END') this.#refuse('the end', end);
  }

  #refuse(expected: string, { type, at }: Token): never {
    const message = `Expected ${expected} but found ${type} at character ${at + 1}`;
    this.#machine.raise(this.#state, message);
  }

  #value(token: Token, depth: number): void {
    const { api } = this.#machine;
    const state = this.#state;
    this.#machine.charge(VALUE_STEPS);
    switch (token.type) {
      case 'T_STRING':
        return this.#machine.pushText(state, token.text);
      case 'T_NUMBER':
        return api.lua_pushnumber(state, token.value);
      case 'T_BOOLEAN':
        return api.lua_pushboolean(state, Number(token.text === 'true'));
      case 'T_NULL':
        return api.lua_pushlightuserdata(state, 0);
      case 'T_ARR_BEGIN':
        return this.#array(this.#deeper(depth));
      case 'T_OBJ_BEGIN':
        return this.#object(this.#deeper(depth));
      default:
        this.#refuse('value', token);
    }
  }

  #deeper(depth: number): number {
    if (depth === DEPTH_MAX) {
      const found = `Found too many nested data structures (${depth + 1})`;
      this.#machine.raise(this.#state, `${found} at character ${this.#at}`);
    }
    this.#machine.api.luaL_checkstack(this.#state, SLOTS, NO_NAME);
    return depth + 1;
  }

  #array(depth: number): void {
    const { api } = this.#machine;
    api.lua_createtable(this.#state, 0, 0);
    let token = this.#next();
    if (token.type === 'T_ARR_END') return;
    for (let i = 1; ; i += 1) {
      this.#value(token, depth);
      api.lua_rawseti(this.#state, -2, i);
      token = this.#next();
      if (token.type === 'T_ARR_END') return;
      if (token.type !== 'T_COMMA') this.#refuse('comma or array end', token);
      token = this.#next();
    }
  }

  #object(depth: number): void {
    const { api } = this.#machine;
    api.lua_createtable(this.#state, 0, 0);
    let token = this.#next();
    if (token.type === 'T_OBJ_END') return;
    for (;;) {
      if (token.type !== 'T_STRING') this.#refuse('object key string', token);
      this.#machine.pushText(this.#state, token.text);
      token = this.#next();
      if (token.type !== 'T_COLON') this.#refuse('colon', token);
      this.#value(this.#next(), depth);
      api.lua_rawset(this.#state, -3);
      token = this.#next();
      if (token.type === 'T_OBJ_END') return;
      if (token.type !== 'T_COMMA') this.#refuse('comma or object end', token);
      token = this.#next();
    }
  }

  #next(): Token {
    BLANK.lastIndex = this.#at;
    BLANK.exec(this.#text);
    const at = BLANK.lastIndex;
    const first = this.#text[at];
    this.#at = at + 1;
    if (first === undefined) return { type: 'T_END', at, text: '', value: 0 };
    const sign = SIGNS[first];
    if (sign !== undefined) return { type: sign, at, text: first, value: 0 };
    if (first === '"') return this.#string(at);
    return this.#word(at) ?? this.#number(at);
  }

  #word(at: number): Token | undefined {
    for (const [text, type] of Object.entries(WORDS)) {
      if (!this.#text.startsWith(text, at)) continue;
      this.#at = at + text.length;
      return { type, at, text, value: 0 };
    }
    return undefined;
  }

  #number(at: number): Token {
    NUMBER.lastIndex = at;
    const text = NUMBER.exec(this.#text)?.[0];
    if (text === undefined) return { type: 'invalid token', at, text: '', value: 0 };
    this.#at = at + text.length;
    const lower = text.toLowerCase().replace('-', '');
    const size = lower.startsWith('inf') ? Infinity : Number(lower);
    return { type: 'T_NUMBER', at, text, value: text.startsWith('-') ? -size : size };
  }

  #string(at: number): Token {
    const pieces: string[] = [];
    let from = at + 1;
    for (let i = from; ; i += 1) {
      const character = this.#text[i];
      if (character === undefined) {
        return { type: 'unexpected end of string', at: i, text: '', value: 0 };
      }
      if (character !== '"' && character !== '\\') continue;
      pieces.push(this.#text.slice(from, i));
      if (character === '"') {
        this.#at = i + 1;
        return { type: 'T_STRING', at, text: pieces.join(''), value: 0 };
      }
      const letter = this.#text[i + 1] ?? '';
      const plain = ESCAPES[letter];
      const unicode = letter === 'u' ? unicodeAt(this.#text, i) : undefined;
      const what = letter === 'u' ? 'invalid unicode escape code' : 'invalid escape code';
      if (plain === undefined && unicode === undefined) {
        return { type: what, at: i, text: '', value: 0 };
      }
      pieces.push(plain ?? unicode?.text ?? '');
      from = i + 2 + (unicode?.digits ?? 0);
      i = from - 1;
    }
  }
}

/** The escape `\uXXXX` at a place, or two of them, as UTF-8 (latin1). */
function unicodeAt(text: string, at: number): { text: string; digits: number } | undefined {
  const high = codeAt(text, at);
  if (high === undefined || (high & 0xfc00) === 0xdc00) return undefined;
  if ((high & 0xfc00) !== 0xd800) return { text: utf8Of(high), digits: 4 };
  const low = codeAt(text, at + 6);
  if (low === undefined || (low & 0xfc00) !== 0xdc00) return undefined;
  return { text: utf8Of(0x10000 + ((high & 0x3ff) << 10) + (low & 0x3ff)), digits: 10 };
}

function codeAt(text: string, at: number): number | undefined {
  const match = /^\\u([0-9a-fA-F]{4})/.exec(text.slice(at, at + 6));
  return match === null ? undefined : Number.parseInt(match[1] ?? '', 16);
}

function utf8Of(code: number): string {
  return Buffer.from(String.fromCodePoint(code), 'utf8').toString('latin1');
}
