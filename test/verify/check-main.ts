/**
 * The command that checks a history file:
 *   node --import tsx test/verify/check-main.ts FILE [--steps-max N] [--porcupine] [--html PATH]
 * It prints a verdict for people and exits with 0 (ok), 1 (violation), 2 (gave up, or no second
 * opinion where one was asked for) or 64 (it could not be asked like this).
 */
import { parseArgs } from 'node:util';
import { type History, InvalidHistoryError } from './history.ts';
import { readHistory } from './history-file.ts';
import { checkLinearizability } from './linearizability.ts';
import { checkWithPorcupine, PorcupineUnavailableError } from './porcupine.ts';
import { checkStrictSerializability } from './strict-serializability.ts';

const USAGE = 'usage: check-main.ts FILE [--steps-max N] [--porcupine] [--html PATH]';

const EXIT = { ok: 0, violation: 1, exhausted: 2, usage: 64 } as const;

interface Verdict {
  readonly verdict: 'ok' | 'violation' | 'exhausted';
  readonly text: string;
}

function main(args: readonly string[]): number {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      'steps-max': { type: 'string' },
      porcupine: { type: 'boolean', default: false },
      html: { type: 'string' },
    },
  });
  const [path, ...more] = positionals;
  const stepsMax = values['steps-max'] === undefined ? undefined : Number(values['steps-max']);
  if (path === undefined || more.length > 0) throw new InvalidHistoryError(USAGE);
  if (stepsMax !== undefined && !(stepsMax > 0)) throw new InvalidHistoryError(USAGE);
  const verdicts: Verdict[] = [checkOurselves(readHistory(path), stepsMax)];
  if (values.porcupine) verdicts.push(askPorcupine(path, values.html));
  for (const { text } of verdicts) process.stdout.write(`${text}\n`);
  if (verdicts.some(({ verdict }) => verdict === 'violation')) return EXIT.violation;
  return verdicts.some(({ verdict }) => verdict === 'exhausted') ? EXIT.exhausted : EXIT.ok;
}

function checkOurselves(history: History, stepsMax: number | undefined): Verdict {
  if (history.model === 'list-append-txn') return checkStrictSerializability(history);
  return checkLinearizability(history, stepsMax === undefined ? {} : { stepsMax });
}

function askPorcupine(path: string, html: string | undefined): Verdict {
  try {
    const found = checkWithPorcupine(path, html === undefined ? {} : { htmlPath: html });
    const lines = [`porcupine: ${found.verdict}; ${found.keys} keys`];
    if (found.badKeys.length > 0) lines.push(`  bad keys: ${JSON.stringify(found.badKeys)}`);
    if (found.exhaustedKeys.length > 0) {
      lines.push(`  timed out on: ${JSON.stringify(found.exhaustedKeys)}`);
    }
    if (found.html !== undefined) lines.push(`  view: ${found.html}`);
    return { verdict: found.verdict, text: lines.join('\n') };
  } catch (error) {
    if (!(error instanceof PorcupineUnavailableError)) throw error;
    return { verdict: 'exhausted', text: `porcupine: not asked; ${error.message}` };
  }
}

try {
  process.exitCode = main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = EXIT.usage;
}
