/**
 * `npm run sim:mutants`: plants every mutant into a copy of the tree, runs the harness that must
 * notice, and prints who died of what. Ends with exit code 1 when one survives its budget that must
 * not.
 */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { markdownOf, type Row, RUN_HEADING } from './markdown.ts';
import { MutantTree } from './mutant-tree.ts';
import { type Harness, MUTANTS, type Mutant } from './mutants.ts';
import type { Outcome } from './run-seeds.ts';

const HELP = `npm run sim:mutants -- [options]
  --only NAME      this mutant only; may be repeated (all)
  --seeds N        how many seeds it may survive (its own budget)
  --markdown FILE  write the results as the last section of this file
  --help           print this text`;

/** However many seeds are left, a mutant has no more time than this. */
const RUN_MS_MAX = 150_000;
/** A seed that does not end is ended this long after that, without a verdict. */
const SEED_MS_MAX = 60_000;
const VIOLATION_CHARS_MAX = 96;

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    seeds: { type: 'string' },
    markdown: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

/** `undefined`: no verdict, the harness did not load or did not end. */
function run(tree: MutantTree, mutant: Mutant): Promise<Outcome | undefined> {
  const seeds = isOneSchedule(mutant.config) ? 1 : Number(values.seeds ?? mutant.budgetSeeds);
  const numbers = [1, seeds, RUN_MS_MAX].map(String);
  const args = ['--import', 'tsx', 'test/mutants/run-seeds.ts', JSON.stringify(mutant.config)];
  const child = spawn(process.execPath, [...args, ...numbers], {
    cwd: tree.path,
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: RUN_MS_MAX + SEED_MS_MAX,
  });
  let output = '';
  child.stdout.on('data', (data: Buffer) => {
    output += data.toString();
  });
  return new Promise((done) => {
    child.on('close', (code) => {
      const last = output.trimEnd().split('\n').at(-1) ?? '';
      done(code === 0 ? (JSON.parse(last) as Outcome) : undefined);
    });
  });
}

function isOneSchedule({ type }: Harness): boolean {
  return type === 'story' || type === 'unit';
}

async function tryOut(tree: MutantTree, mutant: Mutant): Promise<Row> {
  const outcome = await tree.with(mutant, () => run(tree, mutant));
  if (outcome === undefined) return { mutant, seeds: 0, died: false, verdict: 'NO VERDICT' };
  const { seeds, violation } = outcome;
  const line = violation?.split('\n')[0]?.slice(0, VIOLATION_CHARS_MAX);
  return { mutant, seeds, died: line !== undefined, verdict: line ?? 'lives' };
}

async function main(): Promise<number> {
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const unknown = values.only?.find((only) => MUTANTS.every(({ name }) => name !== only));
  if (unknown !== undefined) throw new RangeError(`--only: there is no mutant ${unknown}`);
  const chosen = MUTANTS.filter(({ name }) => values.only?.includes(name) ?? true);
  const rows: Row[] = [];
  const tree = new MutantTree();
  const startedMs = performance.now();
  try {
    for (const mutant of chosen) {
      const beganMs = performance.now();
      const row = await tryOut(tree, mutant);
      rows.push(row);
      const seconds = ((performance.now() - beganMs) / 1_000).toFixed(1);
      process.stderr.write(`${mutant.name}: ${row.verdict} (${row.seeds} seeds, ${seconds} s)\n`);
    }
  } finally {
    tree.remove();
  }
  const table = new Table({
    head: ['mutant', 'seeds', 'verdict'],
    style: { head: [], border: [] },
  });
  for (const { mutant, seeds, verdict } of rows) table.push([mutant.name, seeds, verdict]);
  const survivors = rows.filter(({ mutant, died }) => !died && mutant.mayLive !== true);
  console.log(table.toString());
  console.log(`${rows.length} mutants, ${survivors.length} alive that must not be`);
  if (values.markdown !== undefined) {
    const [prose = ''] = readFileSync(values.markdown, 'utf8').split(RUN_HEADING);
    const seconds = (performance.now() - startedMs) / 1_000;
    writeFileSync(values.markdown, prose + markdownOf(rows, seconds));
  }
  return survivors.length === 0 ? 0 : 1;
}

process.exitCode = await main();
