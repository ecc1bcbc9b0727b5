import { describe, expect, test } from 'vitest';
import { NEVER, SYNC_POLICY_NAMES, SyncPolicy } from '../../wal/sync-policy.ts';

describe('every policy', () => {
  test.each(SYNC_POLICY_NAMES)(
    '%s has nothing to do without records, or while a sync runs',
    (name) => {
      const policy = new SyncPolicy({ name });
      expect(policy.commitAt('turn', 5, false, 0)).toBe(NEVER);
      policy.flush();
      expect(policy.commitAt('turn', 5, false, 0)).toBe(NEVER);
      policy.appended(1, 1, 5);
      policy.flush();
      expect(policy.commitAt('turn', 5, true, 10)).toBe(NEVER);
      expect(policy.commitAt('turn', 6, false, 10)).toBe(6);
      policy.committed();
      expect(policy.commitAt('turn', 7, false, 0)).toBe(NEVER);
      expect(policy.commitAt('record', 7, false, 0)).toBe(NEVER);
    },
  );
});

describe('every_record', () => {
  test('commits at each record, lazy ones too', () => {
    const policy = new SyncPolicy({ name: 'every_record' });
    policy.appended(1, 0, 1);
    expect(policy.commitAt('record', 1, false, 10)).toBe(1);
    policy.committed();
    policy.appended(0, 1, 2);
    expect(policy.commitAt('record', 2, false, 10)).toBe(2);
  });
});

describe('every_batch', () => {
  test('is the default and commits urgent records at the end of the turn', () => {
    const policy = new SyncPolicy();
    expect(policy.name).toBe('every_batch');
    policy.appended(3, 0, 10);
    expect(policy.commitAt('record', 10, false, 10)).toBe(NEVER);
    expect(policy.commitAt('turn', 10, false, 10)).toBeLessThanOrEqual(10);
  });

  test('lets lazy records wait for an urgent one, but no longer than lazySyncMsMax', () => {
    const policy = new SyncPolicy({ lazySyncMsMax: 15 });
    policy.appended(0, 1, 100);
    policy.appended(0, 5, 110);
    expect(policy.commitAt('turn', 110, false, 10)).toBe(115);
    expect(policy.commitAt('turn', 116, false, 10)).toBeLessThanOrEqual(116);
    policy.appended(1, 0, 112);
    expect(policy.commitAt('turn', 112, false, 10)).toBeLessThanOrEqual(112);
  });

  test('waits 20 ms for lazy records by default, and not at all once much is pending', () => {
    const policy = new SyncPolicy({ waitBytesMax: 1000 });
    policy.appended(0, 1, 100);
    expect(policy.commitAt('turn', 100, false, 999)).toBe(120);
    expect(policy.commitAt('turn', 100, false, 1000)).toBe(100);
  });
});

describe('group_commit', () => {
  test('waits groupCommitMsMax from the oldest urgent record', () => {
    const policy = new SyncPolicy({ name: 'group_commit', groupCommitMsMax: 4 });
    policy.appended(1, 0, 50);
    policy.appended(9, 0, 53);
    expect(policy.commitAt('record', 53, false, 10)).toBe(NEVER);
    expect(policy.commitAt('turn', 53, false, 10)).toBe(54);
    policy.committed();
    policy.appended(1, 0, 60);
    expect(policy.commitAt('turn', 60, false, 10)).toBe(64);
  });

  test('does not let a lazy record wait longer because of it', () => {
    const options = { name: 'group_commit', groupCommitMsMax: 100, lazySyncMsMax: 5 } as const;
    const policy = new SyncPolicy(options);
    policy.appended(0, 1, 10);
    policy.appended(1, 0, 11);
    expect(policy.commitAt('turn', 11, false, 10)).toBe(15);
  });
});

describe('on_flush', () => {
  test('commits nothing until it is told to', () => {
    const policy = new SyncPolicy({ name: 'on_flush', waitBytesMax: 10 });
    policy.appended(5, 5, 1);
    expect(policy.commitAt('turn', 10_000, false, 1_000_000)).toBe(NEVER);
    policy.flush();
    expect(policy.commitAt('turn', 10_000, false, 1_000_000)).toBe(10_000);
  });
});
