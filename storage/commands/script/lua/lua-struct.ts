/**
 * The table `struct` of scripts: `pack`, `unpack` and `size` as lua_struct.c of Redis has them, on
 * a machine of 64 bits with the low byte first.
 */
import { GLOBALS, type LuaMachine } from './lua-machine.ts';
import type { Address } from './lua-module.ts';
import { formatOptions, type StructOption } from './struct-format.ts';

const OPTION_STEPS = 50;
const BYTES_PER_STEP_BITS = 4;
/** An item, and the next position. */
const SLOTS = 2;
const TOO_MANY = 'too many results';
const TOO_SHORT = 'data string too short';
const WORD = 2n ** 64n;
const SIGN = 2n ** 63n;

/** Sets the global, in `LuaMachine`'s preparation. */
export function installStruct(machine: LuaMachine): void {
  const { api, state } = machine;
  machine.name(TOO_MANY);
  api.lua_createtable(state, 0, 3);
  machine.setFunction('pack', (its) => {
    machine.pushText(its, new Packer(machine, its).text());
    return 1;
  });
  machine.setFunction('unpack', (its) => new Unpacker(machine, its).push());
  machine.setFunction('size', (its) => {
    let bytes = 0;
    for (const { option, padding, size } of optionsOf(machine, its, () => bytes, true)) {
      if (option === 's') machine.argumentError(its, 1, "option 's' has no fixed size");
      if (option === 'c' && size === 0) {
        machine.argumentError(its, 1, "option 'c0' has no fixed size");
      }
      bytes += padding + size;
    }
    api.lua_pushinteger(its, bytes);
    return 1;
  });
  api.lua_setfield(state, GLOBALS, machine.name('struct'));
}

/** `at`: where the next value begins. */
function* optionsOf(
  machine: LuaMachine,
  state: Address,
  at: () => number,
  skipsUnknown = false,
): Generator<StructOption, void, undefined> {
  machine.checkedText(state, 1);
  const format = machine.textAt(state, 1);
  const problem = (argument: number, message: string): never =>
    argument === 0
      ? machine.raise(state, message)
      : machine.argumentError(state, argument, message);
  for (const option of formatOptions(format, at, problem, skipsUnknown)) {
    machine.charge(OPTION_STEPS);
    yield option;
  }
}

class Packer {
  readonly #machine: LuaMachine;
  readonly #state: Address;
  #text = '';
  #argument = 2;

  constructor(machine: LuaMachine, state: Address) {
    this.#machine = machine;
    this.#state = state;
  }

