/** `--help` of the commands for simulations: a text and no run. */
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';

test.each([
  ['sim', 'test/simulation/main.ts', '--seeds'],
  ['sim:mutants', 'test/mutants/main.ts', '--only'],
])('npm run %s -- --help', (script, file, option) => {
  const text = execFileSync(process.execPath, ['--import', 'tsx', file, '--help']).toString();
  expect(text).toMatch(`npm run ${script} -- [options]`);
  expect(text).toMatch(option);
});

test('a mutant that does not exist is no success', () => {
  const args = ['--import', 'tsx', 'test/mutants/main.ts', '--only', 'nothing'];
  expect(() => execFileSync(process.execPath, args, { stdio: 'pipe' })).toThrow(
    'no mutant nothing',
  );
});
