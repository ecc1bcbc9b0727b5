/**
 * The commands of the topology's state machine. Each carries what it expects (the generation of a
 * range, the number of a change, the term of a lease): what is stale is refused, on every replica
 * alike. Data only.
 */
import type { Timestamp } from '../accord/primitives/timestamp.ts';
import type { GroupId } from '../accord/topology/group-id.ts';
import type { NodePlaces } from './topology.ts';

/** A domain is looked after by one node at a time, under a lease. */
export const DOMAINS = ['ranges', 'replicas', 'meta'] as const;
export type Domain = (typeof DOMAINS)[number];

/** By name, for people: those of one domain, or all. */
export const CONTROLLERS = [...DOMAINS, 'all'] as const;

/** A controller says under which lease it acts; people act without one. */
export interface LeaseClaim {
  readonly domain: Domain;
  /** Node id. */
  readonly holder: number;
  readonly term: number;
}

interface ChangeName {
  readonly range: GroupId;
  readonly change: number;
  readonly lease?: LeaseClaim;
}

/** A node as flags have it: it tells the rest when it has started in the cluster. */
export interface FormNode {
  readonly id: number;
  readonly host: string;
  readonly port: number;
  readonly behaviourMax: number;
}

export interface Form {
  readonly type: 'Form';
  readonly clusterId: string;
  readonly nodes: readonly FormNode[];
  /** Node ids. */
  readonly electorate: readonly number[];
  readonly initialRanges: number;
  /** Members of a range, where there are as many nodes. */
  readonly replicationFactor: number;
  readonly rangesMax: number;
  readonly closingMax: number;
  readonly behaviourLevel: number;
}

export interface Split {
  readonly type: 'Split';
  readonly range: GroupId;
  /** A Redis slot inside the range, the first of its upper successor. */
  readonly atSlot: number;
  readonly by: string;
  readonly lease?: LeaseClaim;
}

/** Another node becomes a member in the place of one; of the meta group, perhaps none. */
export interface Move {
  readonly type: 'Move';
  readonly range: GroupId;
  /** Node ids. */
  readonly from: number;
  readonly to?: number | undefined;
  readonly by: string;
  readonly lease?: LeaseClaim;
}

/** A new member says that it has the data of a range. */
export interface HasData {
  readonly type: 'HasData';
  readonly range: GroupId;
  /** Node id. */
  readonly node: number;
}

/**
 * A member is away, or lags far behind, and the ranges keep too much for it: they go on without
 * keeping records for it, and it is owed the data of a later generation.
 */
export interface PassOver {
  readonly type: 'PassOver';
  readonly ranges: readonly GroupId[];
  /** Node id. */
  readonly node: number;
  /** The cluster's time at which it was seen. */
  readonly seenUs: number;
}

/** A member is there, and nobody has the data for it: they are kept at the end of the group. */
export interface BringIn {
  readonly range: GroupId;
  /** Node id. */
  readonly node: number;
  /** The cluster's time at which it asked. */
  readonly seenUs: number;
}

/** Its Close has been executed at `closedAt`: who says so has it from a replica that did. */
export interface Done {
  readonly type: 'Done';
  readonly range: GroupId;
  readonly change: number;
  readonly closedAt: Timestamp;
}

/** Several at once; what is stale of them is left out. */
export interface SeveralDone {
  readonly type: 'SeveralDone';
  readonly ends: readonly Done[];
}

/** It does not answer, or has been answering for long enough again, as a node saw it just now. */
export interface NodeSeen {
  readonly type: 'NodeMissed' | 'NodeBack';
  readonly node: number;
  /** The cluster's time at which it was seen. */
  readonly seenUs: number;
}

/** Takes the leases that nobody holds, and renews its own, in all domains at once. */
export interface TakeLeases {
  readonly type: 'TakeLeases';
  readonly holder: number;
  readonly leaseMs: number;
}

/** A new node asks for an id. */
export interface Join extends NodePlaces {
  readonly type: 'Join';
  /** The id that it must have, above all that were given; by default the next one. */
  readonly id?: number;
  /** 16 random bytes as hex: names it until it has an id. */
  readonly joinId: string;
}

/** All ranges of a node move to another one, and it leaves. */
interface Replace {
  readonly type: 'Replace';
  /** Node ids. */
  readonly id: number;
  readonly replacement: number;
}

/** Told by each node after each of its starts. */
export interface NodeStarted extends NodePlaces {
  readonly type: 'NodeStarted';
  readonly id: number;
  /** Which start of its data directory it is. */
  readonly incarnation: number;
}

export type MetaCommand =
  | Form
  | Split
  | Move
  | HasData
  | PassOver
  | ({ readonly type: 'BringIn' } & BringIn)
  | ({ readonly type: 'Pause' | 'Resume' | 'Cancel' | 'BeginClosing' } & ChangeName)
  | Done
  | SeveralDone
  | NodeSeen
  | TakeLeases
  | { readonly type: 'DropLeases'; readonly holder: number }
  | {
      readonly type: 'PauseController' | 'ResumeController';
      readonly domain: (typeof CONTROLLERS)[number];
    }
  | Join
  | NodeStarted
  | Replace
  | {
      readonly type: 'Drain' | 'Recommission' | 'Decommission' | 'Remove';
      /** Node id. */
      readonly id: number;
    }
  | { readonly type: 'RaiseBehaviour'; readonly from: number; readonly to: number };
