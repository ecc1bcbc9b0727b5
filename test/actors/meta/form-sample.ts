/** A cluster of three nodes with one range, for tests of the topology. */
import type { Form } from '../../../actors/meta/meta-command.ts';

export const FORM: Form = {
  type: 'Form',
  clusterId: '00112233445566778899aabbccddeeff',
  nodes: [1, 2, 3].map((id) => ({ id, host: `host-${id}`, port: 7_000 + id, behaviourMax: 1 })),
  electorate: [1, 2, 3],
  ...{ initialRanges: 1, replicationFactor: 9, rangesMax: 16, closingMax: 2, behaviourLevel: 1 },
};
