import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { groupsOf } from '../../../../actors/meta/topology.ts';
import {
  clusterIdOf,
  DataDirectory,
  DataDirectoryError,
  type DataDirectoryOptions,
  isDataDirectory,
} from '../../../../actors/process/disk/data-directory.ts';
import { formTopology, ignoredFlags } from '../../../../actors/process/disk/kept-topology.ts';
import { NOT_FORMED } from '../../../../transport/peer/handshake.ts';
import { firstGroup } from '../../accord/first-group.ts';

const members = [
  { id: 1, host: 'a', port: 1 },
  { id: 2, host: 'b', port: 2 },
  { id: 3, host: 'c', port: 3 },
];
const electorate = [1, 2, 3];
let root: string;
let path: string;
const opened: DataDirectory[] = [];
const children: ChildProcess[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holo-data-'));
  path = join(root, 'node-1');
});

afterEach(() => {
  for (const directory of opened.splice(0)) {
    directory.close();
  }
  for (const child of children.splice(0)) {
    child.kill('SIGKILL');
  }
  rmSync(root, { recursive: true, force: true });
});

function open(changes: Partial<DataDirectoryOptions> = {}): DataDirectory {
  const directory = DataDirectory.open({
    ...{
      path,
      nodeId: 1,
      members,
      electorate,
      initialRanges: 1,
      replicationFactor: 9,
      rangesMax: 8,
      closingMax: 2,
    },
    ...changes,
  });
  opened.push(directory);
  return directory;
}

function failure(changes: Partial<DataDirectoryOptions> = {}): DataDirectoryError {
  try {
    open(changes);
  } catch (error) {
    expect(error).toBeInstanceOf(DataDirectoryError);
    expect((error as Error).message).not.toContain('\n');
    return error as DataDirectoryError;
  }
  throw new Error('the directory was opened');
}

function identity(): Record<string, unknown> {
  return JSON.parse(readFileSync(join(path, 'identity.json'), 'utf8'));
}

function hello(nodeId: number, disk: string) {
  return {
    ...{ clusterId: 'c', nodeId, diskId: disk.repeat(16), incarnation: 1, unitWriteBytesMax: 1 },
    formedId: 'dd'.repeat(16),
  };
}

describe('identity', () => {
  test('a new directory gets one, a restart keeps it and counts', () => {
    const first = open();
    expect(first.isNew).toBe(true);
    expect(first.hello).toMatchObject({ nodeId: 1, incarnation: 1 });
    expect(first.hello.diskId).toMatch(/^[0-9a-f]{32}$/);
    expect(first.hello.clusterId).toBe(clusterIdOf(members, electorate));
    first.close();
    const second = open();
    expect(second.isNew).toBe(false);
    expect(second.hello).toEqual({ ...first.hello, incarnation: 2 });
    expect(readdirSync(path).sort()).toEqual(['identity.json', 'lock']);
  });

  test('two directories never have the same disk', () => {
    expect(open().hello.diskId).not.toBe(open({ path: join(root, 'other') }).hello.diskId);
  });

  test('that of another node or another cluster is refused by name', () => {
    open().close();
    expect(failure({ nodeId: 2 })).toMatchObject({
      code: 'HOLO_DATA_OTHER_NODE',
      message:
        `data directory ${path} belongs to node 1, not to node 2: ` +
        '--node-id or --data-dir is wrong',
    });
    const others = [...members.slice(0, 2), { id: 3, host: 'elsewhere', port: 3 }];
    const error = failure({ members: others });
    expect(error.code).toBe('HOLO_DATA_OTHER_CLUSTER');
    expect(error.message).toContain('1@a:1,2@b:2,3@c:3');
    expect(failure({ electorate: [1, 2] }).code).toBe('HOLO_DATA_OTHER_CLUSTER');
  });

  test('a refused directory is left as it was, and unlocked', () => {
    open().close();
    const before = identity();
    failure({ nodeId: 2 });
    expect(identity()).toEqual(before);
    expect(open().hello.incarnation).toBe(2);
  });

  test('a newer format, and damage', () => {
    open().close();
    writeFileSync(join(path, 'identity.json'), JSON.stringify({ ...identity(), format: 3 }));
    expect(failure().code).toBe('HOLO_DATA_NEWER_FORMAT');
    writeFileSync(join(path, 'identity.json'), JSON.stringify({ format: 1 }));
    expect(failure()).toMatchObject({
      code: 'HOLO_DATA_OLDER_FORMAT',
      message: expect.stringContaining('has format 1, this version reads only 2'),
    });
    for (const content of ['', 'null', '{}', '{"format":2,"clusterId":"x"}']) {
      writeFileSync(join(path, 'identity.json'), content);
      expect(failure().code).toBe('HOLO_DATA_DAMAGED');
    }
  });

  test("a directory with another owner's files is not touched", () => {
    mkdirSync(path);
    writeFileSync(join(path, 'thesis.tex'), 'x');
    const error = failure();
    expect(error.code).toBe('HOLO_DATA_NOT_EMPTY');
    expect(error.message).toContain('thesis.tex');
    expect(readdirSync(path)).toEqual(['thesis.tex']);
    expect(isDataDirectory(path)).toBe(false);
  });

  test('files left by a crash during the first start do no harm', () => {
    mkdirSync(path);
    writeFileSync(join(path, 'identity.json.new'), '{"for');
    writeFileSync(join(path, 'lock.4711'), '{');
    expect(open().isNew).toBe(true);
    expect(isDataDirectory(path)).toBe(true);
  });

  test('a path that is a file is one clear error', () => {
    writeFileSync(path, '');
    expect(failure().code).toBe('HOLO_DATA_UNUSABLE');
  });
});

