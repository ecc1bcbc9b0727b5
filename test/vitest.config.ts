import { defineConfig } from 'vitest/config';

const CLUSTERS = ['test/cluster/**/*.test.ts', 'test/security/cluster/**/*.test.ts'];

export default defineConfig({
  test: {
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: CLUSTERS },
      },
      {
        // Whole clusters of processes want the machine for themselves: one file at a time, and last.
        extends: true,
        test: {
          name: 'cluster',
          include: CLUSTERS,
          testTimeout: 120_000,
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
