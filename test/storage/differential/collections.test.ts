/**
 * Random commands on lists and sorted sets, and SORT, against servers that know the right replies, with
 * flushes and restarts between: each reply must be that of one of them.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Machine, type Reply } from '../harness.ts';
import { listCommands } from './lists.ts';
import { type Oracle, startOracles } from './oracle.ts';
import { sortedSetCommands } from './sorted-sets.ts';
import { sortCommands } from './sorts.ts';

/** A reply as text, without what servers may differ in. */
function normal([name = '']: readonly string[], reply: Reply | undefined): string {
  if (name === 'ZRANDMEMBER' && Array.isArray(reply)) return told(reply.map(told).toSorted());
  if (name === 'ZSCAN' && Array.isArray(reply)) {
    const [cursor, items] = reply as [string, string[]];
    const pairs = items.flatMap((item, i) =>
      i % 2 === 0 ? [told([item, items[i + 1] ?? ''])] : [],
    );
    return told([cursor, ...pairs.toSorted()]);
  }
  return told(reply);
}

/** Redis 7.0 does not have it, so that it alone cannot tell how its successors answer. */
function isNew([name = '', subcommand = '', ...rest]: readonly string[]): boolean {
  return (
    (name === 'OBJECT' && subcommand === 'ENCODING') ||
    // It judges numbers by an error that some earlier command has left behind.
    /^SORT/.test(name) ||
    (/^Z(REV)?RANK$/.test(name) && rest.length > 1) ||
    rest.includes('-9223372036854775808')
  );
}

/** Redis 7.0 tells numbers with 17 digits, its successors with as few as they need. */
function told(reply: Reply | undefined): string {
  if (Array.isArray(reply)) return `[${reply.map(told).join(', ')}]`;
  const isFraction =
    typeof reply === 'string' && reply.length > 15 && /^-?[0-9.]+(e[+-]?[0-9]+)?$/.test(reply);
  return JSON.stringify(isFraction ? String(Number(reply)) : reply);
}

describe('collections against servers of reference', () => {
  let oracles: Oracle[] = [];

  beforeAll(async () => {
    oracles = await startOracles();
  });

  afterAll(() => {
    for (const oracle of oracles) oracle.close();
  });

  test.each([
    ['lists', listCommands],
    ['sorted sets', sortedSetCommands],
    ['SORT', sortCommands],
  ])(
    '%s',
    async (_family, command) => {
      if (oracles.length === 0) return console.warn('no redis-server: skipped');
      const sequences = fc.array(command, { minLength: 1, maxLength: 120, size: 'max' });
      await fc.assert(
        fc.asyncProperty(sequences, async (drawn) => {
          // Not run at all: they would also change what later commands find.
          const commands = oracles.length === 1 ? drawn.filter((words) => !isNew(words)) : drawn;
          let machine = new Machine({ startMs: Date.now() });
          const ours = commands.map((words, i) => {
            if (i % 13 === 12) machine.flush();
            if (i % 39 === 38) machine = machine.restarted();
            return machine.run(...words);
          });
          const theirs = await Promise.all(
            oracles.map(async (oracle) => (await oracle.run([['FLUSHALL'], ...commands])).slice(1)),
          );
          for (const [i, words] of commands.entries()) {
            const expected = theirs.map((replies) => normal(words, replies[i]));
            expect(expected, `number ${i}: ${told([...words]).slice(0, 500)}`).toContain(
              normal(words, ours[i]),
            );
          }
        }),
        { numRuns: 60 },
      );
    },
    120_000,
  );
});
