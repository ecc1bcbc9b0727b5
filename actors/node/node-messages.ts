/**
 * Messages of the admin channel about the nodes themselves: where one is, and the cluster's table,
 * for those that do not order its changes. Data only.
 */
import type { ClusterSettings } from '../../storage/cluster-settings.ts';
import { isPlaces, isWhole, type NodePlaces } from '../meta/topology.ts';

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
}

export type NodeMessage =
  | ({ readonly type: 'NodeAnnounced' } & Announcement)
  /** The sender has no newer table than this, and is no member of the meta group. */
  | ({ readonly type: 'TableWanted' } & TableAge)
  | {
      readonly type: 'Table';
      readonly version: number;
      readonly values: readonly (readonly [name: string, value: string])[];
    };

export function isNodeMessage(message: object): boolean {
  const { type } = message as { readonly type?: unknown };
  return type === 'NodeAnnounced' || type === 'TableWanted' || type === 'Table';
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
    default:
      return undefined;
  }
}

export function tableMessage({ version, values }: ClusterSettings): NodeMessage {
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

export function isAge({ version, epoch }: TableAge): boolean {
  return isCount(version) && isCount(epoch);
}

function isCount(value: number): boolean {
  return isWhole(value, 0, Number.MAX_SAFE_INTEGER);
}
