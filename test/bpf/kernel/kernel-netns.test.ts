/**
 * Five hosts, each a network namespace with a veth on one bridge: the coordinator's kernel fans out
 * to a multicast destination, Ethernet addresses come from the neighbour table. All names are this
 * process's own; everything lives in the namespaces and goes with them.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ABSENT_ROUNDS_MAX } from '../../../bpf/path/udp-link.ts';
import type { CoordinatorPlan } from '../children/coordinator.ts';
import {
  compileHelper,
  type EchoPeer,
  startEchoPeer,
  stopChild,
  waitForLine,
} from '../native-helpers.ts';
import type { RoundOutcome } from '../round-runner.ts';
import { kernelSupport, keyBytes } from '../support.ts';

const hosts = 5;
const prefix = `hf${process.pid}`;
const port = 7300;
const coordinatorScript = join(import.meta.dirname, '../children/coordinator.ts');

function ip(...args: string[]): boolean {
  return spawnSync('ip', args, { stdio: 'ignore' }).status === 0;
}

function namespace(host: number | 'sw'): string {
  return `${prefix}-${host}`;
}

/** `ip netns exec` hides the file systems below /sys; nsenter leaves them. */
function enter(host: number | 'sw'): string[] {
  return ['nsenter', `--net=/run/netns/${namespace(host)}`];
}

function makeHosts(): boolean {
  const sw = namespace('sw');
  let ok = ip('netns', 'add', sw);
  ok &&= ip('-n', sw, 'link', 'add', 'br0', 'type', 'bridge', 'stp_state', '0');
  ok &&= ip('-n', sw, 'link', 'set', 'br0', 'up');
  for (let host = 1; host <= hosts; host += 1) {
    const name = namespace(host);
    ok &&= ip('netns', 'add', name);
    const peer = ['peer', 'name', 'eth0', 'netns', name];
    ok &&= ip('-n', sw, 'link', 'add', `p${host}`, 'type', 'veth', ...peer);
    ok &&= ip('-n', sw, 'link', 'set', `p${host}`, 'master', 'br0', 'up');
    ok &&= ip('-n', name, 'addr', 'add', `10.77.0.${host}/24`, 'dev', 'eth0');
    ok &&= ip('-n', name, 'link', 'set', 'eth0', 'up');
    ok &&= ip('-n', name, 'link', 'set', 'lo', 'up');
  }
  return ok;
}

function removeHosts(): void {
  for (let host = 1; host <= hosts; host += 1) ip('netns', 'del', namespace(host));
  ip('netns', 'del', namespace('sw'));
}

const { addon, reason } = kernelSupport();
const possible = addon !== undefined && process.getuid?.() === 0;
if (!possible) console.log(`skipped, no network namespaces here: ${reason ?? 'not root'}`);

interface Report {
  readonly ready: boolean;
  readonly outcome: RoundOutcome;
  readonly counters: Record<string, number>;
  readonly fanOut: string;
  readonly tooLarge: string;
  readonly frameBytesMax: number;
  readonly reattached: number;
}

