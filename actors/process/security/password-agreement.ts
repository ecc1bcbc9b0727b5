/**
 * The agreement of all members on `--requirepass`: one node without the password would open all.
 * Members whose flags differ have no links. A node that as many others contradict as make up half
 * of the cluster ends: it is the one that was started with another flag.
 */
import { scryptSync } from 'node:crypto';
import type { PeerHello } from '../../../transport/peer/handshake.ts';

const PROOF_BYTES = 16;
const NO_PASSWORD = '0'.repeat(2 * PROOF_BYTES);

interface AgreementOptions {
  readonly requirepass: string;
  readonly clusterId: string;
  /** Of the cluster, with this node. */
  readonly members: number;
  /** Called once. */
  readonly outvoted: (reason: string) => void;
}

export class PasswordAgreement {
  /** Hexadecimal; made slowly, so that it tells nobody the password. */
  readonly proof: string;
  readonly #options: AgreementOptions;
  readonly #contradicting = new Set<number>();
  #isOver = false;

  constructor(options: AgreementOptions) {
    const { requirepass, clusterId } = options;
    this.#options = options;
    this.proof =
      requirepass === ''
        ? NO_PASSWORD
        : scryptSync(requirepass, `holostore requirepass ${clusterId}`, PROOF_BYTES).toString(
            'hex',
          );
  }

  /** Why a peer is refused, or `undefined`. */
  objection({ nodeId, passwordProof }: PeerHello): string | undefined {
    if (passwordProof === this.proof) {
      this.#contradicting.delete(nodeId);
      return undefined;
    }
    this.#contradicting.add(nodeId);
    const isAlone = 2 * this.#contradicting.size >= this.#options.members;
    if (isAlone && !this.#isOver) {
      this.#isOver = true;
      const nodes = [...this.#contradicting].sort((a, b) => a - b).join(', ');
      const { requirepass } = this.#options;
      const own = requirepass === '' ? 'without the --requirepass of' : 'with another one than';
      this.#options.outvoted(
        `this node was started ${own} nodes ${nodes}: give all nodes the same --requirepass ` +
          '(CONFIG SET requirepass changes the password of a running cluster)',
      );
    }
    return 'its --requirepass is another one than that of this node: give all nodes the same';
  }
}
