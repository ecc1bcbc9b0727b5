/** The simulated disk must be as unkind as it says, or the tests that lean on it prove nothing. */
import { describe, expect, test } from 'vitest';
import { SECTOR_BYTES, SimDisk } from '../simulation/sim-disk.ts';
import { dice, VirtualTime } from './log-harness.ts';

const PATH = '/d/file';

function build(seed = 1): { disk: SimDisk; time: VirtualTime } {
  const time = new VirtualTime();
  return { disk: new SimDisk({ schedule: time.schedule, rng: dice(seed) }), time };
}

function made(seed: number, sectors: number): { disk: SimDisk; time: VirtualTime } {
  const built = build(seed);
  built.disk.open(PATH).allocate(sectors * SECTOR_BYTES);
  built.disk.syncDirectory('/d');
  return built;
}

/** Which sectors of the file consist of `byte`, as a string of 0 and 1. */
function sectorsOf(disk: SimDisk, byte: number): string {
  const bytes = disk.read(PATH);
  let text = '';
  for (let at = 0; at < bytes.length; at += SECTOR_BYTES) {
    const sector = bytes.subarray(at, at + SECTOR_BYTES);
    text += sector.every((each) => each === byte) ? '1' : '0';
  }
  return text;
}

describe('a crash', () => {
  test('keeps what was synced and drops the callbacks of what was not', () => {
    const { disk, time } = made(1, 4);
    let answers = 0;
    const file = disk.open(PATH);
    file.writeAndSync([Buffer.alloc(1024, 1)], 0, () => {
      answers += 1;
    });
    time.drain();
    file.writeAndSync([Buffer.alloc(1024, 2)], 1024, () => {
      answers += 1;
    });
    disk.crash();
    time.drain();
    expect(answers).toBe(1);
    expect(sectorsOf(disk, 1).startsWith('11')).toBe(true);
    expect(() => file.writeAndSyncNow([Buffer.alloc(1)], 0)).toThrow(/after the crash/);
  });

  test('tears the write under way into any sectors, in any order', () => {
    const outcomes = new Set<string>();
    for (let seed = 0; seed < 200; seed += 1) {
      const { disk } = made(seed, 3);
      disk.open(PATH).writeAndSync([Buffer.alloc(3 * SECTOR_BYTES, 5)], 0, () => undefined);
      disk.crash();
      outcomes.add(sectorsOf(disk, 5));
    }
    expect([...outcomes].sort()).toEqual(['000', '001', '010', '011', '100', '101', '110', '111']);
  });

  test('of the process leaves the page cache, which the next power cut takes', () => {
    let lost = 0;
    for (let seed = 0; seed < 50; seed += 1) {
      const { disk } = made(seed, 2);
      disk.open(PATH).writeAndSync([Buffer.alloc(1024, 5)], 0, () => undefined);
      disk.crash('process');
      const seen = sectorsOf(disk, 5);
      disk.crash('power');
      if (seen === '11' && sectorsOf(disk, 5) !== '11') lost += 1;
    }
    expect(lost).toBeGreaterThan(0);
  });

  test('may undo any name that was not followed by a directory sync', () => {
    const outcomes = new Set<string>();
    for (let seed = 0; seed < 100; seed += 1) {
      const { disk } = made(seed, 1);
      disk.rename(PATH, '/d/renamed');
      disk.open('/d/created').allocate(10);
      disk.crash();
      outcomes.add(disk.list('/d').join(' '));
    }
    expect([...outcomes].sort()).toEqual(['created file', 'created renamed', 'file', 'renamed']);
    const { disk } = made(1, 1);
    disk.remove(PATH);
    disk.syncDirectory('/d');
    disk.crash();
    expect(disk.list('/d')).toEqual([]);
  });

  test('leaves the same with the same seed', () => {
    const run = (): string => {
      const { disk } = made(7, 8);
      disk.open(PATH).writeAndSync([Buffer.alloc(8 * SECTOR_BYTES, 5)], 0, () => undefined);
      disk.crash();
      return sectorsOf(disk, 5);
    };
    expect(run()).toBe(run());
  });
});

describe('faults', () => {
  test('a failed sync reports an error once, and the page cache lies afterwards', () => {
    let lied = 0;
    for (let seed = 0; seed < 30; seed += 1) {
      const { disk, time } = made(seed, 4);
      const file = disk.open(PATH);
      const errors: (Error | undefined)[] = [];
      disk.failSyncs(1);
      file.writeAndSync([Buffer.alloc(2048, 5)], 0, (error) => errors.push(error));
      time.drain();
      expect(errors[0]).toMatchObject({ code: 'EIO' });
      expect(sectorsOf(disk, 5)).toBe('1111');
      // A sync that writes nothing new succeeds, and brings nothing back.
      file.writeAndSync([], 0, (error) => errors.push(error));
      time.drain();
      expect(errors[1]).toBeUndefined();
      disk.crash();
      if (sectorsOf(disk, 5) !== '1111') lied += 1;
    }
    expect(lied).toBeGreaterThan(0);
  });

  test('a full disk takes what fits and says ENOSPC; a removed file gives room back', () => {
    const { disk, time } = build();
    disk.capacityBytes = 1000;
    const errors: (Error | undefined)[] = [];
    disk.open(PATH).allocateLater(1500, (error) => errors.push(error));
    time.drain();
    expect(errors[0]).toMatchObject({ code: 'ENOSPC' });
    expect(disk.freeBytes('/d')).toBe(0);
    disk.remove(PATH);
    expect(disk.freeBytes('/d')).toBe(1000);
  });

  test('bit rot survives a crash; an unreadable file throws; a stalled disk waits', () => {
    const { disk, time } = made(1, 1);
    disk.flipBit(PATH, 5, 3);
    disk.crash();
    expect(disk.read(PATH)[5]).toBe(8);
    disk.stall();
    let answered = false;
    disk.open(PATH).writeAndSync([Buffer.from('x')], 0, () => {
      answered = true;
    });
    time.drain();
    expect(answered).toBe(false);
    disk.resume();
    expect(answered).toBe(true);
    disk.makeUnreadable(PATH);
    expect(() => disk.read(PATH)).toThrow(/EIO/);
  });

  test('replace is whole or not at all', () => {
    const { disk } = build(3);
    disk.replace('/d/small', Buffer.from('one'));
    disk.replace('/d/small', Buffer.from('three'));
    disk.crash();
    expect(Buffer.from(disk.read('/d/small')).toString('latin1')).toBe('three');
    expect(disk.list('/d')).toEqual(['small']);
  });
});

describe('a process that has taken its last step', () => {
  test('changes neither content nor names any more', () => {
    const { disk, time } = made(1, 1);
    const file = disk.open(PATH);
    disk.freeze();
    file.writeAndSync([Buffer.alloc(SECTOR_BYTES, 5)], 0, () => {
      throw new Error('it hears of it');
    });
    disk.rename(PATH, '/d/other');
    disk.open('/d/new');
    disk.syncDirectory('/d');
    time.drain();
    disk.crash('process');
    expect(disk.list('/d')).toEqual(['file']);
    expect(sectorsOf(disk, 5)).toBe('0');
  });
});
