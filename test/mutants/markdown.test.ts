/** The table of a run, as it stands in the documentation. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { harnessName, markdownOf, RUN_HEADING } from './markdown.ts';
import { MUTANTS, type Mutant } from './mutants.ts';

test('a row names the harness with what is particular about it, and hides no survivor', () => {
  const [mutant] = MUTANTS as [Mutant];
  const dead = { mutant, seeds: 3, died: true, verdict: 'a|b' };
  const alive = { mutant, seeds: 9, died: false, verdict: 'lives' };
  const text = markdownOf([dead, alive], 90);
  expect(text).toContain('1.5 minutes. **1 of 2 died.**');
  expect(text).toContain(' | story `01-one-ballot` | 3 | a\\|b |');
  expect(text).toContain(' | 9 | **lives** |');
  const knobs = { nodes: 5, electorate: 3, cutCrashRate: 0.5 };
  const named = harnessName({ type: 'protocol', mix: 'SETTLING', knobs });
  expect(named).toBe('cluster SETTLING, N=5 E=3, cutCrashRate=0.5');
});

test('the documentation tells of every mutant, and of no other', () => {
  const path = join(import.meta.dirname, '../../docs/mutants.md');
  const [, run = ''] = readFileSync(path, 'utf8').split(RUN_HEADING);
  const told = [...run.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
  expect(told).toEqual(MUTANTS.map(({ name }) => name));
});
