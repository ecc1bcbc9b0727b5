/**
 * The kernel programs against the model, by BPF_PROG_RUN: every verdict of the fan-in (socket
 * filter and XDP), random frames, a full ring; and what the fan-out does to packets. No network.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FrameSource, SlotModel, type Verdict } from '../../../bpf/count/slot-model.ts';
import { encodeFrame, FRAME_FLAG, FrameKind } from '../../../bpf/frame/frame.ts';
import {
  EVENT_LAYOUT,
  encodeGroup,
  encodeSettings,
  SLOT_LAYOUT,
  SLOTS_MAX,
} from '../../../bpf/frame/layout.ts';
import { sipKey } from '../../../bpf/frame/siphash.ts';
import {
  artifactsIn,
  type HoloFastCounters,
  type KernelHandle,
  type KernelProgram,
  type NativeAddon,
} from '../../../bpf/native/native.ts';
import {
  armed,
  bareOkFrame,
  bitmap,
  encodeSlot,
  header,
  ipChecksumError,
  kernelSupport,
  key,
  keyBytes,
  ownAddress,
  ownPort,
  readSlotVectors,
  round,
  stepFrame,
  udpChecksumError,
  udpPacket,
} from '../support.ts';

const { addon, reason } = kernelSupport();
const { group, cases } = readSlotVectors();
/** More of them, and others, by hand: HOLO_FUZZ_FRAMES=200000 HOLO_FUZZ_SEED=7. */
const fuzzFrames = Number(process.env['HOLO_FUZZ_FRAMES'] ?? 8_000);
const fuzzSeed = Number(process.env['HOLO_FUZZ_SEED'] ?? 0x5eed);
const xdpDrop = 1;
const tcxNext = -1;
const tcxPass = 0;

/** One loaded object, seen through the tests' eyes. */
class Kernel {
  readonly handle: KernelHandle;
  readonly addon: NativeAddon;
  readonly slots: DataView;
  #before: HoloFastCounters;

  constructor(native: NativeAddon) {
    this.addon = native;
    this.handle = native.open(artifactsIn().object);
    this.slots = new DataView(native.slots(this.handle));
    native.writeMap(this.handle, 'settings', 0, encodeSettings([keyBytes], ownAddress, ownPort));
    native.writeMap(
      this.handle,
      'groups',
      group.id,
      encodeGroup(group.members, undefined, undefined),
    );
    this.#before = native.counters(this.handle);
  }

  arm(slot: number, bytes: Uint8Array): void {
    this.addon.writeMap(this.handle, 'slots', slot, bytes);
  }

  votes(slot: number): number {
    return this.slots.getUint16(slot * SLOT_LAYOUT.bytes + SLOT_LAYOUT.word, true);
  }

