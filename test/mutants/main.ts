/**
 * `npm run sim:mutants [-- --only NAME] [--seeds N]`: plants every mutant into a copy of the tree,
 * runs the harness that must notice, and prints who died of what. Exits with 1 when one survives
 * its budget that must not.
 */
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { MutantTree } from './mutant-tree.ts';
import { type Harness, MUTANTS, type Mutant } from './mutants.ts';
import type { Outcome } from './run-seeds.ts';

/** However many seeds are left, a mutant has no more time than this. */
const RUN_MS_MAX = 150_000;
const VIOLATION_CHARS_MAX = 96;

const { values } = parseArgs({
  options: { only: { type: 'string', multiple: true }, seeds: { type: 'string' } },
});

function run(tree: MutantTree, mutant: Mutant): Promise<Outcome> {
  const seeds = Number(values.seeds ?? mutant.budgetSeeds);
  const count = mutant.config.type === 'story' ? 1 : seeds;
  const args = ['--import', 'tsx', 'test/mutants/run-seeds.ts'];
  const child = spawn(
    process.execPath,
    [...args, JSON.stringify(mutant.config), '1', String(count)],
    { cwd: tree.path, stdio: ['ignore', 'pipe', 'pipe'], timeout: RUN_MS_MAX },
  );
  let output = '';
  let errors = '';
  child.stdout.on('data', (data: Buffer) => {
    output += data.toString();
  });
  child.stderr.on('data', (data: Buffer) => {
    errors += data.toString();
  });
  return new Promise((done) => {
    child.on('close', (code, signal) => {
      const last = output.trimEnd().split('\n').at(-1) ?? '';
      if (code === 0) return done(JSON.parse(last) as Outcome);
      // Neither a time limit nor a harness that does not load is a verdict.
      if (signal === null) process.stderr.write(errors);
      done({ seeds: count, violation: undefined });
    });
  });
}

function harnessName(config: Harness): string {
  if (config.type === 'story') return `story ${config.file.replace('.txt', '')}`;
  if (config.type === 'node') return `nodes N=${config.nodes}`;
  const { nodes, electorate } = config.knobs ?? {};
  return `${config.mix} N=${nodes} E=${electorate}`;
}

const chosen = MUTANTS.filter(({ name }) => values.only?.includes(name) ?? true);
const table = new Table({
  head: ['mutant', 'rule', 'harness', 'seeds', 'violation'],
  style: { head: [], border: [] },
});
const tree = new MutantTree();
let survivors = 0;
try {
  for (const mutant of chosen) {
    const startedMs = performance.now();
    const { seeds, violation } = await tree.with(mutant, () => run(tree, mutant));
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
    const lives = violation === undefined;
    if (lives && mutant.mayLive !== true) survivors += 1;
    const line = violation?.split('\n')[0]?.slice(0, VIOLATION_CHARS_MAX);
    const verdict = line ?? (mutant.mayLive === true ? 'lives (allowed)' : 'LIVES');
    table.push([mutant.name, mutant.accordItem, harnessName(mutant.config), seeds, verdict]);
    process.stderr.write(`${mutant.name}: ${verdict} (${seeds} seeds, ${seconds} s)\n`);
  }
} finally {
  tree.remove();
}
console.log(table.toString());
console.log(`${chosen.length} mutants, ${survivors} alive that must not be`);
process.exitCode = survivors === 0 ? 0 : 1;
