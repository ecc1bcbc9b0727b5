/** The format of `struct`, option by option, as lua_struct.c reads it. Pure. */

export interface StructOption {
  readonly option: 'integer' | 'f' | 'd' | 'c' | 's' | 'x' | 'control';
  /** Of the value; 0 where the value says it. */
  readonly size: number;
  /** Bytes in front of it. */
  readonly padding: number;
  readonly isBig: boolean;
  readonly isSigned: boolean;
}

const INTEGER_BYTES_MAX = 32;
const INT_MAX = 2 ** 31 - 1;
const ALIGNMENT = 8;
const SIZES: Readonly<Record<string, number>> = {
  ...{ b: 1, h: 2, l: 8, B: 1, H: 2, L: 8, T: 8 },
  ...{ f: 4, d: 8, x: 1 },
};
const INTEGERS = 'bBhHlLTiI';

/** Raises an error of argument 1, or of the whole call (0). */
type Problem = (argument: 0 | 1, message: string) => never;

/** `at`: where the next value begins, before its padding. `skipsUnknown`: letters and digits. */
export function* formatOptions(
  format: string,
  at: () => number,
  problem: Problem,
  skipsUnknown = false,
): Generator<StructOption, void, undefined> {
  const end = format.indexOf('\0');
  const text = end === -1 ? format : format.slice(0, end);
  let isBig = false;
  let align = 1;
  let next = 0;
  const number = (standard: number): number => {
    const [digits = ''] = /^\d*/.exec(text.slice(next, next + 12)) ?? [];
    if (digits === '') return standard;
    next += digits.length;
    return Number(digits) > INT_MAX ? problem(0, 'integral size overflow') : Number(digits);
  };
  while (next < text.length) {
    const letter = text[next] as string;
    next += 1;
    const option = optionOf(letter);
    const size = sizeOf(letter, number, problem);
    const padding = option === 'c' ? 0 : paddingOf(at(), Math.min(size, align));
    if (option !== 'control') {
      yield { option, size, padding, isBig, isSigned: letter >= 'a' };
    } else if (letter === '>' || letter === '<') {
      isBig = letter === '>';
    } else if (letter === '!') {
      align = number(ALIGNMENT);
      if (align < 1 || (align & (align - 1)) !== 0) {
        problem(0, `alignment ${align} is not a power of 2`);
      }
    } else if (letter !== ' ' && !(skipsUnknown && /\w/.test(letter) && letter !== '_')) {
      problem(1, `invalid format option '${letter}'`);
    }
  }
}

function optionOf(letter: string): StructOption['option'] {
  if (INTEGERS.includes(letter)) return 'integer';
  switch (letter) {
    case 'f':
    case 'd':
    case 'c':
    case 's':
    case 'x':
      return letter;
    default:
      return 'control';
  }
}

function sizeOf(letter: string, number: (standard: number) => number, problem: Problem): number {
  if (letter === 'c') return number(1);
  if (letter !== 'i' && letter !== 'I') return SIZES[letter] ?? 0;
  const size = number(4);
  if (size <= INTEGER_BYTES_MAX) return size;
  return problem(0, `integral size ${size} is larger than limit of ${INTEGER_BYTES_MAX}`);
}

function paddingOf(at: number, size: number): number {
  return size === 0 ? 0 : (size - (at & (size - 1))) & (size - 1);
}
