/** Leases on the cluster's table: no node acts by users that another one has changed. */
import { describe, expect, test } from 'vitest';
import { type Orderers, SettingsWatch, TABLE_UNKNOWN } from '../../actors/node/settings-watch.ts';

const LEASE_MS = 2_000;

class Watched {
  orderers: Orderers = { view: 1, members: [new Set([1, 2, 3])], isMember: true };
  nowMs = 10_000;
  readonly connected = new Set<number>([2, 3]);
  readonly watch = new SettingsWatch({
    connected: this.connected,
    ...{ self: 1, nodes: () => 3, orderers: () => this.orderers },
    leaseMs: LEASE_MS,
    onKnown: () => undefined,
    nowMs: () => this.nowMs,
  });

  constructor(knows = true) {
    if (knows) this.watch.read(0);
  }

  /** The store of this node has executed the change. */
  has(version: number): void {
    this.watch.changed({ version, values: new Map() });
  }
}

describe('a lease', () => {
  test('comes from a majority, and runs from the question on', () => {
    const one = new Watched();
    expect(one.watch.hasLease).toBe(false);
    one.watch.answered(2, { version: 0, view: 1, askedMs: 9_500 });
    expect(one.watch.hasLease).toBe(true);
    one.nowMs = 9_500 + LEASE_MS - 1;
    expect(one.watch.hasLease).toBe(true);
    one.nowMs += 1;
    expect(one.watch.hasLease).toBe(false);
  });

  test('ends when a peer knows a later table, until this node has it too', () => {
    const one = new Watched();
    one.watch.answered(2, { version: 1, view: 1, askedMs: 9_900 });
    expect(one.watch.hasLease).toBe(false);
    one.has(1);
    expect(one.watch.hasLease).toBe(true);
  });

  test('that is only told is none: it may have been long under way', () => {
    const one = new Watched();
    one.watch.told(2, 0, 1);
    one.watch.told(3, 0, 1);
    expect(one.watch.hasLease).toBe(false);
  });
});

describe('a node that begins again', () => {
  test('has no lease before it knows the table', () => {
    const one = new Watched(false);
    one.watch.answered(2, { version: 4, view: 1, askedMs: 9_900 });
    one.has(4);
    expect(one.watch.hasLease).toBe(false);
    one.watch.read(5);
    expect(one.watch.hasLease).toBe(false);
    one.has(5);
    expect(one.watch.hasLease).toBe(true);
  });

  test('gives none: it may have forgotten a change that it had told', () => {
    const [one, two] = [new Watched(), new Watched(false)];
    two.has(4);
    expect(two.watch.confirmed).toBe(TABLE_UNKNOWN);
    one.has(4);
    one.watch.answered(2, { version: two.watch.confirmed, view: 1, askedMs: 9_900 });
    expect(one.watch.hasLease).toBe(false);
    two.watch.read(4);
    one.watch.answered(2, { version: two.watch.confirmed, view: 1, askedMs: 9_900 });
    expect(one.watch.hasLease).toBe(true);
  });
});

describe('a change', () => {
  test('is held when all nodes have it', () => {
    const one = new Watched();
    one.has(1);
    expect(one.watch.isHeld(1)).toBe(false);
    one.watch.told(2, 1, 1);
    expect(one.watch.isHeld(1)).toBe(false);
    one.watch.told(3, 1, 1);
    expect(one.watch.isHeld(1)).toBe(true);
    expect(one.watch.isHeld(2)).toBe(false);
  });

  test('with a node that is away, when its lease has run out as well', () => {
    const one = new Watched();
    one.connected.delete(3);
    one.has(1);
    one.watch.told(2, 1, 1);
    expect(one.watch.isHeld(1)).toBe(false);
    one.nowMs += LEASE_MS;
    expect(one.watch.isHeld(1)).toBe(false);
    // Its clock may be the slower one.
    one.nowMs += LEASE_MS / 100;
    expect(one.watch.isHeld(1)).toBe(true);
  });

  test('that no other node has is never held: the others renew their leases', () => {
    const one = new Watched();
    one.connected.clear();
    one.has(1);
    expect(one.watch.isHeld(1)).toBe(false);
    one.nowMs += 10 * LEASE_MS;
    expect(one.watch.isHeld(1)).toBe(false);
    // One of them is back for a moment, and has it.
    one.watch.told(2, 1, 1);
    expect(one.watch.isHeld(1)).toBe(false);
    one.nowMs += 1.01 * LEASE_MS;
    expect(one.watch.isHeld(1)).toBe(true);
  });

  test('with one that is cut off: it acts by the old table no longer than the change is waited for', () => {
    // Nodes 1 and 2 are connected, 2 and 3 are; 1 and 3 are not. Node 1 makes the change.
    const [one, three] = [new Watched(), new Watched()];
    one.connected.delete(3);
    three.connected.delete(1);
    // Node 2 answers node 3 just before it has the change.
    three.watch.answered(2, { version: 0, view: 1, askedMs: 10_000 });
    one.has(1);
    one.watch.told(2, 1, 1);
    for (let ms = 0; ms <= 1.01 * LEASE_MS; ms += 1) {
      one.nowMs = 10_000 + ms;
      three.nowMs = 10_000 + ms;
      expect(one.watch.isHeld(1) && three.watch.hasLease).toBe(false);
    }
    expect(one.watch.isHeld(1)).toBe(true);
  });
});

