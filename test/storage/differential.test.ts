/**
 * Streams of commands over all types, in both protocols, against servers that know the right replies,
 * with flushes, evictions and restarts between. A reply must be that of one of them once the order
 * that it does not promise is taken away; `differences.ts` names the rest.
 * `HOLO_DIFFERENTIAL_RUNS` makes it run longer.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { untoldDifferences } from './differential/differences.ts';
import { Judge } from './differential/judge.ts';
import { MachineRunner } from './differential/machine-runner.ts';
import { type Oracle, startOracles } from './differential/oracle.ts';
import { STREAMS } from './differential/streams.ts';

const RUNS = Number(process.env['HOLO_DIFFERENTIAL_RUNS'] ?? 40);
const TIMEOUT_MS = 60_000 + 200 * RUNS;

const upkeep = fc.record({
  evicts: fc.boolean(),
  flushEvery: fc.constantFrom(0, 8, 13),
  restartEvery: fc.constantFrom(0, 39),
});
const cases = STREAMS.flatMap((stream) =>
  ([2, 3] as const).map((protocol) => ({ ...stream, protocol })),
);

const oracles: Oracle[] = await startOracles();

test('the documentation tells of every difference', () => {
  expect(untoldDifferences()).toEqual([]);
});

describe.skipIf(oracles.length === 0)('against servers of reference', () => {
  let judge: Judge;

  beforeAll(() => {
    judge = new Judge(oracles);
  });

  afterAll(() => {
    console.info(`${judge.compared} replies compared with ${oracles.length} servers`);
    for (const oracle of oracles) oracle.close();
  });

  test.each(cases)(
    'answers commands on $name alike, in RESP$protocol',
    async ({ command, examples, protocol }) => {
      const sequences = fc.array(command, { minLength: 1, maxLength: 120, size: 'max' });
      const never = { evicts: false, flushEvery: 0, restartEvery: 0 };
      await fc.assert(
        fc.asyncProperty(sequences, upkeep, async (commands, drawn) => {
          const runner = new MachineRunner(protocol, drawn);
          const error = await judge.errorIn(commands, protocol, (all) => runner.run(all));
          expect(error).toBeUndefined();
        }),
        { numRuns: RUNS, examples: examples.map((commands) => [commands, never]) },
      );
    },
    TIMEOUT_MS,
  );

  test('met every difference that is listed', () => {
    expect(judge.differences.unused).toEqual([]);
  });
});
