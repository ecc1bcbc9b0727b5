/**
 * The first bytes on a peer connection: node, cluster and disk of the caller. Pure; used by both
 * ends of a link and by a node that asks for the members. The decision to accept is made elsewhere.
 *
 * Layout, big-endian: "HOLO" | protocol version u16 | kind u8 | payload length u16 | payload. The
 * nine bytes before the payload stay the same in every protocol version, so that two versions can
 * refuse each other by name.
 */

export const PROTOCOL_VERSION = 8;
const MAGIC = Buffer.from('HOLO', 'latin1');
const HEADER_BYTES = 9;
const PAYLOAD_BYTES_MAX = 16 * 1024;
const REASON_BYTES_MAX = 512;
const CLUSTER_ID_BYTES = 16;
const IDENTITY_BYTES = 100;

const KINDS = {
  ...{ hello: 1, accepted: 2, refused: 3, whoIsThere: 4, members: 5, join: 6, joined: 7 },
} as const;

/** The identity that a node claims. */
export interface PeerHello {
  /** 16 bytes as hex. */
  readonly clusterId: string;
  readonly nodeId: number;
  /** Random 16 bytes of the data directory as hex: distinguishes a replaced disk. */
  readonly diskId: string;
  /** Counts the starts of the data directory; never goes down on the same disk. */
  readonly incarnation: number;
  /** Bytes that one unit may write: members with different limits would execute differently. */
  readonly unitWriteBytesMax: number;
  /** 16 bytes as hex, of the machine that runs scripts: other ones would execute differently. */
  readonly scriptMachine: string;
  /** 16 bytes as hex: the id of the cluster that its members have formed; `NOT_FORMED` before. */
  readonly formedId: string;
  /** 16 bytes as hex: members must agree on the password that a new cluster begins with. */
  readonly passwordProof: string;
}

/**
 * The most starts of a node between two of its greetings that reach this node. A larger step is a
 * damaged counter: accepting it would refuse the node for good once it counts correctly again.
 */
export const INCARNATION_STEP_MAX = 65_536;

/** In place of the id of a cluster that a node knows nothing of yet. */
export const NOT_FORMED = '0'.repeat(32);

export interface MemberEndpoint {
  readonly id: number;
  readonly host: string;
  readonly port: number;
}

export interface MembersAnswer {
  readonly clusterId: string;
  readonly members: readonly MemberEndpoint[];
}

/** Of a node that is to be one of the cluster. */
export interface JoinRequest {
  /** 16 random bytes as hex: who asks again by the same name has the same id. */
  readonly joinId: string;
  /** The id that it must have, since it has a certificate for it; 0: any. */
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
  readonly redis: string;
  readonly admin: string;
  readonly version: string;
  readonly behaviourMax: number;
}

export interface JoinAnswer {
  readonly nodeId: number;
  /** As in `PeerHello`: 16 bytes as hex. */
  readonly clusterId: string;
  /** Those of the meta group. */
  readonly members: readonly MemberEndpoint[];
}

export type Greeting =
  /** `target` is the node that the caller means to reach. */
  | { readonly kind: 'hello'; readonly hello: PeerHello; readonly target: number }
  | { readonly kind: 'accepted'; readonly hello: PeerHello }
  | { readonly kind: 'refused'; readonly reason: string }
  /** Only a caller that names the cluster is told its members. */
  | { readonly kind: 'whoIsThere'; readonly clusterId: string }
  | { readonly kind: 'members'; readonly answer: MembersAnswer }
  /** The link has proven the cluster's secret, or a certificate. */
  | { readonly kind: 'join'; readonly request: JoinRequest }
  | { readonly kind: 'joined'; readonly answer: JoinAnswer };

type GreetingResult =
  | { readonly status: 'incomplete' }
  | { readonly status: 'complete'; readonly greeting: Greeting; readonly bytes: number }
  /** `version` is the other end's, when it speaks the protocol at all. */
  | { readonly status: 'alien'; readonly reason: string; readonly version?: number };

