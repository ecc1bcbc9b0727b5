/**
 * Deliberate differences from every server that is asked. One that is never met is an error, and
 * `docs/compatibility.md` tells of each.
 */
import { isError, type Value } from './replies.ts';

interface Difference {
  /** In upper case; a subcommand behind a bar. */
  readonly command: string;
  readonly reason: string;
  /** Only Redis before 7.2 answers otherwise: no difference where a newer server is asked too. */
  readonly isOld?: true;
  readonly holds: (ours: Value, theirs: Value, words: readonly string[]) => boolean;
}

function isOutOfRange(ours: Value): boolean {
  return isError(ours) && ours.error === 'ERR value is out of range';
}

const DIFFERENCES: readonly Difference[] = [
  {
    command: 'OBJECT|ENCODING',
    reason: 'small sets of strings, and short lists, are a listpack since Redis 7.2',
    isOld: true,
    holds: (ours, theirs) =>
      ours === 'listpack' && (theirs === 'hashtable' || theirs === 'quicklist'),
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
  readonly #listed: readonly Difference[];
  readonly #met = new Set<Difference>();

  constructor(hasNewServer: boolean) {
    this.#listed = DIFFERENCES.filter(({ isOld }) => !(hasNewServer && isOld));
  }

  /** Whether two replies may differ. */
  allow(words: readonly string[], ours: Value, theirs: Value): boolean {
    const [name = '', sub = ''] = words.map((word) => word.toUpperCase());
    const found = this.#listed.find(
      ({ command, holds }) =>
        (command === name || command === `${name}|${sub}`) && holds(ours, theirs, words),
    );
    if (found !== undefined) this.#met.add(found);
    return found !== undefined;
  }

  /** The reasons of those that were never met. */
  get unused(): string[] {
    const unused = this.#listed.filter((difference) => !this.#met.has(difference));
    return unused.map(({ command, reason }) => `${command}: ${reason}`);
  }
}