describe('the topology', () => {
  function put(changes: object): void {
    const kept = JSON.parse(String(identity()['topology']));
    const topology = JSON.stringify({ ...kept, ...changes });
    writeFileSync(join(path, 'identity.json'), JSON.stringify({ ...identity(), topology }));
  }

  const sizes = { initialRanges: 3, replicationFactor: 9, rangesMax: 8, closingMax: 2 };
  const options = { members, electorate, ...sizes };
  const topology = formTopology(options, 'ab'.repeat(16));

  /** As a node whose cluster has been formed. */
  function formed(): DataDirectory {
    const directory = open();
    directory.formed(topology);
    return directory;
  }

  test('is there once the cluster is formed; from then on the settings say nothing about it', () => {
    const first = open();
    expect([first.topology, first.hello.formedId]).toEqual([undefined, NOT_FORMED]);
    first.formed(topology);
    expect(first.hello.formedId).toBe('ab'.repeat(16));
    first.close();
    const second = open({ initialRanges: 1, rangesMax: 9 });
    expect(second.topology).toEqual(topology);
    expect(second.hello.formedId).toBe('ab'.repeat(16));
  });

  test('flags that differ from it are named', () => {
    expect(ignoredFlags(options, topology)).toEqual([]);
    expect(ignoredFlags({ ...options, initialRanges: 1, closingMax: 3 }, topology)).toEqual([
      '--initial-ranges',
      '--closing-max',
    ]);
    const others = { ...options, rangesMax: 9, replicationFactor: 1 };
    expect(ignoredFlags(others, topology)).toEqual(['--replication-factor', '--ranges-max']);
  });

  test('has ranges of all keys, and the meta group', () => {
    const one = formTopology({ ...options, initialRanges: 1 }, 'ab'.repeat(16));
    const [keys, meta, ...others] = groupsOf(one, 1);
    expect(keys).toEqual(firstGroup([1, 2, 3], electorate));
    expect(meta).toMatchObject({ machine: 'meta', members: [1, 2, 3], electorate });
    expect(others).toEqual([]);
  });

  test.each([
    ['that is damaged', { epoch: 0 }, 'HOLO_DATA_DAMAGED'],
    ['that has no id', { clusterId: 'x' }, 'HOLO_DATA_DAMAGED'],
  ])('one %s is refused', (_what, changes, code) => {
    formed().close();
    put(changes);
    expect(failure()).toMatchObject({ code, message: expect.stringContaining('topology') });
  });

  test('a behaviour level that this version does not know is refused', () => {
    formed().close();
    const nodes = topology.nodes.map((node) => ({ ...node, behaviourMax: 2 }));
    put({ nodes, behaviourLevel: 2 });
    expect(failure()).toMatchObject({
      code: 'HOLO_DATA_NEWER_FORMAT',
      message: expect.stringContaining('behaviour level 2'),
    });
  });

  test('so is one to which it was raised later', () => {
    const directory = formed();
    directory.behavesAt(1);
    expect(identity()).not.toHaveProperty('behaviourLevel');
    expect(() => directory.behavesAt(2)).toThrow('run a newer one');
    directory.close();
    const { checksum: _checksum, ...raised } = identity();
    Object.assign(raised, { behaviourLevel: 2 });
    writeFileSync(join(path, 'identity.json'), JSON.stringify(raised));
    expect(failure().code).toBe('HOLO_DATA_NEWER_FORMAT');
  });
});

