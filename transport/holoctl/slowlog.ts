/** `holoctl slowlog`: the last commands of each node that took long. */
import { escapeBytes } from '../escape.ts';
import type { Output } from './command-line.ts';
import { list } from './lists.ts';

interface SlowCommand {
  readonly atSeconds: number;
  readonly tookUs: number;
  readonly words: readonly string[];
  readonly address: string;
}

const WORDS_SHOWN_MAX = 60;

export function slowlog(args: readonly string[], output: Output): Promise<number> {
  return list<SlowCommand>(args, output, {
    path: '/slowlog',
    head: ['at', 'ms', 'command', 'client'],
    cells: ({ atSeconds, tookUs, words, address }) => [
      new Date(Number(atSeconds) * 1_000).toISOString(),
      (Number(tookUs) / 1_000).toFixed(1),
      escapeBytes([...words].join(' ')).slice(0, WORDS_SHOWN_MAX),
      escapeBytes(String(address)),
    ],
  });
}