  /** The counts since the last call. */
  counted(): Partial<HoloFastCounters> {
    const now = this.addon.counters(this.handle);
    const changes = Object.entries(now)
      .map(([name, value]) => [name, value - this.#before[name as keyof HoloFastCounters]] as const)
      .filter(([, change]) => change !== 0);
    this.#before = now;
    return Object.fromEntries(changes);
  }

  judge(program: KernelProgram, frame: Uint8Array, source: FrameSource): Verdict {
    const packet = udpPacket(frame, source);
    const { verdict } = this.addon.testRun(this.handle, program, packet);
    const dropped = program === 'hf_fan_in_xdp' ? verdict === xdpDrop : verdict === 0;
    const counted = this.counted();
    expect(counted.dropped ?? 0).toBe(dropped ? 1 : 0);
    expect(counted.passed ?? 0).toBe(dropped ? 0 : 1);
    return verdictOf(counted);
  }
}

function verdictOf(counted: Partial<HoloFastCounters>): Verdict {
  const { dropped: _dropped, passed: _passed, ...rest } = counted;
  const names = Object.keys(rest).sort().join(' ');
  switch (names) {
    case 'quorums votes':
      return 'quorum';
    case 'votes':
      return 'counted';
    case 'duplicates':
      return 'duplicate';
    case 'stale':
    case 'foreign':
    case 'tampered':
      return names;
    case '':
      return 'passed';
    default:
      throw new Error(`counters that do not go together: ${names}`);
  }
}

describe.skipIf(addon === undefined)(`kernel verdicts ${reason ?? ''}`, () => {
  let kernel: Kernel;
  beforeAll(() => {
    if (addon !== undefined) kernel = new Kernel(addon);
  });
  afterAll(() => kernel.addon.close(kernel.handle));

  describe.each(['hf_fan_in_socket', 'hf_fan_in_xdp'] as const)('%s', (program) => {
    test.each(cases)('$name', ({ arm, steps }) => {
      let now = armed(arm);
      kernel.arm(now.slot, encodeSlot(now.generation, now.round));
      steps.forEach((step, index) => {
        if (step.rearm !== undefined) {
          now = armed(step.rearm);
          kernel.arm(now.slot, encodeSlot(now.generation, now.round));
        } else if (step.release === true) {
          kernel.arm(now.slot, new Uint8Array(SLOT_LAYOUT.bytes));
        } else {
          const { frame, source } = stepFrame(step, now, group.members);
          expect(kernel.judge(program, frame, source), `step ${index}`).toBe(step.verdict);
        }
        expect(kernel.votes(now.slot), `votes after step ${index}`).toBe(bitmap(step.bits));
      });
      kernel.arm(now.slot, new Uint8Array(SLOT_LAYOUT.bytes));
    });

    test('random frames: the same verdict as the model, and no vote that it does not have', {
      timeout: 30_000 + 2 * fuzzFrames,
    }, () => {
      const model = new SlotModel({ key });
      model.setGroup(group.id, group.members);
      const random = seeded(fuzzSeed + program.length);
      let generation = 100_000;
      for (let slot = 0; slot < 3; slot += 1) kernel.arm(slot, new Uint8Array(SLOT_LAYOUT.bytes));
      const batch = new ArrayBuffer(1024 * EVENT_LAYOUT.bytes);
      for (let i = 0; i < fuzzFrames; i += 1) {
        // A full ring is another test's matter.
        if (i % 1000 === 0) while (kernel.addon.drainEvents(kernel.handle, batch) > 0);
        const slot = random(3);
        if (random(5) === 0 || i < 3) {
          const electorate = 1 + random(0xffff);
          const counted = round({ electorate, need: 1 + random(Math.min(3, bits(electorate))) });
          generation += 1;
          model.arm(slot, generation, counted);
          kernel.arm(slot, encodeSlot(generation, counted));
        }
        const { frame, source } = randomFrame(random, slot, model.generation(slot));
        const expected = model.judge(frame, source);
        expect(kernel.judge(program, frame, source), `frame ${i}`).toBe(expected);
        expect(kernel.votes(slot), `votes after frame ${i}`).toBe(model.votes(slot));
      }
    });

    test('two keys are valid while they are changed, and one after it', () => {
      const other = new Uint8Array(16).fill(9);
      const source = group.members[0] as (typeof group.members)[0];
      const fields = header({ kind: FrameKind.preAcceptSame, flags: FRAME_FLAG.plain, slot: 5 });
      const votes = [[keyBytes], [keyBytes, other], [other, keyBytes], [other]].map(
        (keys, index) => {
          const settings = encodeSettings(keys, ownAddress, ownPort);
          kernel.addon.writeMap(kernel.handle, 'settings', 0, settings);
          return [key, sipKey(other)].map((sealedBy) => {
            const generation = 80_000 + index;
            kernel.arm(5, encodeSlot(generation, round({ group: group.id, need: 2 })));
            const frame = encodeFrame({ ...fields, generation, sender: source.sender }, sealedBy);
            return kernel.judge(program, frame, source);
          });
        },
      );
      expect(votes).toEqual([
        ['counted', 'tampered'],
        ['counted', 'counted'],
        ['counted', 'counted'],
        ['tampered', 'counted'],
      ]);
      const settings = encodeSettings([keyBytes], ownAddress, ownPort);
      kernel.addon.writeMap(kernel.handle, 'settings', 0, settings);
      kernel.arm(5, new Uint8Array(SLOT_LAYOUT.bytes));
    });

    test('noise instead of a frame, and packets that are not UDP over plain IPv4', () => {
      const random = seeded(77);
      kernel.arm(7, encodeSlot(70_000, round({ need: 1 })));
      const source = { address: ownAddress, port: 7001 };
      const good = udpPacket(bareOkFrame(), source);
      const run = (packet: Uint8Array): void => {
        const { verdict } = kernel.addon.testRun(kernel.handle, program, packet);
        expect(program === 'hf_fan_in_xdp' ? verdict !== xdpDrop : verdict > 0).toBe(true);
      };
      for (let i = 0; i < 500; i += 1) {
        run(
          udpPacket(
            Uint8Array.from({ length: random(200) }, () => random(256)),
            source,
          ),
        );
      }
      for (const [at, value] of [
        [12, 0x86], // another EtherType
        [14, 0x46], // IP options
        [20, 0x20], // first fragment
        [21, 0x01], // later fragment
        [23, 6], // TCP
        [17, 109], // a length that is not the frame's
      ] as const) {
        // The socket filter sits behind the EtherType: there is nothing to be wrong about it.
        if (at === 12 && program === 'hf_fan_in_socket') continue;
        const packet = Uint8Array.from(good);
        packet[at] = value;
        run(packet);
      }
      expect(kernel.votes(7)).toBe(0);
      kernel.counted();
    });
  });

  test('the XDP program leaves other ports and addresses alone', () => {
    kernel.arm(7, encodeSlot(70_000, round({ need: 1 })));
    const source = { address: ownAddress, port: 7001 };
    for (const destination of [
      { address: ownAddress, port: ownPort + 1 },
      { address: '127.0.0.2', port: ownPort },
    ]) {
      const packet = udpPacket(bareOkFrame(), source, destination);
      const { verdict } = kernel.addon.testRun(kernel.handle, 'hf_fan_in_xdp', packet);
      expect(verdict).not.toBe(xdpDrop);
    }
    expect(kernel.counted()).toEqual({});
    expect(kernel.votes(7)).toBe(0);
  });

  test('a full ring: the completing frame goes up, nothing is lost silently', () => {
    const batch = new ArrayBuffer(1024 * EVENT_LAYOUT.bytes);
    const source = { address: ownAddress, port: 7001 };
    while (kernel.addon.drainEvents(kernel.handle, batch) > 0);
    kernel.counted();
    let sent = 0;
    let full = 0;
    // 1 MiB of ring, 40 bytes per event.
    for (let i = 0; i < 30_000 && full < 3; i += 1) {
      kernel.arm(7, encodeSlot(200_000 + i, round({ need: 1 })));
      const packet = udpPacket(bareOkFrame({ generation: 200_000 + i }), source);
      if (kernel.addon.testRun(kernel.handle, 'hf_fan_in_socket', packet).verdict > 0) full += 1;
      sent += 1;
    }
    const counted = kernel.counted();
    expect(full).toBe(3);
    expect(counted).toEqual({
      votes: sent,
      quorums: sent,
      ring_full: 3,
      passed: 3,
      dropped: sent - 3,
    });
    let drained = 0;
    for (let count = 1; count > 0; drained += count) {
      count = kernel.addon.drainEvents(kernel.handle, batch);
    }
    expect(drained).toBe(sent - 3);
  });
});

describe.skipIf(addon === undefined)(`kernel fan-out ${reason ?? ''}`, () => {
  let kernel: Kernel;
  const group4 = 4;
  const member = { sender: 1, address: '127.0.0.1', port: 7001 };
  beforeAll(() => {
    if (addon !== undefined) kernel = new Kernel(addon);
    kernel.addon.writeMap(
      kernel.handle,
      'groups',
      group4,
      encodeGroup([member], undefined, ['02:00:0a:4d:00:09']),
    );
  });
  afterAll(() => kernel.addon.close(kernel.handle));

  const run = (packet: Uint8Array): { verdict: number; packet: Uint8Array } =>
    kernel.addon.testRun(kernel.handle, 'hf_fan_out', packet);
  const request = (flags: number, body: number, id = group4): Buffer => {
    const frame = encodeFrame(
      header({ flags: 0, group: id }),
      key,
      new Uint8Array(body).fill(0x55),
    );
    frame[6] = flags;
    return udpPacket(
      frame,
      { address: ownAddress, port: ownPort },
      { address: '239.77.1.2', port: 7000 },
    );
  };

  test.each([0, 1, 200, 1391])('rewrites the packet for a member, body of %i bytes', (body) => {
    kernel.arm(7, encodeSlot(70_000, round()));
    const { verdict, packet } = run(request(FRAME_FLAG.fanOut, body));
    expect(verdict).toBe(tcxPass);
    expect(Buffer.from(packet.subarray(0, 6)).toString('hex')).toBe('02000a4d0009');
    expect([...packet.subarray(30, 34)]).toEqual([127, 0, 0, 1]);
    expect(Buffer.from(packet).readUInt16BE(36)).toBe(7001);
    expect(ipChecksumError(packet)).toBe(0);
    expect(udpChecksumError(packet)).toBe(0);
    // Apart from addresses, port, checksums and the flag it is what was sent.
    const expected = encodeFrame(header({ group: group4 }), key, new Uint8Array(body).fill(0x55));
    expect(Buffer.compare(packet.subarray(42), expected)).toBe(0);
    expect(kernel.counted()).toEqual({ fan_outs: 1 });
  });

  test('the slot shows the fan-out, if it is armed with this generation', () => {
    const fanned = (): bigint =>
      kernel.slots.getBigUint64(7 * SLOT_LAYOUT.bytes + SLOT_LAYOUT.fanned, true);
    kernel.arm(7, encodeSlot(70_001, round()));
    run(request(FRAME_FLAG.fanOut, 0));
    expect(fanned()).toBe(0n);
    kernel.arm(7, encodeSlot(70_000, round()));
    run(request(FRAME_FLAG.fanOut, 0));
    expect(fanned()).toBe(70_000n);
    expect(kernel.votes(7)).toBe(0);
    kernel.counted();
  });

  test.each([
    ['without the flag', () => request(0, 10)],
    ['of an unknown group', () => request(FRAME_FLAG.fanOut, 10, 9)],
    ['of a group number that does not exist', () => request(FRAME_FLAG.fanOut, 10, 60_000)],
    ['with another magic', () => changed(42, 0)],
    ['with another version', () => changed(46, 9)],
    ['that is TCP', () => changed(23, 6)],
    ['with IP options', () => changed(14, 0x46)],
    ['that is a fragment', () => changed(20, 0x20)],
    ['that is not IPv4', () => changed(12, 0x86)],
    ['too short', () => request(FRAME_FLAG.fanOut, 0).subarray(0, 121)],
  ])('leaves a packet %s alone', (_name, make) => {
    const before = make();
    const { verdict, packet } = run(before);
    expect(verdict).toBe(tcxNext);
    expect(Buffer.compare(packet, before)).toBe(0);
    expect(kernel.counted()).toEqual({});
  });

  test("leaves another socket's frames alone", () => {
    const cookie = Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]);
    kernel.addon.writeMap(kernel.handle, 'groups', 5, encodeGroup([member], cookie, undefined));
    expect(run(request(FRAME_FLAG.fanOut, 0, 5)).verdict).toBe(tcxNext);
    expect(kernel.counted()).toEqual({});
  });

  function changed(at: number, value: number): Buffer {
    const packet = request(FRAME_FLAG.fanOut, 10);
    packet[at] = value;
    return packet;
  }
});

