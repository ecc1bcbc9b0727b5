/** The table `bit` of scripts: operations on 32 bits, as LuaBitOp has them. */
import { GLOBALS, type LuaMachine } from './lua-machine.ts';
import type { Address } from './lua-module.ts';

/** Adding it moves the bits of an integer to the low end of a double, and rounds to even. */
const MAGIC = 2 ** 52 + 2 ** 51;
const HEX_DIGITS = 8;

type Fold = (a: number, b: number) => number;

const FOLDS: Readonly<Record<string, Fold>> = {
  band: (a, b) => a & b,
  bor: (a, b) => a | b,
  bxor: (a, b) => a ^ b,
};

const SHIFTS: Readonly<Record<string, Fold>> = {
  lshift: (a, n) => a << n,
  rshift: (a, n) => a >>> n,
  arshift: (a, n) => a >> n,
  rol: (a, n) => (a << n) | (a >>> (32 - n)),
  ror: (a, n) => (a >>> n) | (a << (32 - n)),
};

const CHANGES: Readonly<Record<string, (a: number) => number>> = {
  tobit: (a) => a,
  bnot: (a) => ~a,
  bswap: (a) => (a << 24) | ((a & 0xff00) << 8) | ((a >>> 8) & 0xff00) | (a >>> 24),
};

/** Sets the global, in `LuaMachine`'s preparation. */
export function installBit(machine: LuaMachine): void {
  const { api, state } = machine;
  const bitsOf = (its: Address, argument: number): number =>
    asBits(api.luaL_checknumber(its, argument));
  const answer = (its: Address, value: number): number => {
    api.lua_pushnumber(its, value | 0);
    return 1;
  };
  api.lua_createtable(state, 0, 12);
  for (const [name, fold] of Object.entries(FOLDS)) {
    machine.setFunction(name, (its) => {
      let value = bitsOf(its, 1);
      for (let i = api.lua_gettop(its); i > 1; i -= 1) value = fold(value, bitsOf(its, i));
      return answer(its, value);
    });
  }
  for (const [name, shift] of Object.entries(SHIFTS)) {
    machine.setFunction(name, (its) => answer(its, shift(bitsOf(its, 1), bitsOf(its, 2) & 31)));
  }
  for (const [name, change] of Object.entries(CHANGES)) {
    machine.setFunction(name, (its) => answer(its, change(bitsOf(its, 1))));
  }
  machine.setFunction('tohex', (its) => {
    const value = bitsOf(its, 1);
    const digits = api.lua_type(its, 2) > 0 ? bitsOf(its, 2) : HEX_DIGITS;
    machine.pushText(its, hexOf(value, digits));
    return 1;
  });
  api.lua_setfield(state, GLOBALS, machine.name('bit'));
}

function asBits(value: number): number {
  const moved = value + MAGIC;
  // A number out of range keeps the low bits of the sum.
  return Number(BigInt.asIntN(32, BigInt(Number.isFinite(moved) ? moved - MAGIC : 0)));
}

/** Fewer than no digits: in capitals. */
function hexOf(value: number, digits: number): string {
  const count = Math.min(HEX_DIGITS, Math.abs(digits));
  const text = (value >>> 0)
    .toString(16)
    .padStart(HEX_DIGITS, '0')
    .slice(HEX_DIGITS - count);
  return digits < 0 ? text.toUpperCase() : text;
}
