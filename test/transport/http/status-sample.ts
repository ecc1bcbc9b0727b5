/** A status as a node of three would give it; shared by the tests of the admin port and holoctl. */
import type { NodeStatus } from '../../../transport/http/node-status.ts';

export function statusOf(node: number, changes: Partial<NodeStatus> = {}): NodeStatus {
  return {
    node,
    version: '0.1.0',
    clusterId: 'aa'.repeat(16),
    formedId: 'dd'.repeat(16),
    incarnation: 1,
    uptimeMs: 1000,
    redis: `127.0.0.1:${16_378 + node}`,
    admin: `127.0.0.1:${15_079 + node}`,
    members: [1, 2, 3].map((id) => ({
      id,
      host: '127.0.0.1',
      port: 15_050 + id,
      alive: id !== 3,
    })),
    appliedWatermarkUs: 1_763_700_000_000_000,
    appliedSequence: 1000 + node,
    paths: { fast: 900, slow: 90, recovered: 9, invalidated: 1 },
    keys: 42,
    clients: 5,
    commandsTotal: 12_345,
    ...changes,
  };
}
