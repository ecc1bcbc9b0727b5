/** `holoctl` at a node with a password: by the token file, by a login, and by neither. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HOST, TestCluster, type TestNode } from '../../cluster/harness.ts';

describe('holoctl', () => {
  const state = mkdtempSync(join(tmpdir(), 'holo-state-'));
  let cluster: TestCluster;
  let node: TestNode;

  beforeAll(async () => {
    cluster = await TestCluster.start({ nodes: 1, flags: ['--requirepass=secret'] });
    node = cluster.nodes[0] as TestNode;
  });
  afterAll(async () => {
    await cluster?.remove();
    rmSync(state, { recursive: true, force: true });
  });

  function holoctl(args: readonly string[], input = '', variables = {}) {
    const { program, adminPort } = node;
    const env = { ...process.env, XDG_STATE_HOME: state, ...variables };
    const flags = ['--node', `${HOST}:${adminPort}`];
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [program.holoctl, ...args, ...flags],
      { env, input, encoding: 'utf8' },
    );
    return { code: status, out: stdout, err: stderr };
  }

  const tokenFile = () => join(node.dataDir, 'admin-token');

  test('finds files that are for the user of the node alone', () => {
    const names = ['.', ...readdirSync(node.dataDir, { recursive: true, encoding: 'utf8' })];
    expect(names).toContain('store/data.mdb');
    const open = names.filter((name) => (statSync(join(node.dataDir, name)).mode & 0o077) !== 0);
    expect(open).toEqual([]);
  });

  test('needs nothing where it may read the token file, which the log names', () => {
    expect(statSync(tokenFile()).mode & 0o777).toBe(0o600);
    expect(holoctl(['logs', '--json'])).toMatchObject({ code: 0, err: '' });
    expect(holoctl(['config', 'set', 'maxclients', '77'])).toMatchObject({ code: 0, out: 'ok\n' });
    const log = node.log();
    expect(log).toContain(tokenFile());
    expect(log).toContain('maxclients is set to 77 by (token)');
    expect(log).not.toContain(readFileSync(tokenFile(), 'utf8').trim());
  });

  test('logs in where it may not, and out', async () => {
    const token = readFileSync(tokenFile(), 'utf8');
    // Another file of the same name: the node keeps what it has, and holoctl sends no such thing.
    writeFileSync(tokenFile(), 'something else\n');
    await expect.poll(() => node.log(), { timeout: 5_000 }).toContain('stays as it is');
    expect(holoctl(['logs'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('this needs the role of viewer: log in (holoctl login)'),
    });
    expect(holoctl(['login'], 'guess\n')).toMatchObject({
      code: 1,
      err: expect.stringContaining('the user or the password is wrong'),
    });
    expect(holoctl(['login'], 'secret\n')).toMatchObject({ code: 0, out: 'default: admin\n' });
    const kept = join(state, 'holostore', 'sessions.json');
    expect(statSync(kept).mode & 0o777).toBe(0o600);
    expect(readFileSync(kept, 'utf8')).not.toContain('secret');
    expect(holoctl(['logs'])).toMatchObject({ code: 0 });
    expect(holoctl(['config', 'set', 'maxclients', '78'])).toMatchObject({ code: 0 });
    expect(holoctl(['logout'])).toMatchObject({ code: 0 });
    expect(holoctl(['logs']).code).toBe(1);
    const copy = join(state, 'copied-token');
    writeFileSync(copy, token);
    const variables = { HOLO_ADMIN_TOKEN_FILE: copy };
    expect(holoctl(['logs'], '', variables)).toMatchObject({ code: 0 });
    expect(node.log()).toContain('a login was refused: user default');
  });
});
