/** Runs one file of unit tests in this tree, in a process of its own. */
import { spawnSync } from 'node:child_process';

interface Report {
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly { readonly title: string; readonly status: string }[];
  }[];
}

const VITEST = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/vitest.config.ts'];

/** `undefined`: all tests pass. */
export function firstFailureOf(file: string): string | undefined {
  const args = [...VITEST, '--reporter=json', file];
  const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status === 0) return undefined;
  const { testResults } = JSON.parse(stdout) as Report;
  for (const { message, assertionResults } of testResults) {
    const failed = assertionResults.find((each) => each.status === 'failed');
    if (failed !== undefined) return `fails: ${failed.title}`;
    if (assertionResults.length === 0) return message;
  }
  return 'vitest ends without a result';
}
