/**
 * End to end on `lo`: rounds through the kernel's fan-out and fan-in, three nodes that are both
 * coordinator and replica, larger electorates, large frames; and the kernel part going away.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { encodeBareOk, FRAME_FLAG, frameFlags } from '../../../bpf/frame/frame.ts';
import { GROUP_MEMBERS_MAX, type GroupMember } from '../../../bpf/frame/layout.ts';
import { KernelHoloFast } from '../../../bpf/native/holofast.ts';
import type { NativeAddon } from '../../../bpf/native/native.ts';
import { probe } from '../../../bpf/native/probe.ts';
import {
  ABSENT_ROUNDS_MAX,
  RETRY_KERNEL_EVERY_ROUNDS,
  UdpLink,
} from '../../../bpf/path/udp-link.ts';
import { type RoundOutcome, type RoundPlan, runRounds } from '../round-runner.ts';
import { bitmap, kernelSupport, key, keyBytes } from '../support.ts';

const { addon, reason } = kernelSupport();
const address = '127.0.0.1';
const group = 1;

interface Node {
  readonly sender: number;
  readonly link: UdpLink;
  readonly kernel: KernelHoloFast | undefined;
  /** Plain replies that came up to user space although the kernel should have kept them. */
  bareOksSeen: number;
}

const nodes: Node[] = [];

/** A node that answers every request plainly; with a kernel part it coordinates as well. */
async function startNode(native: NativeAddon, sender: number, tier: 0 | 2): Promise<Node> {
  const kernel =
    tier === 2
      ? KernelHoloFast.open({
          addon: native,
          interfaceName: 'lo',
          address,
          port: 0,
          keys: [keyBytes],
          firstGeneration: 1,
        })
      : undefined;
  const node: Node = {
    sender,
    kernel,
    bareOksSeen: 0,
    link: await UdpLink.open({
      address,
      port: 0,
      keys: [keyBytes],
      onFrame: (frame, from) => {
        if (frameFlags(frame) === FRAME_FLAG.plain) node.bareOksSeen += 1;
        else node.link.send(encodeBareOk(frame, sender, key), from);
      },
      ...(kernel === undefined ? {} : { addon: native, kernel, notifier: kernel.notifier }),
    }),
  };
  nodes.push(node);
  return node;
}

function meet(): void {
  const all: GroupMember[] = nodes.map(({ sender, link }) => ({
    sender,
    address,
    port: link.port,
  }));
  for (const { sender, link } of nodes) {
    const others = all.filter((member) => member.sender !== sender);
    link.setGroup(group, others);
  }
}

function plan(node: Node, fields: Partial<RoundPlan> = {}): RoundPlan {
  const others = nodes.filter((other) => other !== node).map((other) => other.sender);
  return {
    rounds: 200,
    inFlight: 8,
    group,
    electorate: bitmap(others),
    need: others.length,
    bodyBytes: 100,
    sender: node.sender,
    ...fields,
  };
}

function run(node: Node, fields: Partial<RoundPlan> = {}): Promise<RoundOutcome> {
  if (node.kernel === undefined) throw new Error('not a coordinator');
  return runRounds(node.link, node.kernel.notifier, plan(node, fields));
}

afterEach(async () => {
  for (const { link, kernel } of nodes.splice(0)) {
    await link.close();
    kernel?.close();
  }
});

