/** The options of SCAN, and of the scans of one collection. */
import type { Arguments } from '../arguments.ts';
import { SCAN_COUNT_MAX } from '../limits.ts';
import { parseInteger } from '../types/integers.ts';
import { NOT_AN_INTEGER, SYNTAX_ERROR } from './command.ts';
import { Glob } from './glob.ts';

const SCAN_COUNT_DEFAULT = 10;
export const INVALID_CURSOR = 'ERR invalid cursor';

export interface ScanOptions {
  count: number;
  pattern: Glob | undefined;
  type: string | undefined;
}

/** The options, or the error line. Only a scan of all keys takes a type. */
export function parseScanOptions(
  args: Arguments,
  first: number,
  ofKeys: boolean,
): ScanOptions | string {
  const options: ScanOptions = {
    count: SCAN_COUNT_DEFAULT,
    pattern: undefined,
    type: undefined,
  };
  for (let i = first; i < args.count; i += 2) {
    if (i + 1 === args.count) return SYNTAX_ERROR;
    if (args.is(i, 'COUNT')) {
      const count = parseInteger(args.text(i + 1));
      if (count === undefined) return NOT_AN_INTEGER;
      if (count < 1) return SYNTAX_ERROR;
      options.count = Math.min(Number(count), SCAN_COUNT_MAX);
    } else if (args.is(i, 'MATCH')) {
      options.pattern = new Glob(args.text(i + 1));
      if (options.pattern.problem !== undefined) return options.pattern.problem;
    } else if (ofKeys && args.is(i, 'TYPE')) {
      options.type = args.text(i + 1).toLowerCase();
    } else {
      return SYNTAX_ERROR;
    }
  }
  return options;
}
