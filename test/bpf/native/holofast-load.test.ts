/**
 * Nodes without privileges: pins of `holofast-load` serve them, exactly the three capabilities of
 * the manual serve them too, and without either they are told so. Real processes as user 65534; the
 * BPF file system is one of our own. All names and ports are this process's own.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { unpin } from '../../../bpf/native/holofast-load.ts';
import {
  BridgedHosts,
  endsAtOnce,
  hasTool,
  holostore,
  localHosts,
  RealCluster,
  type RealNode,
} from '../real-cluster.ts';
import { kernelSupport } from '../support.ts';

const portBase = 27_400 + (process.pid % 80) * 64;
const nobody = 65_534;
const asNobody = ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups'];
const withoutCapabilities = [...asNobody, '--inh-caps=-all', '--bounding-set=-all'];
const theThree = '-all,+bpf,+net_admin,+perfmon';
const withTheThree = [
  ...asNobody,
  ...['inh-caps', 'ambient-caps', 'bounding-set'].map((set) => `--${set}=${theThree}`),
];
/** CAP_NET_ADMIN 12, CAP_PERFMON 38, CAP_BPF 39. */
const theThreeAsMask = (1n << 12n) | (1n << 38n) | (1n << 39n);
/** Whole clusters start and serve beside whatever else the machine does. */
const timeoutMs = 90_000;
const load = ['-t', 'set', '-r', '1000', '-c', '8', '-n', '600'];

const { addon, reason } = kernelSupport();
const isRoot = process.getuid?.() === 0;
const tools = ['setpriv', 'redis-cli', 'redis-benchmark'].filter((name) => !hasTool(name));

/** Where a BPF file system of our own is mounted; undefined where that is refused. */
function mountOwn(): string | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'holofast-load-'));
  if (spawnSync('mount', ['-t', 'bpf', 'bpf', directory]).status === 0) {
    chmodSync(directory, 0o755);
    return directory;
  }
  rmdirSync(directory);
  return undefined;
}

const possible = addon !== undefined && isRoot && tools.length === 0;
if (!possible) {
  const why = isRoot ? `missing: ${tools.join(', ')}` : 'not root';
  console.log(`skipped, no nodes without privileges: ${reason ?? why}`);
}

let mount = '';
// Not earlier: where all tests here are skipped, nothing would remove it.
beforeAll(() => {
  if (possible) mount = mountOwn() ?? '';
});
beforeEach(({ skip }) => skip(mount === '', 'no BPF file system can be mounted here'));
afterAll(() => {
  if (mount === '') return;
  spawnSync('umount', [mount]);
  rmdirSync(mount);
});

/** The kernel puts two files of its own into every BPF file system. */
function pinnedNow(): string[] {
  return readdirSync(mount).filter((name) => !name.endsWith('.debug'));
}

function pin(directory: string, owner = nobody): { status: number | null; stderr: string } {
  const user = [`--uid=${owner}`, `--gid=${owner}`];
  return holostore([], 'holofast-load', '--interface=lo', `--directory=${directory}`, ...user);
}

function ofProcess(node: RealNode, field: string): string {
  const status = readFileSync(`/proc/${node.child.pid}/status`, 'latin1');
  return new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '';
}

/** The capabilities that any thread of the node has, or could take. */
function held(node: RealNode): bigint {
  const tasks = `/proc/${node.child.pid}/task`;
  const sets = readdirSync(tasks).flatMap((task) => {
    const status = readFileSync(`${tasks}/${task}/status`, 'latin1');
    return [...status.matchAll(/^Cap(?:Inh|Prm|Eff|Amb):\s*(\w+)$/gm)].map(([, set]) => set);
  });
  return sets.reduce((sum, set) => sum | BigInt(`0x${set}`), 0n);
}

function counted(cluster: RealCluster, name: string): number {
  return Number(cluster.holofast(cluster.first)[name]);
}