describe.skipIf(addon === undefined)(`on lo ${reason ?? ''}`, () => {
  const native = addon as NativeAddon;
  const good = (rounds: number): RoundOutcome => ({
    quorums: rounds,
    lost: 0,
    wrong: 0,
    sends: { fannedOut: rounds },
  });

  test('the probe finds tier 2', () => {
    expect(probe()).toEqual({ tier: 2, reason: expect.stringMatching(/self-test passed/) });
  });

  test('three nodes, each coordinator and replica, all at once', async () => {
    for (const sender of [0, 1, 2]) await startNode(native, sender, 2);
    meet();
    const outcomes = await Promise.all(nodes.map((node) => run(node)));
    expect(outcomes).toEqual([good(200), good(200), good(200)]);
    for (const node of nodes) {
      const counters = node.kernel?.counters();
      expect(counters).toMatchObject({ fan_outs: 200, clones: 200, clone_errors: 0 });
      expect(counters).toMatchObject({ quorums: 200, votes: 400, dropped: 400, duplicates: 0 });
      expect(counters).toMatchObject({ stale: 0, foreign: 0, tampered: 0, ring_full: 0 });
      expect(node.bareOksSeen + node.link.counters.framesCounted).toBe(0);
      const rejected = Object.values(node.link.counters.rejected);
      expect(rejected.reduce((sum, count) => sum + count)).toBe(0);
    }
  });

  test.each([
    [5, 3],
    [7, 4],
  ])('RF %i, a quorum of %i peers', async (replicas, need) => {
    const coordinator = await startNode(native, 0, 2);
    for (let sender = 1; sender < replicas; sender += 1) await startNode(native, sender, 0);
    meet();
    expect(await run(coordinator, { need })).toEqual(good(200));
    expect(coordinator.kernel?.counters()).toMatchObject({
      fan_outs: 200,
      clones: 200 * (replicas - 2),
      quorums: 200,
    });
    expect(coordinator.bareOksSeen).toBe(0);
  });

  test.each([0, 1400, 20_000, 50_000])('frames with a body of %i bytes', async (bodyBytes) => {
    const coordinator = await startNode(native, 0, 2);
    await startNode(native, 1, 0);
    await startNode(native, 2, 0);
    meet();
    const outcome = await run(coordinator, { rounds: 20, inFlight: 2, bodyBytes });
    expect(outcome).toEqual(good(20));
  });

  test('a member that is down: the quorum of the others is told', async () => {
    const coordinator = await startNode(native, 0, 2);
    await startNode(native, 1, 0);
    const down = await startNode(native, 2, 0);
    meet();
    await down.link.close();
    expect(await run(coordinator, { rounds: 50, need: 1 })).toEqual(good(50));
  });

  test('the link is removed from outside: sent by hand at once, no round is lost', async () => {
    const coordinator = await startNode(native, 0, 2);
    await startNode(native, 1, 0);
    await startNode(native, 2, 0);
    meet();
    const outcome = await run(coordinator, {
      beforeSend: (round) => {
        if (round === 100) coordinator.kernel?.breakFanOut();
      },
    });
    expect(outcome).toEqual({ ...good(200), sends: { fannedOut: 100, sendmmsg: 100 } });
    // The fan-in is still there, and counts.
    expect(coordinator.kernel?.counters().quorums).toBe(200);
    expect(coordinator.link.counters.kernelAbsent).toBe(100);
    expect(coordinator.link.kernelPresent).toBe(false);

    coordinator.kernel?.reattach();
    const after = await run(coordinator, { rounds: 2 * RETRY_KERNEL_EVERY_ROUNDS });
    expect(after).toMatchObject({ quorums: 2 * RETRY_KERNEL_EVERY_ROUNDS, lost: 0, wrong: 0 });
    expect(after.sends.fannedOut).toBeGreaterThanOrEqual(RETRY_KERNEL_EVERY_ROUNDS);
    expect(coordinator.link.kernelPresent).toBe(true);
  });

  test('an absent kernel is soon asked only now and then', async () => {
    const coordinator = await startNode(native, 0, 2);
    await startNode(native, 1, 0);
    meet();
    coordinator.kernel?.breakFanOut();
    const before = coordinator.kernel?.counters();
    const outcome = await run(coordinator, { rounds: ABSENT_ROUNDS_MAX * 3, need: 1 });
    expect(outcome.sends).toEqual({ sendmmsg: ABSENT_ROUNDS_MAX * 3 });
    expect(coordinator.kernel?.counters().fan_outs).toBe(before?.fan_outs);
  });

  test('unloaded with rounds in flight: no quorum is lost, user space counts on', async () => {
    const coordinator = await startNode(native, 0, 2);
    await startNode(native, 1, 0);
    await startNode(native, 2, 0);
    meet();
    const outcome = await run(coordinator, {
      beforeSend: (round) => {
        if (round === 100) coordinator.kernel?.close();
      },
    });
    expect(outcome).toMatchObject({ quorums: 200, lost: 0, wrong: 0 });
    expect(outcome.sends).toEqual({ fannedOut: 100, sendmmsg: 100 });
  });

  test('a group that the kernel cannot hold goes out by hand', async () => {
    const coordinator = await startNode(native, 0, 2);
    for (let sender = 1; sender <= GROUP_MEMBERS_MAX + 1; sender += 1) {
      await startNode(native, sender, 0);
    }
    meet();
    const outcome = await run(coordinator, { rounds: 20 });
    expect(outcome).toEqual({ quorums: 20, lost: 0, wrong: 0, sends: { sendmmsg: 20 } });
    expect(coordinator.link.counters.kernelAbsent).toBe(0);
  });

  test('a failed open leaves nothing behind', () => {
    const options = { addon: native, address, port: 0, keys: [keyBytes], firstGeneration: 1 };
    expect(() => KernelHoloFast.open({ ...options, interfaceName: 'no-such-if' })).toThrow(
      /interface/,
    );
    expect(() =>
      KernelHoloFast.open({ ...options, interfaceName: 'lo', address: '203.0.113.9' }),
    ).toThrow(/^UDP 203\.0\.113\.9:0: .*Cannot assign/);
    const held = native.udpSocket(address, 0, 0, 0);
    const taken = { ...options, interfaceName: 'lo', port: held.port };
    expect(() => KernelHoloFast.open(taken)).toThrow(
      `UDP ${address}:${held.port}: the port is in use by another process`,
    );
    native.closeFd(held.fd);
    expect(() =>
      KernelHoloFast.open({ ...options, interfaceName: 'lo', keys: [new Uint8Array(3)] }),
    ).toThrow(RangeError);
  });
});
