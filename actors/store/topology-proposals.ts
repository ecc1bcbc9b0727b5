/**
 * Changes of the topology that this node proposes: units of the coordinator of the meta group. Each
 * is answered once, unless this incarnation ends before. Data only.
 */
import { TOPOLOGY_COMMAND, TOPOLOGY_REFUSED } from '../../storage/commands/topology-change.ts';
import { slotOfText } from '../../storage/keyspace/slots.ts';
import { requestOf } from '../../storage/request.ts';
import type { Part, PartAnswer } from '../../transport/resp/connection/part.ts';
import type { GroupId } from '../accord/topology/group-id.ts';
import { OWN_CONNECTION } from './expiry.ts';

export interface ProposalOutcome {
  /** As whoever proposes it has named it. */
  readonly token: number;
  /** `done`: with the number of the last change. `unknown`: it may have been done, or be yet. */
  readonly outcome:
    | { readonly type: 'done'; readonly change: number }
    | { readonly type: 'refused' | 'unknown'; readonly why: string };
}

export interface TopologyProposal {
  /** The meta group. */
  readonly group: GroupId;
  readonly token: number;
  readonly command: string;
}

const ANSWER_BYTES_MAX = 1_024;

export class TopologyProposals {
  /** By the sequence of their units. */
  readonly #tokens = new Map<number, number>();

  /** `sequence`: used for no other unit of this node. */
  begin({ group, token, command }: TopologyProposal, sequence: number): Part {
    this.#tokens.set(sequence, token);
    return {
      unit: { connection: OWN_CONNECTION, sequence },
      part: 0,
      groups: [group],
      bytes: requestOf([TOPOLOGY_COMMAND, command]),
      count: 1,
      layout: [1],
      protocol: 2,
      readOnly: false,
      readsFrom: 1,
      wholeStore: true,
      waits: false,
      participants: [slotOfText(TOPOLOGY_COMMAND)],
      window: ANSWER_BYTES_MAX,
    };
  }

  /** It is under way. */
  has(sequence: number): boolean {
    return this.#tokens.has(sequence);
  }

  /** The outcome, if this is the answer to one of them. */
  ended(answer: PartAnswer): ProposalOutcome | undefined {
    const { sequence } = answer.unit;
    const token = this.#tokens.get(sequence);
    if (token === undefined) return undefined;
    this.#tokens.delete(sequence);
    if (answer.type === 'PartReplies') return { token, outcome: outcomeOf(answer.replies) };
    const why = answer.type === 'PartFailed' ? answer.line : 'the answer is lost';
    return { token, outcome: { type: 'unknown', why } };
  }
}

function outcomeOf(reply: Uint8Array): ProposalOutcome['outcome'] {
  const text = Buffer.from(reply).toString('latin1').trimEnd();
  const refused = `-${TOPOLOGY_REFUSED}`;
  if (text.startsWith(refused)) return { type: 'refused', why: text.slice(refused.length) };
  const [, digits] = /^:(\d+)$/.exec(text) ?? [];
  if (digits === undefined) return { type: 'unknown', why: text.slice(1) };
  return { type: 'done', change: Number(digits) };
}
