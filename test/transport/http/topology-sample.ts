/** A topology as a node of three would tell it; shared by the tests of the admin port and holoctl. */
import type { TopologyReport } from '../../../transport/http/topology-report.ts';

export const TOPOLOGY: TopologyReport = {
  ...{ clusterId: 'aa'.repeat(16), epoch: 4, digest: 'dd'.repeat(16) },
  ...{ behaviourLevel: 1, rangesMax: 1_024, closingMax: 16 },
  meta: {
    members: [1, 2, 3],
    electorate: [1, 2, 3],
    appliedSequence: 7,
    generation: 1,
    owed: [],
    sinceUs: 0,
    phase: 'stable',
  },
  controllers: ['ranges', 'replicas', 'meta'].map((domain) => ({
    ...{ domain, isPaused: domain === 'meta', holder: 2, term: 3, remainingMs: 1_500 },
  })),
  jobs: [{ number: 1, kind: 'split', outcome: 'done', by: 'admin', startedUs: 1, endedUs: 2 }],
  nodes: [1, 2, 3].map((id) => ({
    ...{ id, host: '127.0.0.1', port: 15_050 + id, alive: id !== 3, state: 'active' },
    ...{ redis: `127.0.0.1:${16_378 + id}`, admin: `127.0.0.1:${18_078 + id}`, version: '0.1.0' },
  })),
  ranges: [
    {
      ...{ range: 1, generation: 1, from: 0, to: 8_192, members: [1, 2, 3], electorate: [1, 2] },
      ...{ owed: [], sinceUs: 0 },
      phase: 'stable',
    },
    {
      ...{ range: 2, generation: 5, from: 8_192, to: 16_384, members: [1, 2], electorate: [1, 2] },
      ...{ owed: [], sinceUs: 0 },
      phase: 'closing',
      change: {
        ...{ number: 2, kind: 'split', atSlot: 9_000, isPaused: false, by: 'admin', startedUs: 3 },
      },
    },
  ],
};
