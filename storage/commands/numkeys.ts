/** Keys behind their number, `numkeys key [key ...]`, as in ZMPOP. */
import { parseInteger } from '../types/integers.ts';
import type { Words } from './command.ts';

/** The indices of the keys behind argument `at`; none if there are not as many. */
export function keysBehind(args: Words, at: number): number[] {
  const count = at < args.count ? parseInteger(args.text(at)) : undefined;
  if (count === undefined || count < 1 || count > args.count - at - 1) return [];
  return Array.from({ length: Number(count) }, (_, i) => at + 1 + i);
}
