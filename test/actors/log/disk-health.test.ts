import { expect, test } from 'vitest';
import { DiskHealth } from '../../../actors/log/disk-health.ts';

test('each problem is told once when it begins and once when it ends', () => {
  const lines: string[] = [];
  const logger = {
    warn: (_fields: object, line: string) => lines.push(line),
    info: (_fields: object, line: string) => lines.push(line),
  };
  const disk = new DiskHealth(logger);
  disk.report('log', 'full', false);
  expect([disk.summary, lines]).toEqual([undefined, []]);
  for (let at = 0; at < 3; at += 1) disk.report('log', 'full', true);
  disk.report('store', 'full', true);
  expect(disk.summary).toBe('log full, store full');
  expect(disk.servesReads).toBe(true);
  disk.report('log', 'backlogged', true);
  expect(disk.servesReads).toBe(false);
  for (const problem of ['full', 'backlogged'] as const) disk.report('log', problem, false);
  disk.report('store', 'full', false);
  expect([disk.summary, disk.servesReads]).toEqual([undefined, true]);
  expect(lines).toEqual([
    'log: the disk is full: writes are refused, reads are served; make room',
    'store: the disk is full: writes are refused, reads are served; make room',
    'log: too much waits for the disk: this node falls behind, reads are not served; it needs a ' +
      'faster disk, or one that nothing else writes to',
    'log: the disk is no longer full',
    'log: the disk is no longer backlogged',
    'store: the disk is no longer full',
  ]);
});
