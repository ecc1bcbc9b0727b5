/**
 * A cluster behaves the same to clients and operators when its messages go through the kernel:
 * the checks of clients, operations and crashes with `--holofast kernel`, where a node that cannot
 * have it does not start.
 */
import { describe, expect, test } from 'vitest';
import { kernelSupport } from '../bpf/support.ts';
import { TestCluster } from './harness.ts';

const { addon, reason } = kernelSupport();

if (addon === undefined) {
  test.skip(`the kernel part cannot run here: ${reason}`, () => undefined);
} else {
  process.env['HOLO_HOLOFAST'] = 'kernel';

  test('a cluster that is started so runs with the kernel part', async () => {
    const cluster = await TestCluster.start();
    try {
      expect(await cluster.node(1).info('holofast')).toHaveProperty('holofast_tier', 'kernel');
    } finally {
      await cluster.remove();
    }
  });

  // Each in a suite of its own: its cluster starts when that suite does.
  describe('clients', async () => void (await import('./clients.test.ts')));
  describe('operations', async () => void (await import('./operations.test.ts')));
  describe('crashes', async () => void (await import('./crash.test.ts')));
}
