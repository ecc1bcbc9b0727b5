/**
 * Scripts against a real redis-server: replies, errors and conversions must be equal in both
 * protocols. Skipped where redis-server is absent.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MachineRunner } from '../differential/machine-runner.ts';
import { Oracle } from '../differential/oracle.ts';
import { HAS_REDIS } from '../differential/redis-server.ts';
import { COMPARED_SCRIPTS } from './compared-scripts.ts';

const NEVER = { evicts: false, flushEvery: 0, restartEvery: 0 };

describe.skipIf(!HAS_REDIS)('against redis-server', () => {
  let oracle: Oracle;

  beforeAll(async () => {
    oracle = await Oracle.start('redis-server');
  });

  afterAll(() => oracle?.close());

  test.each([2, 3] as const)('answers scripts alike, in RESP%i', async (protocol) => {
    const differences: string[] = [];
    for (const script of COMPARED_SCRIPTS) {
      const commands = [['FLUSHALL'], ['EVAL', script, '2', 'a', 'b', 'x', 'y'], ['GET', 'a']];
      const ours = new MachineRunner(protocol, NEVER).run(commands).slice(1);
      const theirs = (await oracle.run(commands, protocol)).slice(1);
      if (JSON.stringify(ours) === JSON.stringify(theirs)) continue;
      differences.push(`${script}: ${JSON.stringify(ours)} not ${JSON.stringify(theirs)}`);
    }
    expect(differences).toEqual([]);
  });
});
