import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** They attach programs to the loopback, and measure there. */
const KERNEL = ['test/bpf/{kernel,native}/**/*.test.ts', 'test/bpf/node-holofast.test.ts'];
const CLUSTERS = ['test/cluster/**/*.test.ts', 'test/security/cluster/**/*.test.ts'];

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
        // Whole clusters of processes want the machine for themselves: one file at a time, and last.
        extends: true,
        test: {
          name: 'cluster',
          include: CLUSTERS,
          testTimeout: 120_000,
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
