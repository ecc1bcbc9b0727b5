/** Deliberate differences from the redis-server that is asked. One that is never met is an error. */
import type { Value } from './replies.ts';

interface Difference {
  /** In upper case; a subcommand behind a bar. */
  readonly command: string;
  readonly reason: string;
  readonly holds: (ours: Value, theirs: Value) => boolean;
}

function isOutOfRange(ours: Value): boolean {
  return (ours as { error?: unknown } | null)?.error === 'ERR value is out of range';
}

const DIFFERENCES: readonly Difference[] = [
  {
    command: 'OBJECT|ENCODING',
    reason: 'small sets of strings are a listpack since Redis 7.2',
    holds: (ours, theirs) => ours === 'listpack' && theirs === 'hashtable',
  },
  {
    command: 'OBJECT|ENCODING',
    reason: 'a string that was appended to is raw in Redis, whatever its length',
    holds: (ours, theirs) => (ours === 'embstr' || ours === 'int') && theirs === 'raw',
  },
  {
    command: 'SRANDMEMBER',
    reason: 'random picks with repeats have a limit',
    holds: isOutOfRange,
  },
  {
    command: 'HRANDFIELD',
    reason: 'random picks with repeats have a limit',
    holds: isOutOfRange,
  },
];

export class Differences {
  readonly #met = new Set<Difference>();

  /** Whether two replies may differ. */
  allow(words: readonly string[], ours: Value, theirs: Value): boolean {
    const [name = '', sub = ''] = words.map((word) => word.toUpperCase());
    const found = DIFFERENCES.find(
      ({ command, holds }) =>
        (command === name || command === `${name}|${sub}`) && holds(ours, theirs),
    );
    if (found !== undefined) this.#met.add(found);
    return found !== undefined;
  }

  /** The reasons of those that were never met. */
  get unused(): string[] {
    const unused = DIFFERENCES.filter((difference) => !this.#met.has(difference));
    return unused.map(({ command, reason }) => `${command}: ${reason}`);
  }
}
