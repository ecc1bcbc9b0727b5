/**
 * The directory of one node: its owner (`identity.json`), and the lock that keeps other processes
 * out. `node-storage.ts` opens it before the log and the engine, which live in it. Remembers the
 * disk id of each peer, so that a peer with an emptied disk cannot pass for the one that made
 * promises. Leaves all other files in the directory alone.
 */
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { BEHAVIOUR_LEVEL } from '../../../storage/behaviour-level.ts';
import { scriptMachineDigest } from '../../../storage/commands/script/machine-digest.ts';
import { UNIT_WRITE_BYTES_MAX } from '../../../storage/limits.ts';
import { formatEndpoint, parseEndpoint } from '../../../transport/endpoint.ts';
import { fileErrorText } from '../../../transport/file-error.ts';
import {
  type JoinAnswer,
  type MemberEndpoint,
  NOT_FORMED,
  type PeerHello,
} from '../../../transport/peer/handshake.ts';
import { LineageError } from '../../log/lineage.ts';
import type { Topology } from '../../meta/topology.ts';
import { decodeTopology, encodeTopology } from '../../meta/topology-codec.ts';
import type { FormingOptions } from './kept-topology.ts';
import { ProcessLock } from './process-lock.ts';
import { replaceFile } from './replace-file.ts';

type DataDirectoryErrorCode =
  | 'HOLO_DATA_LOCKED'
  | 'HOLO_DATA_OTHER_NODE'
  | 'HOLO_DATA_OTHER_CLUSTER'
  | 'HOLO_DATA_NEWER_FORMAT'
  | 'HOLO_DATA_OLDER_FORMAT'
  | 'HOLO_DATA_DAMAGED'
  | 'HOLO_DATA_NOT_EMPTY'
  | 'HOLO_DATA_UNUSABLE';

/** `message` is one line for people. */
export class DataDirectoryError extends Error {
  readonly code: DataDirectoryErrorCode;

  constructor(code: DataDirectoryErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DataDirectoryError';
    this.code = code;
  }
}

/** Members and electorate make the cluster's name: every node must count the same votes. */
export interface DataDirectoryOptions extends FormingOptions {
  readonly path: string;
  /** The name of the cluster that this node has joined; then the members say nothing about it. */
  readonly joinedCluster?: string | undefined;
  readonly nodeId: number;
  /** The revision is recorded apart from this file, so that an older copy of it is refused. */
  readonly lineage?: {
    readonly existed: boolean;
    readonly revision: number;
    /** Makes it durable; before the first write of this file that knows of it. */
    readonly begin: () => void;
    readonly onRevision: (revision: number) => void;
  };
}

interface Identity {
  readonly format: number;
  readonly clusterId: string;
  readonly nodeId: number;
  readonly diskId: string;
  readonly incarnation: number;
  readonly members: readonly string[];
  /** It is none of the nodes of the beginning. */
  readonly joined?: boolean;
  /** As `encodeTopology` writes it; absent until the cluster is formed. */
  readonly topology?: string;
  /** The highest at which it has seen the cluster; absent: that of the topology above. */
  readonly behaviourLevel?: number;
  /** Disk ids by node id. */
  readonly peers: Readonly<Record<string, string>>;
  /** Highest incarnations of peers by node id. */
  readonly peerIncarnations?: Readonly<Record<string, number>>;
  /** Counts the writes of this file; absent before there was a lineage beside it. */
  readonly revision?: number;
  /** Over everything else. */
  readonly checksum?: string;
}

const FORMAT = 2;
const IDENTITY = 'identity.json';
const LOCK = 'lock';
const JOINING = 'joining';
/** Files that a crash between making the directory and writing the identity may leave behind. */
const HARMLESS = /^(lock(\..*)?|identity\.json\.new|joining|lineage|lost\+found)$/;

/** 16 bytes as hex; the same on every node that was given the same members and electorate. */
export function clusterIdOf(
  members: readonly MemberEndpoint[],
  electorate: readonly number[],
): string {
  const ids = new Set(electorate);
  const lines = [...members]
    .sort((a, b) => a.id - b.id)
    .map(
      (member) => `${member.id}@${formatEndpoint(member)}${ids.has(member.id) ? '' : ' silent'}`,
    );
  return createHash('sha256').update(lines.join('\n')).digest('hex').slice(0, 32);
}

/** Whether a directory is, or was meant to be, that of a node. */
export function isDataDirectory(path: string): boolean {
  return readFile(join(path, IDENTITY)) !== undefined;
}

