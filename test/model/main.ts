/**
 * The model of ranges by command: `node --import tsx test/model/main.ts --config NAME --seeds N`.
 * Ends with exit code 1 when a rule was broken, or with `--mutant` when none was.
 */
import { parseArgs } from 'node:util';
import { CONFIGS, configNamed } from './configs.ts';
import { Run } from './run.ts';

function main(): number {
  const { values } = parseArgs({
    options: {
      config: { type: 'string', default: Object.keys(CONFIGS).join(',') },
      seeds: { type: 'string', default: '1000' },
      from: { type: 'string', default: '1' },
      mutant: { type: 'string', default: '' },
      events: { type: 'string', default: '60000' },
      bad: { type: 'string', default: '1000000' },
    },
  });
  const mutants = new Set(values.mutant.split(',').filter((name) => name !== ''));
  let broken = 0;
  for (const name of values.config.split(',')) {
    broken += runAll(name, mutants, values);
  }
  return mutants.size > 0 ? (broken > 0 ? 0 : 1) : broken > 0 ? 1 : 0;
}

function runAll(
  name: string,
  mutants: ReadonlySet<string>,
  values: { seeds: string; from: string; events: string; bad: string },
): number {
  const from = Number(values.from);
  const start = performance.now();
  const counts = new Map<string, number>();
  let broken = 0;
  let open = 0;
  let first = '';
  let seed = from;
  for (; seed < from + Number(values.seeds) && broken + open < Number(values.bad); seed += 1) {
    const result = new Run(seed, configNamed(name), mutants).run(Number(values.events));
    for (const [what, count] of result.counts) counts.set(what, (counts.get(what) ?? 0) + count);
    if (result.violation === undefined && result.isFinished) continue;
    if (result.violation === undefined) open += 1;
    else broken += 1;
    if (first === '') first = `seed ${seed}: ${result.violation ?? 'does not end'}`;
  }
  const seconds = ((performance.now() - start) / 1_000).toFixed(1);
  const what = [...mutants].join(',') || '-';
  console.log(
    `${name} ${what}: ${seed - from} seeds, ${broken} broken, ${open} open, ${seconds} s ${first}`,
  );
  if (mutants.size === 0) {
    console.log(`  ${[...counts].map(([key, count]) => `${key} ${count}`).join(', ')}`);
  }
  return broken + open;
}

process.exitCode = main();
