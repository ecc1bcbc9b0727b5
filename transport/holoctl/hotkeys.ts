/** `holoctl hotkeys`: the keys that clients of each node name most often. */
import { escapeBytes } from '../escape.ts';
import type { Output } from './command-line.ts';
import { list } from './lists.ts';

interface HotKey {
  readonly database: number;
  readonly key: string;
  readonly perSecond: number;
}

export function hotkeys(args: readonly string[], output: Output): Promise<number> {
  return list<HotKey>(args, output, {
    path: '/hotkeys',
    head: ['database', 'key', 'commands/s'],
    cells: ({ database, key, perSecond }) => [
      Number(database),
      escapeBytes(String(key)),
      Number(perSecond).toFixed(1),
    ],
  });
}