export function encodeGreeting(greeting: Greeting, version = PROTOCOL_VERSION): Buffer {
  const payload = encodePayload(greeting);
  const bytes = Buffer.alloc(HEADER_BYTES + payload.length);
  MAGIC.copy(bytes);
  bytes.writeUInt16BE(version, 4);
  bytes[6] = KINDS[greeting.kind];
  bytes.writeUInt16BE(payload.length, 7);
  payload.copy(bytes, HEADER_BYTES);
  return bytes;
}

/** Reads the greeting at the start of `data`. Never throws. */
export function decodeGreeting(data: Buffer): GreetingResult {
  const known = Math.min(data.length, MAGIC.length);
  if (data.compare(MAGIC, 0, known, 0, known) !== 0) {
    return { status: 'alien', reason: describeStranger(data) };
  }
  if (data.length < HEADER_BYTES) {
    return { status: 'incomplete' };
  }
  const version = data.readUInt16BE(4);
  if (version !== PROTOCOL_VERSION) {
    return {
      status: 'alien',
      reason: `the peer protocol version is ${version}, this node speaks ${PROTOCOL_VERSION}`,
      version,
    };
  }
  const length = data.readUInt16BE(7);
  if (length > PAYLOAD_BYTES_MAX) {
    return { status: 'alien', reason: `a greeting of ${length} bytes`, version };
  }
  const bytes = HEADER_BYTES + length;
  if (data.length < bytes) {
    return { status: 'incomplete' };
  }
  const greeting = decodePayload(data[6] ?? 0, data.subarray(HEADER_BYTES, bytes));
  if (greeting === undefined) {
    return { status: 'alien', reason: 'a damaged greeting', version };
  }
  return { status: 'complete', greeting, bytes };
}

/** Describes a client at the wrong port, for the log. */
export function describeStranger(data: Buffer): string {
  const start = data.toString('latin1', 0, 8);
  if (/^(GET|POST|PUT|HEAD|OPTIONS|DELETE|PATCH|PRI|HTTP)[ /]/.test(start)) {
    return 'it speaks HTTP; the admin port does that';
  }
  if (/^(\*\d|[+$:-][\w-]|PING|HELLO|AUTH|INFO)/i.test(start)) {
    return 'it speaks the Redis protocol; the Redis port does that';
  }
  if ((data[0] === 0x16 || data[0] === 0x15) && data[1] === 0x03) {
    return 'it speaks TLS; the peer port does so with --cluster-secret-file only';
  }
  return 'it does not speak the peer protocol';
}

function encodePayload(greeting: Greeting): Buffer {
  switch (greeting.kind) {
    case 'hello': {
      const payload = Buffer.alloc(IDENTITY_BYTES + 4);
      writeIdentity(payload, greeting.hello);
      payload.writeUInt32BE(greeting.target, IDENTITY_BYTES);
      return payload;
    }
    case 'accepted': {
      const payload = Buffer.alloc(IDENTITY_BYTES);
      writeIdentity(payload, greeting.hello);
      return payload;
    }
    case 'refused':
      return Buffer.from(greeting.reason, 'utf8').subarray(0, REASON_BYTES_MAX);
    case 'whoIsThere':
      return Buffer.from(greeting.clusterId, 'hex');
    case 'join':
      return Buffer.from(JSON.stringify(greeting.request), 'utf8');
    case 'members':
    case 'joined':
      return Buffer.from(JSON.stringify(greeting.answer), 'utf8');
  }
}