describe('a node that orders no changes', () => {
  function outside(): { watch: SettingsWatch; connected: Set<number>; known: () => number } {
    let known = 0;
    const onKnown = (): void => {
      known += 1;
    };
    const connected = new Set([1, 2, 3, 5]);
    const orderers = (): Orderers => ({
      ...{ view: 1, members: [new Set([1, 2, 3])], isMember: false },
    });
    const nowMs = (): number => 10_000;
    const options = { self: 4, nodes: () => 5, orderers, leaseMs: LEASE_MS, onKnown, nowMs };
    const watch = new SettingsWatch({ connected, ...options });
    return { watch, connected, known: () => known };
  }

  test('knows the table when it has what a majority of those that do knows', () => {
    const { watch } = outside();
    watch.changed({ version: 1, values: new Map() });
    watch.answered(1, { version: 1, view: 1, askedMs: 9_900 });
    watch.answered(5, { version: 1, view: 1, askedMs: 9_900 });
    expect(watch.known).toBeUndefined();
    watch.answered(2, { version: 2, view: 1, askedMs: 9_900 });
    expect(watch.known).toBeUndefined();
    watch.changed({ version: 2, values: new Map() });
    expect(watch.known?.version).toBe(2);
  });

  test('is told once that it knows the table, where no change of that follows', () => {
    const { watch, known } = outside();
    watch.changed({ version: 1, values: new Map() });
    watch.answered(1, { version: 1, view: 1, askedMs: 9_900 });
    expect(known()).toBe(0);
    watch.answered(2, { version: 1, view: 1, askedMs: 9_900 });
    watch.answered(3, { version: 1, view: 1, askedMs: 9_900 });
    expect([known(), watch.known?.version]).toEqual([1, 1]);
  });

  test('has its lease from them alone', () => {
    const { watch } = outside();
    watch.read(0);
    watch.answered(1, { version: 0, view: 1, askedMs: 9_900 });
    watch.answered(5, { version: 0, view: 1, askedMs: 9_900 });
    expect(watch.hasLease).toBe(false);
    watch.answered(3, { version: 0, view: 1, askedMs: 9_900 });
    expect(watch.hasLease).toBe(true);
  });

  test('is waited for like any other one', () => {
    const { watch, connected } = outside();
    watch.changed({ version: 1, values: new Map() });
    for (const peer of [1, 2, 3]) watch.told(peer, 1, 1);
    expect(watch.isHeld(1)).toBe(false);
    watch.told(5, 1, 1);
    expect(watch.isHeld(1)).toBe(true);
    connected.delete(5);
    expect(watch.isHeld(1)).toBe(false);
  });
});

describe('while the members of the meta group change', () => {
  const [old, next] = [new Set([1, 2, 3]), new Set([1, 4, 5])];
  const closing: Orderers = { view: 2, members: [old, next], isMember: true };
  const answer = (version: number, view: number) => ({ version, view, askedMs: 9_900 });

  test('a lease needs a majority of both, and no answer of one that knows more', () => {
    const one = new Watched();
    one.watch.answered(2, answer(0, 2));
    one.watch.answered(3, answer(0, 1));
    expect(one.watch.hasLease).toBe(true);
    one.watch.answered(3, answer(0, 2));
    expect(one.watch.hasLease).toBe(false);
    one.orderers = closing;
    expect(one.watch.hasLease).toBe(false);
    one.watch.answered(4, answer(0, 1));
    expect(one.watch.hasLease).toBe(true);
    one.orderers = { view: 2, members: [next], isMember: false };
    expect(one.watch.hasLease).toBe(false);
  });

  test('their group ends when no lease is left of one that does not know it', () => {
    const one = new Watched();
    one.orderers = closing;
    expect(one.watch.mayEnd).toBe(false);
    one.nowMs += 2 * LEASE_MS;
    expect(one.watch.mayEnd).toBe(false);
    one.watch.told(2, 0, 2);
    one.watch.told(4, 0, 1);
    expect(one.watch.mayEnd).toBe(false);
    one.watch.told(4, 0, 2);
    expect(one.watch.mayEnd).toBe(false);
    one.nowMs += LEASE_MS;
    expect(one.watch.mayEnd).toBe(false);
    one.nowMs += 0.01 * LEASE_MS;
    expect(one.watch.mayEnd).toBe(true);
    one.orderers = { ...closing, view: 3 };
    expect(one.watch.mayEnd).toBe(false);
  });

  test('a change is waited for anew under each of them', () => {
    const one = new Watched();
    one.connected.delete(3);
    one.has(1);
    one.watch.told(2, 1, 1);
    expect(one.watch.isHeld(1)).toBe(false);
    one.nowMs += 2 * LEASE_MS;
    one.orderers = closing;
    one.watch.told(4, 1, 2);
    expect(one.watch.isHeld(1)).toBe(false);
    one.nowMs += 2 * LEASE_MS;
    expect(one.watch.isHeld(1)).toBe(true);
  });

  test('a node that begins again learns what it has missed from those that are', () => {
    const one = new Watched(false);
    one.orderers = { view: 1, members: [new Set([2, 3, 4])], isMember: false };
    one.watch.answered(2, answer(0, 1));
    one.watch.answered(3, answer(0, 2));
    expect(one.watch.known).toBeUndefined();
    one.orderers = { view: 2, members: [new Set([2, 3, 5])], isMember: false };
    one.watch.answered(3, answer(0, 2));
    expect(one.watch.known?.version).toBe(0);
  });
});