function bits(value: number): number {
  return value.toString(2).replaceAll('0', '').length;
}

/** A small seeded generator (mulberry32): the same frames in every run. */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** Mostly right, sometimes wrong in one or more ways. */
function randomFrame(
  random: (below: number) => number,
  slot: number,
  generation: number,
): { frame: Uint8Array; source: FrameSource } {
  const member = group.members[random(group.members.length)];
  if (member === undefined) throw new Error('no member');
  const sender = random(8) === 0 ? random(16) : member.sender;
  const frame = bareOkFrame({
    slot: random(12) === 0 ? random(2 * SLOTS_MAX) : slot,
    generation: random(8) === 0 ? Math.max(0, generation - random(3)) : generation,
    sender,
    flags: random(12) === 0 ? random(4) & ~FRAME_FLAG.fanOut : FRAME_FLAG.plain,
  });
  // Up to three flipped bits anywhere, sealed before: most of them are found by the tag.
  if (random(3) === 0) {
    for (let i = 0; i <= random(3); i += 1) {
      const at = random(frame.length);
      frame[at] = (frame[at] as number) ^ (1 << random(8));
    }
  }
  const length = random(15) === 0 ? random(120) : frame.length;
  const cut = new Uint8Array(length);
  cut.set(frame.subarray(0, length));
  const port = random(12) === 0 ? 7000 + random(20) : member.port;
  return { frame: cut, source: { address: ownAddress, port } };
}
