/**
 * Hunts the mutants of the model: `node --import tsx test/model/hunt.ts --seeds N [--only NAMES]`.
 * Prints the first seed that breaks without each rule. Exit code 1 when a mutant lives.
 */
import { parseArgs } from 'node:util';
import { CONFIGS, configNamed } from './configs.ts';
import { MUTANTS } from './mutants.ts';
import { Run } from './run.ts';

/** A run that has not ended by then is taken for one that never does. */
const EVENTS_MAX = 20_000;

function main(): number {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '20000' },
      seconds: { type: 'string', default: '60' },
      only: { type: 'string' },
      config: { type: 'string' },
    },
  });
  const only = values.only?.split(',');
  let living = 0;
  for (const { name, rule, config } of MUTANTS) {
    if (only !== undefined && !only.includes(name)) continue;
    const place = values.config ?? config;
    if (CONFIGS[place] === undefined) throw new RangeError(`no configuration ${place}`);
    const start = performance.now();
    let found = 'LIVES';
    let seed = 1;
    const isTime = (): boolean => performance.now() - start < Number(values.seconds) * 1_000;
    for (; seed <= Number(values.seeds) && isTime(); seed += 1) {
      const result = new Run(seed, configNamed(place), new Set([name])).run(EVENTS_MAX);
      if (result.violation === undefined && result.isFinished) continue;
      // A long run proves nothing: with the rule it has to end in time.
      if (!new Run(seed, configNamed(place), new Set()).run(EVENTS_MAX).isFinished) continue;
      found = result.violation ?? 'does not end';
      break;
    }
    if (found === 'LIVES') living += 1;
    console.log(`${name} (rule ${rule}), ${place}: seed ${seed}: ${found}`);
  }
  return living > 0 ? 1 : 0;
}

process.exitCode = main();
