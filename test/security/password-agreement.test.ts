import { expect, test } from 'vitest';
import { PasswordAgreement } from '../../actors/process/security/password-agreement.ts';
import { helloOf } from '../transport/peer/loopback-nodes.ts';

function agreement(requirepass: string, members: number, clusterId = 'c') {
  const reasons: string[] = [];
  const outvoted = (reason: string): void => {
    reasons.push(reason);
  };
  return { made: new PasswordAgreement({ requirepass, clusterId, members, outvoted }), reasons };
}

const peer = (nodeId: number, passwordProof: string) => helloOf(nodeId, { passwordProof });
const proofOf = (requirepass: string) => agreement(requirepass, 3).made.proof;

test('proofs tell equal passwords of one cluster, and no password', () => {
  expect(proofOf('a')).toBe(proofOf('a'));
  expect(proofOf('a')).not.toBe(proofOf('b'));
  expect(proofOf('a')).not.toBe(agreement('a', 3, 'another').made.proof);
  expect(proofOf('')).toBe('00'.repeat(16));
});

test('a peer with another flag has no link; one of three does not end the others', () => {
  const { made, reasons } = agreement('a', 3);
  expect(made.objection(peer(2, proofOf('a')))).toBeUndefined();
  expect(made.objection(peer(3, proofOf('')))).toContain('--requirepass');
  expect(made.objection(peer(3, proofOf('b')))).toContain('--requirepass');
  expect(reasons).toEqual([]);
});

test('a node that half of the cluster contradicts ends, once', () => {
  const { made, reasons } = agreement('', 3);
  for (const node of [3, 2, 3]) made.objection(peer(node, proofOf('a')));
  expect(reasons).toEqual([
    expect.stringContaining('this node was started without the --requirepass of nodes 2, 3'),
  ]);
});

test('a peer that was corrected does not count any more', () => {
  const { made, reasons } = agreement('a', 3);
  made.objection(peer(3, proofOf('')));
  expect(made.objection(peer(3, proofOf('a')))).toBeUndefined();
  made.objection(peer(2, proofOf('')));
  expect(reasons).toEqual([]);
});