describe('the name of the cluster', () => {
  test('does not depend on order, but on ids, addresses and electorate', () => {
    const name = clusterIdOf(members, electorate);
    expect(name).toMatch(/^[0-9a-f]{32}$/);
    expect(clusterIdOf([...members].reverse(), [3, 2, 1])).toBe(name);
    expect(clusterIdOf(members.slice(0, 2), [1, 2])).not.toBe(name);
    expect(clusterIdOf(members, [1, 2])).not.toBe(name);
  });
});

describe('the disks of peers', () => {
  test('the first one is remembered across restarts, another one is refused', () => {
    const first = open();
    expect(first.verifyPeer(hello(2, 'aa'))).toBeUndefined();
    expect(first.verifyPeer(hello(2, 'aa'))).toBeUndefined();
    expect(first.verifyPeer(hello(3, 'cc'))).toBeUndefined();
    first.close();
    const second = open();
    expect(second.verifyPeer(hello(2, 'aa'))).toBeUndefined();
    expect(second.verifyPeer(hello(2, 'bb'))).toMatch(/was replaced or emptied/);
    expect(second.verifyPeer(hello(3, 'cc'))).toBeUndefined();
  });

  test('a refusal names no disk: the peer reads it, and would be believed by the right one', () => {
    const directory = open();
    directory.verifyPeer(hello(2, 'aa'));
    expect(directory.verifyPeer(hello(2, 'bb'))).not.toMatch(/aaaa|bbbb/);
  });

  test('the highest incarnation of a peer is remembered across restarts', () => {
    const first = open();
    first.verifyPeer({ ...hello(2, 'aa'), incarnation: 5 });
    first.verifyPeer({ ...hello(2, 'aa'), incarnation: 9 });
    first.close();
    expect(open().peerIncarnations).toEqual(new Map([[2, 9]]));
  });

  test('a peer that is known is let in although its incarnation cannot be written down', () => {
    const directory = open();
    directory.verifyPeer({ ...hello(2, 'aa'), incarnation: 5 });
    rmSync(path, { recursive: true });
    expect(directory.verifyPeer({ ...hello(2, 'aa'), incarnation: 6 })).toBeUndefined();
    expect(directory.peerIncarnations.get(2)).toBe(6);
  });

  test('a disk that cannot be written down is refused', () => {
    const directory = open();
    rmSync(path, { recursive: true });
    expect(directory.verifyPeer(hello(2, 'aa'))).toMatch(/could not be written down/);
  });
});

describe('the lock', () => {
  test('a second opening is refused, and names the process', () => {
    open();
    expect(failure()).toMatchObject({
      code: 'HOLO_DATA_LOCKED',
      message:
        `data directory ${path} is in use by another node (process ${process.pid}): end that one, ` +
        'or give each node a directory of its own with --data-dir',
    });
  });

  test('closing gives it back, twice is harmless', () => {
    const first = open();
    first.close();
    const second = open();
    first.close();
    second.close();
    expect(readdirSync(path)).toEqual(['identity.json']);
  });

  test('held by another process: refused while it lives, free after kill -9', async () => {
    const script = `
      const { DataDirectory } = await import(${JSON.stringify(resolve('actors/process/disk/data-directory.ts'))});
      DataDirectory.open(${JSON.stringify({ path, nodeId: 1, members, electorate, initialRanges: 1, replicationFactor: 9, rangesMax: 8, closingMax: 2 })});
      process.stdout.write('open');
      setInterval(() => undefined, 1000);`;
    const args = ['--import', 'tsx', '--input-type=module', '-e', script];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    await once(child.stdout, 'data');
    expect(failure().message).toContain(`process ${child.pid}`);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(open().hello.incarnation).toBe(2);
  });

  test('a process id that was used again is not taken for the owner', () => {
    open().close();
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const lock = { pid: process.pid, started: '1', boot };
    writeFileSync(join(path, 'lock'), JSON.stringify(lock));
    expect(open().hello.incarnation).toBe(2);
  });

  test('a lock from before the machine was started, and a damaged one, are free', () => {
    open().close();
    const content = JSON.stringify({ pid: process.pid, started: '', boot: 'an older one' });
    for (const [index, lock] of [content, '', '{"pid":1'].entries()) {
      writeFileSync(join(path, 'lock'), lock);
      const directory = open();
      expect(directory.hello.incarnation).toBe(2 + index);
      directory.close();
    }
  });
});
