import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** They attach programs to the loopback, and measure there. */
const KERNEL = ['test/bpf/{kernel,native}/**/*.test.ts', 'test/bpf/node-holofast.test.ts'];
const CLUSTERS = ['test/cluster/**/*.test.ts', 'test/security/cluster/**/*.test.ts'];
/** Clusters under load, browsers, and those that judge shares, memory or times. */
const ALONE = [
  'amplification',
  'check-linearizability',
  'clients',
  'console',
  'crash',
  'differential-kills',
  'film',
  'kernel',
  'large-pipelines',
  'limits',
  'memory-budget',
  'pubsub',
  'scarce',
  'waiting',
  'worst',
].map((name) => `test/cluster/${name}.test.ts`);

export default defineConfig({
  test: {
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...KERNEL, ...CLUSTERS],
          // By default one processor is left idle, which is half of a small machine.
          maxWorkers: availableParallelism(),
        },
      },
      {
        extends: true,
        test: { name: 'kernel', include: KERNEL, maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
      {
        // Whole clusters of processes, which mostly wait for each other.
        extends: true,
        test: {
          name: 'cluster',
          include: CLUSTERS,
          exclude: ALONE,
          testTimeout: 120_000,
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
      {
        // One file at a time, and last: they want the machine for themselves.
        extends: true,
        test: {
          name: 'alone',
          include: ALONE,
          testTimeout: 120_000,
          maxWorkers: 1,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
