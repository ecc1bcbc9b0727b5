import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { run } from '../../actors/main.ts';

async function call(...args: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const code = await run(
    args,
    (line) => out.push(line),
    (line) => err.push(line),
  );
  return { code, out: out.join('\n'), err: err.join('\n') };
}

describe('the holostore command', () => {
  test('version', async () => {
    expect(await call('version')).toMatchObject({ code: 0, out: 'holostore 0.1.0' });
  });

  test.each([
    ['help', /holostore cluster \[flags\]/],
    ['help node', /--initial-members LIST/],
    ['node --help', /--initial-members LIST/],
    ['help cluster', /--fresh/],
  ])('%s', async (line, expected) => {
    const { code, out, err } = await call(...line.split(' '));
    expect(code).toBe(0);
    expect(out).toMatch(expected);
    expect(err).toBe('');
  });

  test.each([
    [
      '',
      'holostore: a subcommand is missing: node, cluster, replay, make-secret, certs, version or help ' +
        '(see "holostore help")',
    ],
    [
      'run',
      'holostore: unknown subcommand "run": node, cluster, replay, make-secret, certs, version or help ' +
        '(see "holostore help")',
    ],
    ['node', 'holostore: --listen-redis is missing (or HOLO_LISTEN_REDIS in the environment)'],
    ['node --wal x', 'holostore: unknown option \'--wal\' (see "holostore help node")'],
    [
      'node --node-id 1\u001b[31m',
      'holostore: --node-id must be a whole number from 1 to 4294967295, not "1\\u001b[31m"',
    ],
    ['cluster --nodes 0', 'holostore: --nodes must be a number from 1 to 9, not "0"'],
  ])('"%s" is one line and exit code 2', async (line, expected) => {
    const args = line.split(' ').filter((word) => word !== '');
    expect(await call(...args)).toEqual({ code: 2, out: '', err: expected });
  });

  test('as a program: the exit code and the streams', () => {
    const args = ['--import', 'tsx', 'actors/main.ts', 'node', '--node-id', 'x'];
    const result = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(result.status).toBe(2);
    expect(result.stdout).toBe('');
    expect(result.stderr).toMatch(/^holostore: --node-id must be a whole number.*\n$/);
  });
});