  text(): string {
    this.#machine.checkedText(this.#state, 1);
    // As in Redis, which ends the arguments with nil: a missing one is told to be nil.
    this.#machine.api.lua_pushnil(this.#state);
    for (const option of optionsOf(this.#machine, this.#state, () => this.#text.length)) {
      this.#text += '\0'.repeat(option.padding) + this.#packed(option);
    }
    return this.#text;
  }

  #packed({ option, size, isBig }: StructOption): string {
    switch (option) {
      case 'x':
        return '\0';
      case 'f':
      case 'd':
        return textOf(bytesOfFloat(this.#number(), size), isBig);
      case 'c':
      case 's':
        return this.#string(size) + (option === 's' ? '\0' : '');
      case 'control':
        return '';
      case 'integer':
        return textOf(bytesOfInteger(asWord(this.#number()), size), isBig);
    }
  }

  #number(): number {
    const value = this.#machine.api.luaL_checknumber(this.#state, this.#argument);
    this.#argument += 1;
    return value;
  }

  #string(size: number): string {
    const machine = this.#machine;
    const { length } = machine.checkedText(this.#state, this.#argument);
    machine.charge(length >> BYTES_PER_STEP_BITS);
    const text = machine.textAt(this.#state, this.#argument);
    this.#argument += 1;
    const bytes = size === 0 ? length : size;
    if (length < bytes) machine.argumentError(this.#state, this.#argument, 'string too short');
    return text.slice(0, bytes);
  }
}

class Unpacker {
  readonly #machine: LuaMachine;
  readonly #state: Address;
  readonly #data: string;
  #at: number;
  #results = 0;

  constructor(machine: LuaMachine, state: Address) {
    const { api } = machine;
    this.#machine = machine;
    this.#state = state;
    machine.checkedText(state, 1);
    const { length } = machine.checkedText(state, 2);
    machine.charge(length >> BYTES_PER_STEP_BITS);
    this.#data = machine.textAt(state, 2);
    const from = api.luaL_optinteger(state, 3, 1);
    if (from === 0) machine.argumentError(state, 3, 'offset must be 1 or greater');
    // As C takes a negative one, it is behind all data.
    this.#at = from < 0 ? Number.MAX_SAFE_INTEGER : from - 1;
  }

  /** Returns how many values it has pushed. */
  push(): number {
    const machine = this.#machine;
    const { api } = machine;
    for (const option of optionsOf(machine, this.#state, () => this.#at)) {
      this.#at += option.padding;
      this.#needs(option.size);
      api.luaL_checkstack(this.#state, SLOTS, machine.name(TOO_MANY));
      this.#at += this.#pushOne(option);
    }
    api.lua_pushinteger(this.#state, this.#at + 1);
    machine.noteValues(this.#results + 1);
    return this.#results + 1;
  }

  #needs(size: number): void {
    if (this.#at + size <= this.#data.length) return;
    this.#machine.argumentError(this.#state, 2, TOO_SHORT);
  }

  /** Returns the bytes that it has taken. */
  #pushOne({ option, size, isBig, isSigned }: StructOption): number {
    const { api } = this.#machine;
    switch (option) {
      case 'control':
      case 'x':
        return size;
      case 'f':
      case 'd': {
        const bytes = bytesIn(this.#data, this.#at, size, isBig);
        api.lua_pushnumber(this.#state, size === 4 ? bytes.readFloatLE() : bytes.readDoubleLE());
        break;
      }
      case 'c':
        return this.#pushText(size === 0 ? this.#previousSize() : size);
      case 's':
        return this.#pushTerminated();
      case 'integer': {
        const bytes = bytesIn(this.#data, this.#at, size, isBig);
        api.lua_pushnumber(this.#state, integerIn(bytes, isSigned));
        break;
      }
    }
    this.#results += 1;
    return size;
  }

  #previousSize(): number {
    const { api } = this.#machine;
    const isThere = this.#results > 0 && !Number.isNaN(api.lua_tonumber(this.#state, -1));
    if (!isThere) this.#machine.raise(this.#state, "format 'c0' needs a previous size");
    const size = Math.trunc(api.lua_tonumber(this.#state, -1));
    api.lua_settop(this.#state, -2);
    this.#results -= 1;
    if (!(size >= 0)) this.#machine.argumentError(this.#state, 2, TOO_SHORT);
    this.#needs(size);
    return size;
  }

  #pushText(bytes: number): number {
    this.#machine.pushText(this.#state, this.#data.slice(this.#at, this.#at + bytes));
    this.#results += 1;
    return bytes;
  }

  #pushTerminated(): number {
    const end = this.#data.indexOf('\0', this.#at);
    this.#machine.charge((end - this.#at) >> BYTES_PER_STEP_BITS);
    if (end === -1) this.#machine.raise(this.#state, 'unfinished string in data');
    return this.#pushText(end - this.#at) + 1;
  }
}

// Bytes with the low one first.

function textOf(bytes: Buffer, isBig: boolean): string {
  return (isBig ? bytes.reverse() : bytes).toString('latin1');
}

function bytesIn(data: string, at: number, size: number, isBig: boolean): Buffer {
  const bytes = Buffer.from(data.slice(at, at + size), 'latin1');
  return isBig ? bytes.reverse() : bytes;
}

function bytesOfFloat(value: number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  if (size === 4) bytes.writeFloatLE(value);
  else bytes.writeDoubleLE(value);
  return bytes;
}

/** More bytes than a word has are 0. */
function bytesOfInteger(word: bigint, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  let left = word;
  for (let i = 0; i < size && left > 0n; i += 1) {
    bytes[i] = Number(left & 0xffn);
    left >>= 8n;
  }
  return bytes;
}

/** As C casts a double on the machines that Redis runs on. */
function asWord(value: number): bigint {
  const whole = Math.trunc(value);
  if (Number.isNaN(whole) || whole < -(2 ** 63)) return SIGN;
  return whole >= 2 ** 64 ? 0n : (BigInt(whole) + WORD) % WORD;
}

/** Bytes beyond a word are dropped. */
function integerIn(bytes: Buffer, isSigned: boolean): number {
  let word = 0n;
  for (const byte of bytes.toReversed()) word = ((word << 8n) | BigInt(byte)) % WORD;
  if (!isSigned) return Number(word);
  const bits = BigInt((bytes.length * 8 + 63) % 64);
  const mask = (WORD - 1n) ^ ((1n << bits) - 1n);
  return Number(BigInt.asIntN(64, (word & mask) === 0n ? word : word | mask));
}
