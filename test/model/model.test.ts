/** A share of the runs of the model; all of them by command (docs/ranges.md). */
import { describe, expect, test } from 'vitest';
import { CONFIGS, configNamed } from './configs.ts';
import { MUTANTS } from './mutants.ts';
import { Run } from './run.ts';

const SEEDS = 12;
/** A run that has not ended by then is taken for one that never does. */
const EVENTS_MAX = 20_000;

describe('the rules of ranges', () => {
  test.each(Object.keys(CONFIGS))('hold in runs of %s', (name) => {
    const broken: string[] = [];
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const { violation, isFinished } = new Run(seed, configNamed(name), new Set()).run();
      if (violation !== undefined || !isFinished) broken.push(`${seed}: ${violation ?? 'open'}`);
    }
    expect(broken).toEqual([]);
  });

  test('the same seed runs the same', () => {
    const runs = [1, 2].map(() => new Run(7, configNamed('all'), new Set()).run());
    expect(runs[0]).toEqual(runs[1]);
  });
});

describe('the model breaks without', () => {
  const known = MUTANTS.filter(({ seed }) => seed > 0);
  test.each(known)('$name (rule $rule)', ({ name, config, seed }) => {
    const result = new Run(seed, configNamed(config), new Set([name])).run(EVENTS_MAX);
    expect(result.violation !== undefined || !result.isFinished).toBe(true);
    const whole = new Run(seed, configNamed(config), new Set()).run(EVENTS_MAX);
    expect([whole.violation, whole.isFinished]).toEqual([undefined, true]);
  });
});
