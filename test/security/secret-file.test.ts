import {
  chmodSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { run } from '../../actors/main.ts';
import { PeerProof } from '../../actors/process/security/peer-proof.ts';
import { readSecrets } from '../../actors/process/security/secret-file.ts';
import { newSecret } from '../../transport/peer/security/cluster-secret.ts';
import { CLUSTER } from '../transport/peer/loopback-nodes.ts';

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holo-secret-'));
  path = join(directory, 'secret');
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function make(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const [out, err]: [string[], string[]] = [[], []];
  const code = await run(
    ['make-secret', ...args],
    (line) => out.push(line),
    (line) => err.push(line),
  );
  return { code, out: out.join('\n'), err: err.join('\n') };
}

describe('holostore make-secret', () => {
  test('makes a file for its owner alone, another secret each time, and tells no secret', async () => {
    const before = process.umask(0);
    const { code, out, err } = await make(path);
    process.umask(before);
    expect([code, err]).toEqual([0, '']);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(out).not.toContain(readFileSync(path, 'utf8').trim());
    const [secret] = readSecrets(path);
    await make(`${path}-2`);
    expect(readSecrets(`${path}-2`)[0]?.id).not.toBe(secret?.id);
  });

  test('replaces nothing, and follows no link that leads nowhere', async () => {
    writeFileSync(path, 'mine');
    expect(await make(path)).toMatchObject({ code: 2, err: expect.stringContaining('EEXIST') });
    expect(readFileSync(path, 'utf8')).toBe('mine');
    symlinkSync(join(directory, 'elsewhere'), join(directory, 'link'));
    expect(await make(join(directory, 'link'))).toMatchObject({ code: 2 });
  });

  test.each([[[]], [['a', 'b']], [['--file']]])('%j is called wrongly', async (args) => {
    expect(await make(...args)).toMatchObject({
      code: 2,
      err: expect.stringContaining('make-secret takes the path'),
    });
  });
});

describe('the file', () => {
  test.each([
    ['is not there', undefined, 'ENOENT'],
    ['is empty', '', 'holds no secret'],
    ['holds something else', 'swordfish', 'is no secret of 64'],
  ])('that %s is named, and not quoted', (_name, text, reason) => {
    if (text !== undefined) writeFileSync(path, text, { mode: 0o600 });
    expect(() => readSecrets(path)).toThrow(reason);
    expect(() => readSecrets(path)).toThrow(`--cluster-secret-file ${path}`);
    expect(() => readSecrets(path)).not.toThrow('swordfish');
  });

  test('that everyone may read is refused', () => {
    writeFileSync(path, newSecret());
    for (const mode of [0o604, 0o602, 0o644]) {
      chmodSync(path, mode);
      expect(() => readSecrets(path)).toThrow(`chmod 600 ${path}`);
    }
    chmodSync(path, 0o640);
    expect(readSecrets(path)).toHaveLength(1);
  });
});

describe('a node that follows its file', () => {
  function proof(log: string[]): PeerProof {
    const note = (first: unknown, second?: string): void => {
      log.push(second ?? String(first));
    };
    const logger = { info: note, warn: note, error: note };
    const initialMembers = [1, 2].map((id) => ({ id, host: '127.0.0.1', port: id }));
    const none = { peerTlsCert: '', peerTlsKey: '', peerTlsCa: '' };
    const config = { nodeId: 1, initialMembers, clusterSecretFile: path, ...none };
    return new PeerProof(config, CLUSTER, logger as never);
  }

  test('takes what is new, and keeps what it has where that cannot be used', async () => {
    writeFileSync(path, newSecret(), { mode: 0o600 });
    const log: string[] = [];
    const own = proof(log);
    const changed = vi.fn();
    own.follow(changed);
    own.reload();
    expect(changed).not.toHaveBeenCalled();
    writeFileSync(path, 'half');
    own.reload();
    expect(changed).not.toHaveBeenCalled();
    expect(log.at(-1)).toContain('the cluster secret stays as it is');
    writeFileSync(path, [newSecret(), newSecret()].join('\n'));
    own.reload();
    expect(changed).toHaveBeenCalledTimes(1);
    expect(log.at(-1)).toMatch(/valid are [0-9a-f]{16}, [0-9a-f]{16}, the first is used/);
    // Without being told, too.
    writeFileSync(path, newSecret());
    await vi.waitFor(() => expect(changed).toHaveBeenCalledTimes(2), 5_000);
    own.close();
  });

  test('without one says that members prove nothing', () => {
    path = '';
    const log: string[] = [];
    expect(proof(log).security.kind).toBe('open');
    expect(log.join()).toContain('SECURITY: there is no --cluster-secret-file');
  });
});