/** The name by which a new node asks for its id: the same until it has one. Makes the directory. */
export function joinIdOf(path: string): string {
  const file = join(path, JOINING);
  const kept = readFile(file)?.trim() ?? '';
  if (/^[0-9a-f]{32}$/.test(kept)) return kept;
  const joinId = randomBytes(16).toString('hex');
  mkdirSync(path, { recursive: true });
  replaceFile(file, `${joinId}\n`);
  syncDirectory(path);
  return joinId;
}

/** The id and the cluster of a node that has joined one; undefined: it has not. */
export function joinedBefore(path: string): JoinAnswer | undefined {
  const content = readFile(join(path, IDENTITY));
  if (content === undefined) return undefined;
  const { joined, nodeId, clusterId, members } = parseIdentity(path, content);
  if (joined !== true) {
    throw new DataDirectoryError(
      'HOLO_DATA_OTHER_CLUSTER',
      `data directory ${path} belongs to node ${nodeId}, which has not joined: start it with ` +
        '--initial-members as before, or give another --data-dir',
    );
  }
  return { nodeId, clusterId, members: members.flatMap(endpointOf) };
}

function endpointOf(member: string): readonly MemberEndpoint[] {
  const [, id, where = ''] = /^(\d+)@(.+)$/.exec(member) ?? [];
  const place = parseEndpoint(where);
  return place === undefined ? [] : [{ id: Number(id), ...place }];
}

export class DataDirectory {
  readonly path: string;
  /** True when no node had used the directory before. */
  readonly isNew: boolean;
  /** The one that the cluster was formed with; undefined before. */
  topology: Topology | undefined;
  readonly #options: DataDirectoryOptions;
  readonly #lock: ProcessLock;
  #identity: Identity;

  private constructor(
    options: DataDirectoryOptions,
    path: string,
    lock: ProcessLock,
    identity: Identity,
    topology: Topology | undefined,
    isNew: boolean,
  ) {
    this.#options = options;
    this.path = path;
    this.isNew = isNew;
    this.#lock = lock;
    this.#identity = identity;
    this.topology = topology;
  }

  /**
   * Locks the directory, checks or makes its identity and counts the start. Synchronous.
   *
   * @throws DataDirectoryError
   */
  static open(options: DataDirectoryOptions): DataDirectory {
    const path = resolve(options.path);
    const lock = lockDirectory(path);
    try {
      const found = readIdentity(path, options);
      const identity = found ?? newIdentity(path, options);
      const topology = topologyOf(path, identity);
      checkLevel(path, levelOf(identity, topology));
      if (identity.revision === undefined) options.lineage?.begin();
      const started = next({ ...identity, incarnation: identity.incarnation + 1 }, options);
      writeIdentity(path, started, options);
      if (found === undefined) syncDirectory(dirname(path));
      return new DataDirectory(options, path, lock, started, topology, found === undefined);
    } catch (error) {
      lock.release();
      throw asDataDirectoryError(path, error);
    }
  }

  /** This node's introduction to its peers. */
  get hello(): Omit<PeerHello, 'passwordProof'> {
    const { clusterId, nodeId, diskId, incarnation } = this.#identity;
    return {
      ...{ clusterId, nodeId, diskId, incarnation },
      unitWriteBytesMax: UNIT_WRITE_BYTES_MAX,
      scriptMachine: scriptMachineDigest(),
      formedId: this.topology?.clusterId ?? NOT_FORMED,
    };
  }

