/** Leases on the cluster's table: no node acts by users that another one has changed. */
import { describe, expect, test } from 'vitest';
import { SettingsWatch } from '../../actors/node/settings-watch.ts';

const LEASE_MS = 2_000;

class Watched {
  nowMs = 10_000;
  readonly connected = new Set<number>([2, 3]);
  readonly watch = new SettingsWatch({
    connected: this.connected,
    members: 3,
    leaseMs: LEASE_MS,
    nowMs: () => this.nowMs,
  });

  /** The store of this node has executed the change. */
  has(version: number): void {
    this.watch.changed({ version, values: new Map() });
  }
}

describe('a lease', () => {
  test('comes from a majority, and runs from the question on', () => {
    const one = new Watched();
    expect(one.watch.hasLease).toBe(false);
    one.watch.answered(2, 0, 9_500);
    expect(one.watch.hasLease).toBe(true);
    one.nowMs = 9_500 + LEASE_MS - 1;
    expect(one.watch.hasLease).toBe(true);
    one.nowMs += 1;
    expect(one.watch.hasLease).toBe(false);
  });

  test('ends when a peer knows a later table, until this node has it too', () => {
    const one = new Watched();
    one.watch.answered(2, 1, 9_900);
    expect(one.watch.hasLease).toBe(false);
    one.has(1);
    expect(one.watch.hasLease).toBe(true);
  });

  test('that is only told is none: it may have been long under way', () => {
    const one = new Watched();
    one.watch.told(2, 0);
    one.watch.told(3, 0);
    expect(one.watch.hasLease).toBe(false);
  });
});

describe('a change', () => {
  test('is held when all nodes have it', () => {
    const one = new Watched();
    one.has(1);
    expect(one.watch.isHeld(1)).toBe(false);
    one.watch.told(2, 1);
    expect(one.watch.isHeld(1)).toBe(false);
    one.watch.told(3, 1);
    expect(one.watch.isHeld(1)).toBe(true);
    expect(one.watch.isHeld(2)).toBe(false);
  });

  test('with a node that is away, when its lease has run out as well', () => {
    const one = new Watched();
    one.connected.delete(3);
    one.has(1);
    one.watch.told(2, 1);
    expect(one.watch.isHeld(1)).toBe(false);
    one.nowMs += LEASE_MS - 1;
    expect(one.watch.isHeld(1)).toBe(false);
    one.nowMs += 1;
    expect(one.watch.isHeld(1)).toBe(true);
  });

  test('with one that is cut off: it acts by the old table no longer than the change is waited for', () => {
    // Nodes 1 and 2 are connected, 2 and 3 are; 1 and 3 are not. Node 1 makes the change.
    const [one, three] = [new Watched(), new Watched()];
    one.connected.delete(3);
    three.connected.delete(1);
    // Node 2 answers node 3 just before it has the change.
    three.watch.answered(2, 0, 10_000);
    one.has(1);
    one.watch.told(2, 1);
    for (let ms = 0; ms <= LEASE_MS + 10; ms += 1) {
      one.nowMs = 10_000 + ms;
      three.nowMs = 10_000 + ms;
      expect(one.watch.isHeld(1) && three.watch.hasLease).toBe(false);
    }
    expect(one.watch.isHeld(1)).toBe(true);
  });
});
