import { describe, expect, test } from 'vitest';
import { parseClusterConfig } from '../../../../actors/process/cluster/cluster-parent.ts';
import { parseNodeConfig } from '../../../../actors/process/settings/config.ts';
import { logBytesMaxFor, nodeSizes } from '../../../../actors/process/settings/node-limits.ts';
import { ConfigError, KIB, MIB } from '../../../../actors/process/settings/settings.ts';
import { checkOptions } from '../../../../wal/wal-options.ts';

const REQUIRED = [
  ...['--node-id', '1', '--listen-redis', 'h:1', '--listen-peer', 'h:2', '--listen-admin', 'h:3'],
  ...['--data-dir', '/d', '--initial-members', '1@h:2', '--bootstrap'],
];
const TOO_LARGE =
  '--batch-bytes-max 1mb does not fit --segment-bytes 1mb: a batch is at most three quarters of ' +
  'a segment (768kb); give a smaller batch, a larger segment, or no batch size';

describe('sizes that depend on each other', () => {
  test.each([
    [64 * KIB, 48 * KIB],
    [MIB, 768 * KIB],
    [64 * MIB, MIB],
    [1024 * MIB, MIB],
  ])('segments of %d bytes: the batch is derived', (segmentBytes, batchBytesMax) => {
    expect(nodeSizes(segmentBytes, 0).batchBytesMax).toBe(batchBytesMax);
  });

  test.each([64 * KIB, MIB, 64 * MIB, 1024 * MIB])('segments of %d bytes: all fits', (bytes) => {
    const sizes = nodeSizes(bytes, 0);
    const { argumentBytesMax, transactionBytesMax, frameBytesMax, recordBytesMax } = sizes;
    expect(argumentBytesMax).toBeLessThan(transactionBytesMax);
    expect(sizes.batchBytesMax).toBeLessThanOrEqual(transactionBytesMax);
    expect(transactionBytesMax).toBeLessThan(frameBytesMax);
    expect(frameBytesMax).toBeLessThan(recordBytesMax);
    const pendingBytesMax = sizes.logBufferBytesMax;
    const log = { segmentBytes: bytes, recordBytesMax, pendingBytesMax };
    expect(() => checkOptions({ newLogId: new Uint8Array(16), ...log })).not.toThrow();
  });

  test('the log ends behind what is retained for members that are away', () => {
    expect(logBytesMaxFor(256 * MIB)).toBe(16 * 1024 * MIB);
    expect(logBytesMaxFor(100 * 1024 * MIB)).toBe(400 * 1024 * MIB);
  });

  test('both given, and they do not go together: refused by the node and by the parent', () => {
    const flags = ['--segment-bytes=1mb', '--batch-bytes-max=1mb'];
    expect(() => parseNodeConfig([...REQUIRED, ...flags], {})).toThrow(new ConfigError(TOO_LARGE));
    expect(() => parseClusterConfig(flags, {})).toThrow(new ConfigError(TOO_LARGE));
    const derived = parseNodeConfig([...REQUIRED, '--segment-bytes=1mb'], {});
    expect(derived.batchBytesMax).toBe(768 * KIB);
  });

  test('a segment is a whole number of disk blocks', () => {
    expect(() => nodeSizes(70_000, 0)).toThrow(
      new ConfigError('--segment-bytes must be a multiple of 4kb, not 70000 bytes'),
    );
  });
});