describe.skipIf(!possible)('hosts on a bridge', () => {
  const peers: EchoPeer[] = [];
  let coordinator: ChildProcess | undefined;

  let made = false;
  // Not earlier: where all tests here are skipped, nothing would remove them.
  beforeAll(async () => {
    made = makeHosts();
    if (!made) return;
    for (let host = 2; host <= hosts; host += 1) {
      const peer = { sender: host, address: `10.77.0.${host}`, port };
      peers.push(await startEchoPeer(peer, keyBytes, enter(host)));
    }
  });
  beforeEach(({ skip }) => skip(!made, 'ip or nsenter refused'));
  afterEach(async () => {
    if (coordinator !== undefined) await stopChild(coordinator, 'SIGKILL');
  });
  afterAll(async () => {
    for (const { child } of peers) await stopChild(child, 'SIGKILL');
    removeHosts();
  });

  async function coordinate(fields: Partial<CoordinatorPlan>): Promise<Report> {
    const plan: CoordinatorPlan = {
      interfaceName: 'eth0',
      address: '10.77.0.1',
      port,
      members: peers.map(({ sender, address }) => ({ sender, address, port })),
      rounds: 200,
      need: 3,
      bodyBytes: 200,
      ...fields,
    };
    const [command, ...args] = enter(1);
    if (command === undefined) throw new Error('no command');
    coordinator = spawn(
      command,
      [...args, process.execPath, '--import', 'tsx', coordinatorScript, JSON.stringify(plan)],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    return JSON.parse(await waitForLine(coordinator, '{'));
  }

  const good = { quorums: 200, lost: 0, wrong: 0, sends: { fannedOut: 200 } };

  test('four peers, a quorum of three, TCX and socket filter', async () => {
    const report = await coordinate({});
    expect(report).toMatchObject({ ready: true, fanOut: 'tcx', outcome: good });
    expect(report.counters).toMatchObject({ fan_outs: 200, clones: 600, clone_errors: 0 });
    expect(report.counters).toMatchObject({ quorums: 200, passed: 0, foreign: 0, tampered: 0 });
    // The interface's MTU is the limit, and it is said rather than fragmented.
    expect(report).toMatchObject({ frameBytesMax: 1472, tooLarge: 'tooLarge' });
  });

  test('checksums that are really computed and verified, up to a full frame', async () => {
    const ports = Array.from({ length: hosts }, (_, index) => `p${index + 1}`);
    const [command, ...args] = [...enter('sw'), compileHelper('checksum-off'), ...ports];
    if (command === undefined) throw new Error('no command');
    expect(spawnSync(command, args, { encoding: 'utf8' }).stderr).toBe('');
    const report = await coordinate({ bodyBytes: 1392, rounds: 50 });
    expect(report.outcome).toEqual({ ...good, quorums: 50, sends: { fannedOut: 50 } });
  });

  test('native XDP as fan-in', async () => {
    const report = await coordinate({ fanIn: 'xdp', members: members(2), need: 2 });
    expect(report.outcome).toEqual(good);
    expect(report.counters).toMatchObject({ quorums: 200, votes: 400, dropped: 400 });
  });

  test('clsact as fan-out: one left by a crash is replaced, and close removes it', async () => {
    const filters = (): string =>
      spawnSync('tc', ['-n', namespace(1), 'filter', 'show', 'dev', 'eth0', 'egress'], {
        encoding: 'utf8',
      }).stdout;
    await coordinate({ fanOut: 'clsact', hold: true });
    if (coordinator !== undefined) await stopChild(coordinator, 'SIGKILL');
    expect(filters()).toMatch(/hf_fan_out/);
    const report = await coordinate({ fanOut: 'clsact' });
    expect(report).toMatchObject({ fanOut: 'clsact', outcome: good });
    expect(report.counters).toMatchObject({ fan_outs: 200 });
    await new Promise((resolve) => coordinator?.once('exit', resolve));
    expect(filters()).toBe('');
  });

  test('clsact removed from outside, qdisc and all: attached again, no round is lost', async () => {
    const remove = ['tc', 'qdisc', 'del', 'dev', 'eth0', 'clsact'];
    const report = await coordinate({ fanOut: 'clsact', remove });
    expect(report).toMatchObject({ fanOut: 'clsact', reattached: 1 });
    const { quorums, lost, wrong, sends } = report.outcome;
    expect([quorums, lost, wrong]).toEqual([200, 0, 0]);
    const { fannedOut = 0, sendmmsg = 0 } = sends;
    // Half of the rounds before, some by hand, and the rest through the kernel again.
    expect(sendmmsg).toBeGreaterThanOrEqual(ABSENT_ROUNDS_MAX);
    expect(fannedOut).toBeGreaterThan(150);
    expect(fannedOut + sendmmsg).toBe(200);
    expect(report.counters).toMatchObject({ fan_outs: fannedOut, quorums: 200 });
  });

  test('a member that does not answer ARP: rounds go out by hand, none is lost', async () => {
    const absent = { sender: 9, address: '10.77.0.99', port };
    const report = await coordinate({ members: [...members(3), absent], rounds: 30 });
    expect(report.ready).toBe(false);
    expect(report.outcome).toMatchObject({ quorums: 30, lost: 0, wrong: 0 });
    expect(report.outcome.sends).toEqual({ sendmmsg: 30 });
  });

  function members(count: number): { sender: number; address: string; port: number }[] {
    return peers.slice(0, count).map(({ sender, address }) => ({ sender, address, port }));
  }
});