describe.skipIf(!possible)('user 65534', { timeout: timeoutMs }, () => {
  let cluster: RealCluster | undefined;

  afterEach(async () => {
    await cluster?.stop();
    cluster = undefined;
    if (mount === '') return;
    for (const name of pinnedNow()) unpin(join(mount, name));
  });

  test('with pins: counts in the kernel; --unload leaves nothing behind', async () => {
    const native = addon;
    if (native === undefined) return;
    const directories = [1, 2, 3].map((id) => join(mount, `node-${id}`));
    for (const directory of directories) {
      expect(pin(directory)).toMatchObject({ status: 0, stderr: '' });
    }
    const programs = directories.map((directory) => {
      const handle = native.openPinned(directory);
      const { fanOutProgram } = native.ids(handle);
      native.close(handle);
      return fanOutProgram;
    });
    cluster = await RealCluster.start({
      hosts: localHosts(3).map((host) => ({ ...host, enter: withoutCapabilities })),
      portBase,
      modes: ['kernel'],
      nodeFlags: directories.map((directory) => [`--holofast-pins=${directory}`]),
      owner: nobody,
    });
    const node = cluster.first;
    expect(ofProcess(node, 'Uid').split('\t')).toEqual(Array(4).fill(String(nobody)));
    expect([ofProcess(node, 'CapEff'), ofProcess(node, 'CapPrm')]).toEqual(
      Array(2).fill('0000000000000000'),
    );
    await cluster.benchmark(node, load);
    const fields = cluster.holofast(node);
    expect(fields).toMatchObject({
      tier: 'kernel',
      reason: `the programs pinned in ${directories[0]}`,
      kernel_clone_errors: '0',
      kernel_tampered: '0',
    });
    expect(Number(fields['kernel_quorums'])).toBeGreaterThan(30);
    expect(Number(fields['fanned_out'])).toBeGreaterThan(50);
    expect(fields['kernel_fan_outs']).toBe(fields['fanned_out']);

    // Unloaded below a node that runs: it goes on by hand.
    const absent = Number(fields['kernel_absent']);
    for (const directory of directories) {
      const ended = holostore([], 'holofast-load', `--directory=${directory}`, '--unload');
      expect(ended).toMatchObject({ status: 0, stderr: '' });
    }
    expect(pinnedNow()).toEqual([]);
    await cluster.benchmark(node, load);
    expect(counted(cluster, 'kernel_absent')).toBeGreaterThan(absent);
    const running = cluster;
    await expect
      .poll(() => running.holofast(node), { timeout: 5_000 })
      .toMatchObject({
        reachable: '2',
        reattached: '0',
        reason: expect.stringMatching(/was pinned, and only holofast-load can attach it$/),
      });

    await cluster.stop();
    const alive = (): number[] => programs.filter((id) => native.programAlive(id));
    for (let i = 0; i < 100 && alive().length > 0; i += 1) await sleep(20);
    expect(alive()).toEqual([]);
  });

  test('with exactly CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON: loads it, and drops them', async () => {
    cluster = await RealCluster.start({
      hosts: localHosts(3).map((host) => ({ ...host, enter: withTheThree })),
      portBase,
      modes: ['kernel'],
      owner: nobody,
    });
    expect(BigInt(`0x${ofProcess(cluster.first, 'CapBnd')}`)).toBe(theThreeAsMask);
    // Dropped after loading: a new process begins with them again.
    await cluster.kill(cluster.first);
    cluster.restart(cluster.first);
    await cluster.ready();
    const { nodes } = cluster;
    // A thread that sleeps in the disk follows when it wakes.
    await expect.poll(() => nodes.map(held), { timeout: 10_000 }).toEqual([0n, 0n, 0n]);
    const node = cluster.first;
    // Its log comes through a pipe.
    const output = (): string => node.output;
    await expect
      .poll(output, { timeout: 10_000 })
      .toContain('the process has dropped its capabilities');
    await cluster.benchmark(node, load);
    expect(cluster.holofast(node)['reason']).toMatch(/self-test passed/);
    expect(counted(cluster, 'kernel_quorums')).toBeGreaterThan(30);
    expect(counted(cluster, 'fanned_out')).toBeGreaterThan(50);
  });

  test.each(['bpf', 'net_admin', 'perfmon'])('without %s of the three: refused', (missing) => {
    const sets = ['inh-caps', 'ambient-caps', 'bounding-set'];
    const caps = theThree.replace(`,+${missing}`, '');
    refuses([...asNobody, ...sets.map((set) => `--${set}=${caps}`)]);
  });

  test('with neither pins nor capabilities: one clear line', () => {
    refuses(withoutCapabilities);
  });

  function refuses(enter: readonly string[]): void {
    const { status, fatal } = endsAtOnce(portBase, enter, ['--holofast=kernel'], nobody);
    expect(status).toBe(1);
    expect(fatal).toHaveLength(1);
    expect(fatal[0]).toContain(
      '--holofast kernel cannot be: CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are needed',
    );
  }

  test('cannot load: refused with one line, and nothing is pinned', () => {
    const open = join(mount, 'open');
    mkdirSync(open);
    chownSync(open, nobody, nobody);
    const directory = join(open, 'node');
    const args = ['holofast-load', '--interface=lo', `--directory=${directory}`];
    const ended = holostore(withoutCapabilities, ...args);
    expect(ended.status).toBe(1);
    expect(ended.stderr.trim().split('\n')).toHaveLength(1);
    expect(ended.stderr).toMatch(/^holostore: .*not permitted/);
    expect(readdirSync(open)).toEqual([]);
  });
});