function decodePayload(kind: number, payload: Buffer): Greeting | undefined {
  switch (kind) {
    case KINDS.hello:
      if (payload.length !== IDENTITY_BYTES + 4) {
        return undefined;
      }
      return withIdentity(payload, (hello) => ({
        kind: 'hello',
        hello,
        target: payload.readUInt32BE(IDENTITY_BYTES),
      }));
    case KINDS.accepted:
      if (payload.length !== IDENTITY_BYTES) {
        return undefined;
      }
      return withIdentity(payload, (hello) => ({ kind: 'accepted', hello }));
    case KINDS.refused:
      return { kind: 'refused', reason: printable(payload.toString('utf8')) };
    case KINDS.whoIsThere:
      if (payload.length !== CLUSTER_ID_BYTES) {
        return undefined;
      }
      return { kind: 'whoIsThere', clusterId: payload.toString('hex') };
    case KINDS.members: {
      const answer = jsonOf(payload);
      return isMembersAnswer(answer) ? { kind: 'members', answer } : undefined;
    }
    case KINDS.join: {
      const request = jsonOf(payload);
      return isJoinRequest(request) ? { kind: 'join', request } : undefined;
    }
    case KINDS.joined: {
      const answer = jsonOf(payload);
      return isJoinAnswer(answer) ? { kind: 'joined', answer } : undefined;
    }
    default:
      return undefined;
  }
}

function writeIdentity(payload: Buffer, hello: PeerHello): void {
  payload.write(hello.clusterId, 0, 16, 'hex');
  payload.writeUInt32BE(hello.nodeId, 16);
  payload.write(hello.diskId, 20, 16, 'hex');
  payload.writeDoubleBE(hello.incarnation, 36);
  payload.writeDoubleBE(hello.unitWriteBytesMax, 44);
  payload.write(hello.formedId, 52, 16, 'hex');
  payload.write(hello.passwordProof, 68, 16, 'hex');
  payload.write(hello.scriptMachine, 84, 16, 'hex');
}

function withIdentity(payload: Buffer, make: (hello: PeerHello) => Greeting): Greeting | undefined {
  const incarnation = payload.readDoubleBE(36);
  const unitWriteBytesMax = payload.readDoubleBE(44);
  if (!Number.isSafeInteger(incarnation) || !Number.isSafeInteger(unitWriteBytesMax)) {
    return undefined;
  }
  return make({
    clusterId: payload.toString('hex', 0, 16),
    nodeId: payload.readUInt32BE(16),
    diskId: payload.toString('hex', 20, 36),
    incarnation,
    unitWriteBytesMax,
    formedId: payload.toString('hex', 52, 68),
    passwordProof: payload.toString('hex', 68, 84),
    scriptMachine: payload.toString('hex', 84, 100),
  });
}

function jsonOf(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** The topology's rules judge what the fields say. */
function isJoinRequest(value: unknown): value is JoinRequest {
  if (typeof value !== 'object' || value === null) return false;
  const { joinId, nodeId, host, port, redis, admin, version, behaviourMax } =
    value as Partial<JoinRequest>;
  const texts = [joinId, host, redis, admin, version];
  const numbers = [nodeId, port, behaviourMax];
  return (
    texts.every((text) => typeof text === 'string') &&
    numbers.every((number) => Number.isSafeInteger(number))
  );
}

function isJoinAnswer(value: unknown): value is JoinAnswer {
  const { nodeId, clusterId } = (value ?? {}) as Partial<JoinAnswer>;
  const isNamed = Number.isSafeInteger(nodeId) && /^[0-9a-f]{32}$/.test(String(clusterId));
  return isNamed && isMembersAnswer(value);
}

export function isMembersAnswer(value: unknown): value is MembersAnswer {
  if (typeof value !== 'object' || value === null) {
    return false;
  }
  const { clusterId, members } = value as Partial<MembersAnswer>;
  return (
    typeof clusterId === 'string' &&
    Array.isArray(members) &&
    members.every(
      (member) =>
        typeof member === 'object' &&
        member !== null &&
        typeof member.id === 'number' &&
        typeof member.host === 'string' &&
        typeof member.port === 'number',
    )
  );
}

/** A reason from another process goes into our log: keep it on one line. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?');
}
