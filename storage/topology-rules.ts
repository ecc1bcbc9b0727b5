/**
 * The rules of the cluster's topology, as the meta group's state machine is given them. Storage
 * keeps the topology as rows of the cluster's table and does not know what they mean
 * (`actors/meta/topology-rows.ts` does). Types only.
 */
import type { Timestamp } from '../actors/accord/primitives/timestamp.ts';
import type { RowChange } from './cluster-settings.ts';

interface TopologyChange {
  readonly changes: readonly RowChange[];
  /** Why nothing was done, for people; undefined: it was done. */
  readonly refused?: string;
  /** A number for whoever has sent the command. */
  readonly answer: number;
}

/**
 * Never throws, and depends on nothing but its arguments. `row`: the value of a row as it is now,
 * undefined: there is none.
 */
export type TopologyRules = (
  row: (name: string) => string | undefined,
  command: string,
  executeAt: Timestamp,
) => TopologyChange;
