/** Deliberate differences from every server that is asked. One that is never met is an error. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isError, type Value } from './replies.ts';

interface Difference {
  /** In upper case; a subcommand behind a bar. */
  readonly command: string;
  readonly reason: string;
  /** The words of `docs/compatibility.md` about it. */
  readonly told?: string;
  /** Only Redis before 7.2 answers otherwise: no difference where a newer server is asked too. */
  readonly isOld?: true;
  readonly holds: (ours: Value, theirs: Value, words: readonly string[]) => boolean;
}

function isOutOfRange(ours: Value): boolean {
  return isError(ours) && ours.error === 'ERR value is out of range';
}

const PICKS = '`ZRANDMEMBER` with a negative count return at most 1,048,576 elements';

const DIFFERENCES: readonly Difference[] = [
  {
    command: 'OBJECT|ENCODING',
    reason: 'small sets of strings are a listpack since Redis 7.2',
    isOld: true,
    holds: (ours, theirs) => ours === 'listpack' && theirs === 'hashtable',
  },
  {
    command: 'OBJECT|ENCODING',
    reason: 'a list that has become short is a listpack wherever its items were',
    told: 'Redis looks at this only where they are in one node of a quicklist',
    holds: (ours, theirs) => ours === 'listpack' && theirs === 'quicklist',
  },
  {
    command: 'OBJECT|ENCODING',
    reason: 'a string that was appended to is raw in Redis, whatever its length',
    told: 'a string stays `raw` after `APPEND` or `SETRANGE`',
    holds: (ours, theirs) => (ours === 'embstr' || ours === 'int') && theirs === 'raw',
  },
  {
    command: 'SRANDMEMBER',
    reason: 'random picks with repeats have a limit',
    told: PICKS,
    holds: isOutOfRange,
  },
  {
    command: 'HRANDFIELD',
    reason: 'random picks with repeats have a limit',
    told: PICKS,
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

  /** Those that were never met. */
  get unused(): string[] {
    return this.#listed.filter((difference) => !this.#met.has(difference)).map(nameOf);
  }
}

/** Differences from Redis 7.2 that the documentation does not tell of. */
export function untoldDifferences(): string[] {
  const path = join(import.meta.dirname, '../../../docs/compatibility.md');
  const text = readFileSync(path, 'utf8').replace(/\s+/g, ' ');
  const isTold = ({ told, isOld }: Difference) =>
    told === undefined ? isOld : text.includes(told);
  return DIFFERENCES.filter((difference) => !isTold(difference)).map(nameOf);
}

function nameOf({ command, reason }: Difference): string {
  return `${command}: ${reason}`;
}