describe.skipIf(!possible)('the loader', () => {
  test('refuses a directory that is on no BPF file system, and leaves none', () => {
    const directory = join(tmpdir(), `holofast-no-bpf-${process.pid}`);
    const ended = pin(directory);
    expect(ended.status).toBe(1);
    expect(ended.stderr.trim().split('\n')).toHaveLength(1);
    expect(existsSync(directory)).toBe(false);
  });

  test('unloads nothing that it has not pinned', () => {
    const directory = mkdtempSync(join(tmpdir(), 'holofast-not-ours-'));
    writeFileSync(join(directory, 'groups'), '');
    writeFileSync(join(directory, 'precious'), '');
    const ended = holostore([], 'holofast-load', `--directory=${directory}`, '--unload');
    expect(ended.status).toBe(1);
    expect(ended.stderr).toContain('precious is not of holofast-load');
    expect(readdirSync(directory)).toEqual(['groups', 'precious']);
    rmSync(directory, { recursive: true });
    const again = holostore([], 'holofast-load', `--directory=${directory}`, '--unload');
    expect(again).toMatchObject({ status: 0, stderr: '' });
  });
});

const bridged = new BridgedHosts(3, `hl${process.pid}`);

describe.skipIf(!possible || !hasTool('nsenter'))(
  'auto across hosts',
  { timeout: timeoutMs },
  () => {
    let cluster: RealCluster | undefined;

    let made = false;
    beforeAll(() => {
      made = bridged.make();
    });
    beforeEach(({ skip }) => skip(!made, 'no network namespaces here'));
    afterAll(async () => {
      await cluster?.stop();
      bridged.remove();
    });

    test('as user 65534: serves over TCP, and says why', async () => {
      cluster = await RealCluster.start({
        hosts: bridged.hosts.map(({ address, enter }) => ({
          address,
          enter: [...enter, ...withoutCapabilities],
        })),
        portBase,
        modes: ['auto'],
        owner: nobody,
      });
      expect(cluster.holofast(cluster.first)).toMatchObject({
        tier: 'off',
        reason:
          'no kernel part (CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are needed), ' +
          'and without it TCP is cheaper',
      });
      await cluster.benchmark(cluster.first, load);
    });
  },
);
