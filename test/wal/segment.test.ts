import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import {
  encodeSegmentHeader,
  FRESH_NAME,
  readSegmentHeader,
  SEGMENT_HEADER_BYTES,
  segmentName,
  sortNames,
  spareName,
} from '../../wal/segment.ts';
import { LOG_ID } from './log-harness.ts';

const HEADER = {
  logId: LOG_ID,
  firstLsn: 2 ** 40 + 3,
  previousFirstLsn: 2 ** 39,
  segmentBytes: 16 * 1024 * 1024,
  recycled: true,
};

describe('a segment header', () => {
  test('is read back', () => {
    for (const recycled of [true, false]) {
      const header = { ...HEADER, recycled };
      expect(readSegmentHeader(encodeSegmentHeader(header))).toEqual({ kind: 'valid', header });
    }
  });

  test('is invalid with any bit flipped before its checksum', () => {
    const bytes = encodeSegmentHeader(HEADER);
    for (let bit = 0; bit < 60 * 8; bit += 1) {
      const rotten = Buffer.from(bytes);
      rotten.writeUInt8(rotten.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(readSegmentHeader(rotten)).toEqual({ kind: 'invalid' });
    }
    expect(readSegmentHeader(bytes.subarray(0, SEGMENT_HEADER_BYTES - 1)).kind).toBe('invalid');
  });

  test('of another version is recognised as such', () => {
    const bytes = encodeSegmentHeader(HEADER);
    bytes.writeUInt32LE(7, 8);
    bytes.writeUInt32LE(crc32(bytes.subarray(0, 56)), 56);
    expect(readSegmentHeader(bytes)).toEqual({ kind: 'unsupported', version: 7 });
  });
});

describe('names in a log directory', () => {
  test('are sorted by number, and others are left alone', () => {
    const names = [segmentName(30), segmentName(4), FRESH_NAME, 'wal-7.seg', 'notes.txt'];
    expect(names[0]).toBe('wal-0000000000000030.seg');
    expect(sortNames(names)).toEqual({ live: [4, 30], resurrected: [], spares: [], fresh: true });
  });

  test('numbered no higher than a spare have retired with it', () => {
    const names = [segmentName(1), spareName(9), segmentName(5), segmentName(12), spareName(3)];
    expect(sortNames(names)).toEqual({
      live: [12],
      resurrected: [1, 5],
      spares: [3, 9],
      fresh: false,
    });
  });
});
