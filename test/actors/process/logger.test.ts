import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';

const COLOUR = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g');

const PROGRAM = `
  import { createLogger } from './actors/process/logger.ts';
  const logger = createLogger({ nodeId: 1, logLevel: 'info', logFormat: process.argv[1] }, true);
  const bad = 'x\\u001b[2J\\u009b\\u202e\\ny';
  logger.warn({ reason: bad, list: [bad], inner: { deep: bad } }, 'peer said ' + bad);
  logger.error({ err: new Error(bad) }, 'failed');
`;

test.each(['json', 'pretty'])("a peer's text cannot control a terminal: %s", (format) => {
  const args = ['--import', 'tsx', '--input-type=module', '-e', PROGRAM, format];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(stdout).toContain('peer said x');
  // Colours of the format itself are all that may be left.
  const left = stdout.replace(COLOUR, '');
  expect(left).toMatch(/^[\n -~]*$/);
  expect(left).toContain('u001b[2J');
});
