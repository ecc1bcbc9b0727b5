/**
 * Messages of the admin channel about the nodes themselves: where one is, and the cluster's table
 * and changes of the topology, for those that do not order them. Data only.
 */
import type { ClusterSettings } from '../../storage/cluster-settings.ts';
import type { MetaCommand } from '../meta/meta-command.ts';
import { isPlaces, isWhole, type NodePlaces } from '../meta/topology.ts';
import type { TopologyAnswer } from './topology-actor.ts';

/** Where a node is since it has started. */
export interface Announcement extends NodePlaces {
  /** Which start of its data directory it is. */
  readonly incarnation: number;
}

/** How new a table is: neither number goes down from one state of the table to the next. */
export interface TableAge {
  /** Changes of settings and users. */
  readonly version: number;
  /** Of the topology; 0: there is none. */
  readonly epoch: number;
  /** See `metaViewOf`; 0: there is none. */
  readonly view: number;
}

/** People ask the sender for a change, and it is no member of the meta group. */
export interface ChangeAsked {
  readonly type: 'ChangeAsked';
  /** Comes back with the answer. */
  readonly token: number;
  readonly command: MetaCommand;
}

interface ChangeAnswered {
  readonly type: 'ChangeAnswered';
  readonly token: number;
  readonly answer: TopologyAnswer;
}

export type ChangeMessage = ChangeAsked | ChangeAnswered;

export type MembershipMessage =
  | ({ readonly type: 'NodeAnnounced' } & Announcement)
  /** The sender has no newer table than this, and is no member of the meta group. */
  | ({ readonly type: 'TableWanted' } & TableAge)
  | {
      readonly type: 'Table';
      readonly version: number;
      readonly values: readonly (readonly [name: string, value: string])[];
    };

export type NodeMessage = ChangeMessage | MembershipMessage;

const TYPES: ReadonlySet<unknown> = new Set<NodeMessage['type']>([
  ...(['NodeAnnounced', 'TableWanted', 'Table', 'ChangeAsked', 'ChangeAnswered'] as const),
]);

/** Commands of people; all others are the business of the members themselves. */
const ASKED: ReadonlySet<unknown> = new Set<MetaCommand['type']>([
  ...(['Split', 'Move', 'Pause', 'Resume', 'Cancel', 'Join', 'RaiseBehaviour'] as const),
  ...(['PauseController', 'ResumeController'] as const),
  ...(['Drain', 'Recommission', 'Decommission', 'Replace', 'Remove'] as const),
]);

export function isNodeMessage(message: object): boolean {
  return TYPES.has((message as { readonly type?: unknown }).type);
}

/** Undefined where it is not sound. */
export function nodeMessageOf(message: object): NodeMessage | undefined {
  const known = message as NodeMessage;
  switch (known.type) {
    case 'NodeAnnounced': {
      const isSound = isPlaces(known) && isCount(known.incarnation);
      return isSound ? known : undefined;
    }
    case 'TableWanted':
      return isAge(known) ? known : undefined;
    case 'Table': {
      const { version, values } = known;
      const isSound = isCount(version) && Array.isArray(values) && values.every(isRow);
      return isSound ? known : undefined;
    }
    case 'ChangeAsked':
      return isCount(known.token) && isAsked(known.command) ? known : undefined;
    case 'ChangeAnswered':
      return isCount(known.token) && isAnswer(known.answer) ? known : undefined;
    default:
      return undefined;
  }
}

/** The state machine judges what is in it. */
function isAsked(command: unknown): boolean {
  if (typeof command !== 'object' || command === null || 'lease' in command) return false;
  return 'type' in command && ASKED.has(command.type);
}

function isAnswer(answer: unknown): boolean {
  if (typeof answer !== 'object' || answer === null) return false;
  const { type, change, why } = answer as { type?: unknown; change?: number; why?: unknown };
  if (type === 'done') return change !== undefined && isCount(change);
  return (type === 'refused' || type === 'unknown') && typeof why === 'string';
}

export function tableMessage({ version, values }: ClusterSettings): MembershipMessage {
  return { type: 'Table', version, values: [...values] };
}

export function tableOf({
  version,
  values,
}: Extract<NodeMessage, { type: 'Table' }>): ClusterSettings {
  return { version, values: new Map(values) };
}

function isRow(row: unknown): boolean {
  return Array.isArray(row) && row.length === 2 && row.every((part) => typeof part === 'string');
}

export function isAge({ version, epoch, view }: TableAge): boolean {
  return isCount(version) && isCount(epoch) && isCount(view);
}

function isCount(value: number): boolean {
  return isWhole(value, 0, Number.MAX_SAFE_INTEGER);
}