  /** Highest incarnations of peers, also of earlier runs, by node id. */
  get peerIncarnations(): ReadonlyMap<number, number> {
    const entries = Object.entries(this.#identity.peerIncarnations ?? {});
    return new Map(entries.map(([node, incarnation]) => [Number(node), incarnation]));
  }

  /**
   * The reason why a peer with this disk is refused, or `undefined`. The first disk of a peer and
   * its highest incarnation are remembered, durably, before it is let in. The peer is told the
   * reason: it names no disk, since a caller that names the right disk would be believed.
   */
  verifyPeer(hello: Pick<PeerHello, 'nodeId' | 'diskId' | 'incarnation'>): string | undefined {
    const key = String(hello.nodeId);
    const { peers, peerIncarnations = {} } = this.#identity;
    const known = peers[key];
    const otherDisk = this.otherDisk(hello);
    if (otherDisk !== undefined) return otherDisk;
    const incarnation = Math.max(hello.incarnation, peerIncarnations[key] ?? 0);
    if (known !== undefined && incarnation === peerIncarnations[key]) return undefined;
    const changes = {
      peers: { ...peers, [key]: hello.diskId },
      peerIncarnations: { ...peerIncarnations, [key]: incarnation },
    };
    const identity = next({ ...this.#identity, ...changes }, this.#options);
    try {
      writeIdentity(this.path, identity, this.#options);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (known === undefined) return `its disk could not be written down: ${code}`;
      // A full disk must not shut out a peer that restarts: the incarnation is kept in memory.
    }
    this.#identity = identity;
    return undefined;
  }

  /**
   * The cluster has been formed with this topology: durable before it returns.
   *
   * @throws DataDirectoryError
   */
  formed(topology: Topology): void {
    this.#rewrite({ topology: encodeTopology(topology) });
    this.topology = topology;
  }

  /**
   * The cluster is at this behaviour level: durable before it returns, so that no older release
   * opens the directory.
   *
   * @throws DataDirectoryError also where this release does not know the level
   */
  behavesAt(level: number): void {
    checkLevel(this.path, level);
    if (level <= levelOf(this.#identity, this.topology)) return;
    this.#rewrite({ behaviourLevel: level });
  }

  #rewrite(changes: Partial<Identity>): void {
    const identity = next({ ...this.#identity, ...changes }, this.#options);
    try {
      writeIdentity(this.path, identity, this.#options);
    } catch (error) {
      throw asDataDirectoryError(this.path, error);
    }
    this.#identity = identity;
  }

  /** Why a peer with this disk is refused, whatever else it says; remembers nothing. */
  otherDisk({ nodeId, diskId }: Pick<PeerHello, 'nodeId' | 'diskId'>): string | undefined {
    const known = this.#identity.peers[String(nodeId)];
    if (known === undefined || known === diskId) return undefined;
    return (
      `node ${nodeId} comes with another disk than the one that this node knows: ` +
      'its data directory was replaced or emptied, and its promises are lost; ' +
      'start it with the directory that it had'
    );
  }

  /** Gives the lock back; the files stay. */
  close(): void {
    this.#lock.release();
  }
}

function lockDirectory(path: string): ProcessLock {
  let lock: ProcessLock | number;
  try {
    mkdirSync(path, { recursive: true });
    lock = ProcessLock.take(join(path, LOCK));
  } catch (error) {
    throw asDataDirectoryError(path, error);
  }
  if (typeof lock === 'number') {
    throw new DataDirectoryError(
      'HOLO_DATA_LOCKED',
      `data directory ${path} is in use by another node (process ${lock}): ` +
        'end that one, or give each node a directory of its own with --data-dir',
    );
  }
  return lock;
}

function readIdentity(path: string, options: DataDirectoryOptions): Identity | undefined {
  const content = readFile(join(path, IDENTITY));
  if (content === undefined) return undefined;
  const identity = parseIdentity(path, content);
  checkRevision(path, identity, options);
  if (identity.nodeId !== options.nodeId) {
    throw new DataDirectoryError(
      'HOLO_DATA_OTHER_NODE',
      `data directory ${path} belongs to node ${identity.nodeId}, not to node ` +
        `${options.nodeId}: --node-id or --data-dir is wrong`,
    );
  }
  // Flags are hints where to dial once the cluster is formed.
  const isHint = identity.topology !== undefined || identity.joined === true;
  if (!isHint && identity.clusterId !== clusterIdOf(options.members, options.electorate)) {
    throw new DataDirectoryError(
      'HOLO_DATA_OTHER_CLUSTER',
      `data directory ${path} belongs to another cluster: its members (and electorate) were ` +
        `${identity.members.join(',')}; give these again, or another --data-dir`,
    );
  }
  return identity;
}

function parseIdentity(path: string, content: string): Identity {
  let value: Partial<Identity> | null;
  try {
    value = JSON.parse(content) as Partial<Identity> | null;
  } catch {
    value = null;
  }
  if (typeof value?.format === 'number' && value.format > FORMAT) {
    throw new DataDirectoryError(
      'HOLO_DATA_NEWER_FORMAT',
      `data directory ${path} has format ${value.format}, this version reads up to ` +
        `${FORMAT}: run the version that wrote it, or a newer one`,
    );
  }
  if (typeof value?.format === 'number' && value.format < FORMAT) {
    throw new DataDirectoryError(
      'HOLO_DATA_OLDER_FORMAT',
      `data directory ${path} has format ${value.format}, this version reads only ${FORMAT}: ` +
        'run the version that wrote it, or begin with empty directories on all nodes',
    );
  }
  if (!isIdentity(value)) {
    throw new DataDirectoryError('HOLO_DATA_DAMAGED', `${join(path, IDENTITY)} is damaged`);
  }
  return value;
}

function isIdentity(value: Partial<Identity> | null): value is Identity {
  const hex = /^[0-9a-f]{32}$/;
  return (
    value !== null &&
    value.format === FORMAT &&
    hex.test(String(value.clusterId)) &&
    hex.test(String(value.diskId)) &&
    Number.isSafeInteger(value.nodeId) &&
    Number.isSafeInteger(value.incarnation) &&
    Array.isArray(value.members) &&
    (value.topology === undefined || typeof value.topology === 'string') &&
    typeof value.peers === 'object' &&
    value.peers !== null &&
    Object.values(value.peers).every((disk) => hex.test(String(disk))) &&
    Object.values(value.peerIncarnations ?? {}).every((count) => Number.isSafeInteger(count))
  );
}

function newIdentity(path: string, options: DataDirectoryOptions): Identity {
  const stranger = readdirSync(path).find((name) => !HARMLESS.test(name));
  if (stranger !== undefined) {
    throw new DataDirectoryError(
      'HOLO_DATA_NOT_EMPTY',
      `data directory ${path} has no ${IDENTITY} and is not empty (it holds ${stranger}): ` +
        'give an empty or a new one with --data-dir, or put the identity back',
    );
  }
  const { joinedCluster } = options;
  const clusterId = joinedCluster ?? clusterIdOf(options.members, options.electorate);
  return {
    format: FORMAT,
    clusterId,
    ...(joinedCluster === undefined ? {} : { joined: true }),
    nodeId: options.nodeId,
    diskId: randomBytes(16).toString('hex'),
    incarnation: 0,
    members: options.members.map((member) => `${member.id}@${formatEndpoint(member)}`),
    peers: {},
  };
}

function topologyOf(path: string, identity: Identity): Topology | undefined {
  if (identity.topology === undefined) return undefined;
  const topology = decodeTopology(identity.topology);
  if (topology === undefined) {
    throw new DataDirectoryError(
      'HOLO_DATA_DAMAGED',
      `the topology in ${join(path, IDENTITY)} is damaged`,
    );
  }
  return topology;
}

function levelOf({ behaviourLevel = 0 }: Identity, topology: Topology | undefined): number {
  return Math.max(behaviourLevel, topology?.behaviourLevel ?? 0);
}

function checkLevel(path: string, level: number): void {
  if (level <= BEHAVIOUR_LEVEL) return;
  throw new DataDirectoryError(
    'HOLO_DATA_NEWER_FORMAT',
    `the cluster of ${path} is at behaviour level ${level}, this version knows levels up to ` +
      `${BEHAVIOUR_LEVEL}: run a newer one`,
  );
}

/** With the number and the checksum of the next write, where there is a lineage. */
function next(identity: Identity, { lineage }: DataDirectoryOptions): Identity {
  if (lineage === undefined) return identity;
  const numbered = { ...identity, revision: (identity.revision ?? lineage.revision) + 1 };
  return { ...numbered, checksum: checksumOf(numbered) };
}

function checksumOf(identity: Identity): string {
  const { checksum: _checksum, ...rest } = identity;
  return createHash('sha256').update(JSON.stringify(rest)).digest('hex').slice(0, 16);
}

function checkRevision(path: string, identity: Identity, { lineage }: DataDirectoryOptions): void {
  if (lineage === undefined) return;
  const { revision, checksum } = identity;
  const file = join(path, IDENTITY);
  if (checksum !== undefined && checksum !== checksumOf(identity)) {
    throw new DataDirectoryError('HOLO_DATA_DAMAGED', `${file} was changed by hand`);
  }
  if (revision !== undefined && !lineage.existed) {
    const what = `${join(path, 'lineage')} is missing or damaged`;
    throw new DataDirectoryError('HOLO_DATA_DAMAGED', what);
  }
  if ((revision ?? 0) < lineage.revision) {
    throw new LineageError('HOLO_DATA_SET_BACK', `${file} is an older copy of itself`);
  }
}

/** Durable under its name before it returns. */
function writeIdentity(path: string, identity: Identity, { lineage }: DataDirectoryOptions): void {
  replaceFile(join(path, IDENTITY), `${JSON.stringify(identity, null, 2)}\n`);
  syncDirectory(path);
  if (identity.revision !== undefined) lineage?.onRevision(identity.revision);
}

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

function readFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function asDataDirectoryError(path: string, error: unknown): DataDirectoryError | LineageError {
  if (error instanceof DataDirectoryError || error instanceof LineageError) return error;
  const message = `data directory ${path} cannot be used: ${fileErrorText(error)}`;
  return new DataDirectoryError('HOLO_DATA_UNUSABLE', message, { cause: error });
}
