/** Links of tiers 0 and 1 over `lo`: same frames, what is refused, limits. No privileges. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import { type QuorumEvent, UserspaceQuorumNotifier } from '../../../bpf/count/quorum-notifier.ts';
import {
  encodeBareOk,
  encodeFrame,
  FRAME_FLAG,
  FRAME_HEADER_BYTES,
  FrameKind,
  frameSlot,
} from '../../../bpf/frame/frame.ts';
import { sipKey } from '../../../bpf/frame/siphash.ts';
import { BATCH_FRAMES_MAX, loadAddon } from '../../../bpf/native/native.ts';
import { UdpLink, type UdpLinkOptions } from '../../../bpf/path/udp-link.ts';
import { bareOkFrame, header, kernelSupport, key, keyBytes, round } from '../support.ts';

kernelSupport();
const { addon, reason } = loadAddon();
if (addon === undefined) console.log(`skipped, tier 1 cannot run here: ${reason}`);
const address = '127.0.0.1';
const links: UdpLink[] = [];

async function openLink(tier: 0 | 1, options: Partial<UdpLinkOptions> = {}): Promise<UdpLink> {
  const native = tier === 1 && addon !== undefined ? { addon } : {};
  const link = await UdpLink.open({
    address,
    port: 0,
    keys: [keyBytes],
    onFrame: () => {},
    ...native,
    ...options,
  });
  links.push(link);
  return link;
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('nothing came in five seconds');
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

afterEach(async () => {
  await Promise.all(links.splice(0).map((link) => link.close()));
});

describe.each([0, 1] as const)('tier %i', (tier) => {
  const possible = tier === 0 || addon !== undefined;

  test.skipIf(!possible)('a round: fan-out by hand, plain replies counted, one event', async () => {
    const notifier = new UserspaceQuorumNotifier({ firstGeneration: 1 });
    const quorums: QuorumEvent[] = [];
    notifier.onQuorum = (batch) => quorums.push(...batch);
    const passed: Uint8Array[] = [];
    const coordinator = await openLink(tier, {
      notifier,
      onFrame: (frame) => passed.push(frame),
    });
    const requests: Buffer[] = [];
    const peers = await Promise.all(
      [1, 2, 3].map(async (sender) => {
        const peer = await openLink(tier, {
          onFrame: (frame) => {
            requests.push(Buffer.from(frame));
            peer.send(encodeBareOk(frame, sender, key), 0);
          },
        });
        peer.setGroup(0, [{ sender: 0, address, port: coordinator.port }]);
        return { sender, address, port: peer.port };
      }),
    );
    coordinator.setGroup(3, peers);
    expect(coordinator.tier).toBe(tier);

    const slot = notifier.arm(round({ electorate: 0b1110, need: 2 }));
    if (slot === undefined) throw new Error('no slot');
    const request = encodeFrame(header({ ...slot }), key, Buffer.from('SET a 1'));
    const sent = coordinator.sendGroup(request, 3, slot);
    expect(sent).toBe(tier === 0 ? 'dgram' : 'sendmmsg');
    await until(() => notifier.votes(slot) === 0b1110);
    expect(requests).toHaveLength(3);
    for (const frame of requests) expect(Buffer.compare(frame, request)).toBe(0);
    expect(quorums).toHaveLength(1);
    expect(passed).toEqual([]);
    expect(coordinator.counters.framesCounted).toBe(3);
  });

  test.skipIf(!possible)('replies that are not plain reach onFrame', async () => {
    const seen: number[] = [];
    const receiver = await openLink(tier, { onFrame: (_frame, sender) => seen.push(sender) });
    const sender = await openLink(tier);
    receiver.setGroup(0, [{ sender: 1, address, port: sender.port }]);
    sender.setGroup(0, [{ sender: 2, address, port: receiver.port }]);
    expect(sender.send(bareOkFrame({ flags: 0, sender: 1 }), 2)).toBe(true);
    expect(sender.send(bareOkFrame({ sender: 1 }), 2)).toBe(true);
    await until(() => seen.length === 2);
    expect(seen).toEqual([1, 1]);
  });

  test.skipIf(!possible)(
    'a batch: each frame reaches its own member, strangers get none',
    async () => {
      const sender = await openLink(tier);
      const seen: number[][] = [[], []];
      const receivers = await Promise.all(
        seen.map((list) => openLink(tier, { onFrame: (frame) => list.push(frameSlot(frame)) })),
      );
      receivers.forEach((receiver) => {
        receiver.setGroup(0, [{ sender: 1, address, port: sender.port }]);
      });
      sender.setGroup(
        0,
        receivers.map(({ port }, at) => ({ sender: 2 + at, address, port })),
      );
      const frames = [10, 11, 12, 13].map((slot) => bareOkFrame({ sender: 1, slot }));
      sender.sendBatch([...frames, bareOkFrame({ sender: 1, slot: 99 })], [2, 3, 3, 2, 9]);
      sender.sendBatch([bareOkFrame({ sender: 1, slot: 14 })], [3]);
      await until(() => seen.flat().length === 5);
      expect(seen).toEqual([
        [10, 13],
        [11, 12, 14],
      ]);
    },
  );

  test.skipIf(tier === 0 || !possible)(
    'a member that cannot be reached costs no other its frames',
    async () => {
      const sender = await openLink(tier);
      const seen: number[] = [];
      const receiver = await openLink(tier, { onFrame: (frame) => seen.push(frameSlot(frame)) });
      receiver.setGroup(0, [{ sender: 1, address, port: sender.port }]);
      // To broadcast a socket needs a permission that this one never asks for.
      sender.setGroup(0, [
        { sender: 2, address: '255.255.255.255', port: 9 },
        { sender: 3, address, port: receiver.port },
      ]);
      const frames = [20, 21, 22, 23].map((slot) => bareOkFrame({ sender: 1, slot }));
      sender.sendBatch(frames, [2, 3, 2, 3]);
      expect(sender.sendGroup(bareOkFrame({ sender: 1, slot: 24 }), 0)).toBe('sendmmsg');
      await until(() => seen.length === 3);
      expect([seen, sender.counters.sendErrors]).toEqual([[21, 23, 24], 3]);
    },
  );

  test.skipIf(!possible)('a batch beyond its limit loses nothing', async () => {
    const sender = await openLink(tier);
    const seen: number[] = [];
    const receiver = await openLink(tier, { onFrame: (frame) => seen.push(frameSlot(frame)) });
    receiver.setGroup(0, [{ sender: 1, address, port: sender.port }]);
    sender.setGroup(0, [{ sender: 2, address, port: receiver.port }]);
    const slots = Array.from({ length: BATCH_FRAMES_MAX + 1 }, (_, slot) => slot);
    const frames = slots.map((slot) => bareOkFrame({ sender: 1, slot }));
    sender.sendBatch(
      frames,
      slots.map(() => 2),
    );
    await until(() => seen.length === slots.length);
    expect([seen, sender.counters.sendErrors]).toEqual([slots, 0]);
  });

  test.skipIf(!possible)('a frame that no member has sealed is refused and counted', async () => {
    let received = 0;
    const link = await openLink(tier, { onFrame: () => received++ });
    const stranger = createSocket('udp4');
    stranger.bind(0, address);
    await once(stranger, 'listening');
    const { port } = stranger.address();
    link.setGroup(0, [{ sender: 1, address, port }]);
    const good = bareOkFrame({ flags: 0, sender: 1 });
    const tampered = Uint8Array.from(good);
    tampered[30] = 1;
    const fanOut = Uint8Array.from(good);
    fanOut[6] = FRAME_FLAG.fanOut;
    const frames = [
      tampered,
      fanOut,
      bareOkFrame({ sender: 2 }),
      new Uint8Array(5),
      new Uint8Array(FRAME_HEADER_BYTES),
      good,
    ];
    for (const frame of frames) stranger.send(frame, link.port, address);
    await until(() => received === 1);
    await until(() => link.counters.framesReceived === frames.length);
    stranger.close();
    const { tag, flags, source, short, magic } = link.counters.rejected;
    expect({ tag, flags, source, short, magic }).toEqual({
      tag: 1,
      flags: 1,
      source: 1,
      short: 1,
      magic: 1,
    });
    expect(received).toBe(1);
  });

  test.skipIf(!possible)(
    'two keys are valid while they are changed, and one after it',
    async () => {
      const other = new Uint8Array(16).fill(9);
      let received = 0;
      const link = await openLink(tier, { onFrame: () => received++ });
      const sender = await openLink(tier);
      link.setGroup(0, [{ sender: 1, address, port: sender.port }]);
      sender.setGroup(0, [{ sender: 2, address, port: link.port }]);
      const fields = header({ kind: FrameKind.probe, sender: 1 });
      const byOld = encodeFrame(fields, key);
      const byNew = encodeFrame(fields, sipKey(other));
      const refused = async (keys: readonly Uint8Array[]): Promise<number> => {
        link.useKeys(keys);
        const before = [link.counters.framesReceived, link.counters.rejected.tag] as const;
        for (const frame of [byOld, byNew]) sender.send(frame, 2);
        await until(() => link.counters.framesReceived === before[0] + 2);
        return link.counters.rejected.tag - before[1];
      };
      expect(await refused([keyBytes])).toBe(1);
      expect(await refused([keyBytes, other])).toBe(0);
      expect(await refused([other, keyBytes])).toBe(0);
      expect(received).toBe(5);
      expect(await refused([other])).toBe(1);
    },
  );

  test.skipIf(!possible)('a sender that is in no group any more is a stranger', async () => {
    const link = await openLink(tier);
    const sender = await openLink(tier);
    sender.setGroup(0, [{ sender: 2, address, port: link.port }]);
    link.setGroup(0, [{ sender: 1, address, port: sender.port }]);
    link.setGroup(0, []);
    sender.send(bareOkFrame({ sender: 1 }), 2);
    await until(() => link.counters.framesReceived === 1);
    expect(link.counters.rejected.source).toBe(1);
  });

  test.skipIf(!possible)('a frame that does not fit is for the TCP link', async () => {
    const link = await openLink(tier);
    link.setGroup(0, [{ sender: 1, address, port: link.port }]);
    const large = new Uint8Array(link.frameBytesMax + 1);
    expect(link.sendGroup(large, 0)).toBe('tooLarge');
    expect(link.send(large, 1)).toBe(false);
    expect(link.send(bareOkFrame(), 5)).toBe(false);
    expect(link.sendGroup(bareOkFrame(), 9)).toBe('failed');
  });

  test.skipIf(!possible)('after close nothing is sent, and close may be called again', async () => {
    const link = await openLink(tier);
    link.setGroup(0, [{ sender: 1, address, port: link.port }]);
    await link.close();
    await link.close();
    expect(link.send(bareOkFrame(), 1)).toBe(false);
    expect(link.sendGroup(bareOkFrame(), 0)).toBe('failed');
  });
});

test('an address that is not ours is an error, not a link', async () => {
  await expect(openLink(0, { address: '203.0.113.1' })).rejects.toThrow(/EADDRNOTAVAIL/);
});
