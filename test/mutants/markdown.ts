/**
 * One run of all mutants as the last section of `docs/mutants.md`: when, where, how long, and the
 * table. Pure but for the clock and the machine, which it names.
 */

import { cpus } from 'node:os';
import { basename } from 'node:path';
import { USUAL_LIMITS } from '../simulation/limits.ts';
import type { Harness, Mutant } from './mutants.ts';

export interface Row {
  readonly mutant: Mutant;
  /** The deadly one included. */
  readonly seeds: number;
  readonly died: boolean;
  readonly verdict: string;
}

export const RUN_HEADING = '## The run';

export function markdownOf(rows: readonly Row[], seconds: number): string {
  const died = rows.filter((row) => row.died).length;
  const processors = cpus();
  return [
    RUN_HEADING,
    '',
    `${new Date().toISOString().slice(0, 10)}, Node ${process.version}, one of ` +
      `${processors.length} cores (${processors[0]?.model ?? 'unknown'}), ` +
      `${(seconds / 60).toFixed(1)} minutes. **${died} of ${rows.length} died.**`,
    '',
    '| mutant | rule | what it does | harness | seeds | first line of the violation |',
    '|---|---|---|---|---|---|',
    ...rows.map(lineOf),
    '',
  ].join('\n');
}

function lineOf({ mutant, seeds, died, verdict }: Row): string {
  const { name, accordItem, why, config } = mutant;
  const shown = died ? verdict.replaceAll('|', '\\|') : `**${verdict}**`;
  const cells = [`\`${name}\``, accordItem, why, harnessName(config), seeds, shown];
  return `| ${cells.join(' | ')} |`;
}

export function harnessName(config: Harness): string {
  if (config.type === 'story') return `story \`${config.file.replace('.txt', '')}\``;
  if (config.type === 'unit') return `unit test \`${basename(config.file, '.test.ts')}\``;
  if (config.type === 'node') {
    return [`whole nodes, N=${config.nodes}`, ...settings(config.profile ?? {})].join(', ');
  }
  if (config.type === 'moves') return 'moves, N=5';
  if (config.type === 'waiting') return 'clients that wait, N=3 or 5';
  if (config.type === 'tracking') return 'clients that keep what they read, N=3';
  if (config.type === 'groups') {
    return ['three groups, N=5', ...settings(config.profile ?? {})].join(', ');
  }
  if (config.type === 'spread') {
    return ['five groups of three, N=5', ...settings(config.profile ?? {})].join(', ');
  }
  if (config.type === 'splits') {
    return [`splits, N=${config.nodes}`, ...settings(config.profile ?? {})].join(', ');
  }
  const { nodes, electorate, ...others } = config.knobs ?? {};
  return [`cluster ${config.mix}, N=${nodes} E=${electorate}`, ...settings(others)].join(', ');
}

function settings(values: object): string[] {
  const texts = Object.entries(values).map(([name, value]) => {
    const text = JSON.stringify(name === 'limits' ? unusual(value) : value);
    return text === '{}' ? '' : `${name}=${text}`;
  });
  return texts.filter((text) => text !== '');
}

/** Of the limits only those that are not the usual ones. */
function unusual(limits: object): object {
  const usual = new Map<string, unknown>(Object.entries(USUAL_LIMITS));
  return Object.fromEntries(
    Object.entries(limits).filter(([name, limit]) => limit !== usual.get(name)),
  );
}
