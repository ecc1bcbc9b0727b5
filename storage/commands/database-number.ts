/** The number of a database among the arguments of a command. */
import { DATABASES } from '../limits.ts';
import { parseInteger } from '../types/integers.ts';
import { NOT_AN_INTEGER } from './command.ts';

const INT_MIN = -(2 ** 31);
const INT_MAX = 2 ** 31 - 1;
export const DATABASE_OUT_OF_RANGE = 'ERR DB index is out of range';

/** The number, or the error line: Redis refuses what is no `int` with another text. */
export function databaseNumber(text: string): number | string {
  const number = parseInteger(text);
  if (number === undefined) return NOT_AN_INTEGER;
  if (number < INT_MIN || number > INT_MAX) {
    return `ERR value is out of range, value must between ${INT_MIN} and ${INT_MAX}`;
  }
  return number >= 0 && number < DATABASES ? Number(number) : DATABASE_OUT_OF_RANGE;
}
