/**
 * The cost of checking a history, per model and shape: generated good histories, and Porcupine on
 * the
 * same ones with `--porcupine`. `--operations N` (default 100,000) for histories of many keys;
 * those
 * of one hot key have a tenth of them.
 */
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { generateHistory, pickFrom } from '../verify/generate.ts';
import { type History, MODEL_NAMES, type ModelName } from '../verify/history.ts';
import { checkLinearizability } from '../verify/linearizability.ts';
import { checkWithPorcupine, isForPorcupine } from '../verify/porcupine.ts';
import { checkStrictSerializability } from '../verify/strict-serializability.ts';

const SHAPES = [
  { keys: 100, processes: 30, share: 1 },
  { keys: 100, processes: 200, share: 1 },
  { keys: 1, processes: 10, share: 0.1 },
] as const;

const PORCUPINE_TIMEOUT_MS = 10_000;

function check(model: ModelName, history: History): { verdict: string; work: string } {
  if (model === 'list-append-txn') {
    const { verdict, dependencies } = checkStrictSerializability(history);
    return { verdict, work: `${dependencies} edges` };
  }
  const { verdict, steps } = checkLinearizability(history);
  return { verdict, work: `${steps} steps` };
}

export function run(args: string[]): void {
  const { values } = parseArgs({
    args,
    options: {
      operations: { type: 'string', default: '100000' },
      porcupine: { type: 'boolean', default: false },
    },
  });
  const head = ['model', 'operations', 'keys', 'clients', 'verdict', 'ms', 'work'];
  const table = new Table({ head: values.porcupine ? [...head, 'porcupine', 'ms'] : head });
  for (const model of MODEL_NAMES) {
    for (const { keys, processes, share } of SHAPES) {
      const operations = Math.round(Number(values.operations) * share);
      const options = { operations, processes, keys, unknownPercent: 1, refusedPercent: 1 };
      const history = generateHistory(model, pickFrom(7), options);
      const from = performance.now();
      const { verdict, work } = check(model, history);
      const ms = Math.round(performance.now() - from);
      const row = [model, operations, keys, processes, verdict, ms, work];
      if (values.porcupine && isForPorcupine(model)) {
        const start = performance.now();
        const theirs = checkWithPorcupine(history, { timeoutMs: PORCUPINE_TIMEOUT_MS });
        row.push(theirs.verdict, Math.round(performance.now() - start));
      }
      table.push(row);
    }
  }
  process.stdout.write(`${table.toString()}\n`);
}
