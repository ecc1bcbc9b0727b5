/**
 * Judges single fields of peers' messages: timestamps, marks, lists of ids, definitions. Pure; the
 * table of messages is in `validation.ts`. Nothing is copied or decoded here: a message that passes
 * is decoded where it is used.
 */
import { decodeSpanningBody } from '../primitives/spanning-body.ts';
import {
  Flags,
  flagsAt,
  hlcAt,
  nodeAt,
  STORE_MAX,
  storeAt,
  TIMESTAMP_BYTES,
  type Timestamp,
} from '../primitives/timestamp.ts';
import { decodeSuccessors, whyNotSuccessors } from '../topology/close-body.ts';
import type { Group } from '../topology/group.ts';
import { isSameGroup } from '../topology/group-id.ts';

/** Why a message is refused. A fixed set: these are labels of a metric. */
export const DEFECTS = [
  /** No such message, or none for a peer to send. */
  'type',
  /** A field is missing, too many, or of another type than it must be. */
  'shape',
  /** A number out of range, or no whole number. */
  'range',
  /** Names a node that is no member. */
  'member',
  /** Bytes that are not in the canonical form. */
  'encoding',
  /** More bytes or ids than the limits allow. */
  'size',
  /** This peer may not say it, or not to this node. */
  'sender',
  /** The fields contradict one another. */
  'sense',
] as const;
export type Defect = (typeof DEFECTS)[number];

export interface ValidationLimits {
  /** Command bytes of one transaction. */
  readonly bodyBytesMax: number;
  /** Transaction ids in one list. */
  readonly idsMax: number;
  /**
   * How far ahead of the cluster's time a timestamp may lie. Far beyond any difference of clocks:
   * it keeps out damaged numbers. The clock would follow such a number, and peers would refuse
   * every later timestamp of this node.
   */
  readonly aheadUsMax: number;
}

const VALIDATION_LIMITS: ValidationLimits = Object.freeze({
  bodyBytesMax: 64 * 1024 * 1024,
  idsMax: 1_048_576,
  aheadUsMax: 10 * 365 * 86_400 * 1_000_000,
});

export type Judgement = Defect | undefined;

export interface FieldValidatorOptions {
  readonly group: Group;
  /** All nodes of the cluster: any of them may coordinate over several groups. */
  readonly nodes?: ReadonlySet<number>;
  readonly limits?: Partial<ValidationLimits>;
  /** The cluster's time, microseconds. */
  readonly nowUs: () => number;
  /** Whether bytes are whole commands, so that executing them cannot fail half way. */
  readonly isBody: (bytes: Uint8Array) => boolean;
}

const SPANNING = Flags.WRITE | Flags.SPANNING;
const CLOSE = Flags.WRITE | Flags.CLOSE;

export class FieldValidator {
  readonly #group: Group;
  readonly #limits: ValidationLimits;
  readonly #nodes: ReadonlySet<number>;
  readonly #isBody: (bytes: Uint8Array) => boolean;
  readonly #nowUs: () => number;
  #hlcUsMax = 0;

  constructor(options: FieldValidatorOptions) {
    this.#group = options.group;
    this.#limits = { ...VALIDATION_LIMITS, ...options.limits };
    this.#nodes = options.nodes ?? new Set(options.group.members);
    this.#isBody = options.isBody;
    this.#nowUs = options.nowUs;
  }

  /** The following calls judge by the present time. */
  begin(): void {
    this.#hlcUsMax = this.#nowUs() + this.#limits.aheadUsMax;
  }

  isNode(node: number): boolean {
    return this.#nodes.has(node);
  }

  /** A timestamp of a transaction that a member, or over several groups any node, has minted. */
  timestamp(value: unknown): Judgement {
    return this.#minted(value, 0);
  }

  vote(value: unknown): Judgement {
    const flags = (value as Partial<Timestamp> | null | undefined)?.flags ?? 0;
    return this.#minted(value, flags & Flags.REJECTED);
  }

  /** Of any node: it may recover a transaction over several groups. */
  ballot(value: unknown): Judgement {
    if (isZero(value)) return undefined;
    if (typeof value !== 'object' || value === null) return 'shape';
    const { hlc, flags, node, store } = value as Partial<Timestamp>;
    if (!this.#isHlc(hlc) || flags !== 0 || !isStore(store)) return 'range';
    return this.#nodes.has(node as number) ? undefined : 'member';
  }

  #minted(value: unknown, refusal: number): Judgement {
    if (typeof value !== 'object' || value === null) return 'shape';
    const { hlc, flags, node, store } = value as Partial<Timestamp>;
    const kind = (flags as number) ^ refusal;
    if (!this.#isHlc(hlc) || !isStore(store)) return 'range';
    if (kind === Flags.WRITE || kind === CLOSE) return this.#member(node);
    if (kind !== SPANNING) return 'range';
    return this.#nodes.has(node as number) ? undefined : 'member';
  }

  /** A bound between timestamps: zero, a transaction's id, or a time of no node. */
  mark(value: unknown): Judgement {
    if (isZero(value)) return undefined;
    if (typeof value !== 'object' || value === null) return 'shape';
    const { hlc, flags, node, store } = value as Partial<Timestamp>;
    if (node !== 0 || flags !== 0) return this.timestamp(value);
    return this.#isHlc(hlc) && store === 0 ? undefined : 'range';
  }

  /** `encodeDeps` bytes, read where they are: nothing is made of them here. */
  ids(value: unknown): Judgement {
    if (!(value instanceof Uint8Array)) return 'shape';
    const { length } = value;
    if (length % TIMESTAMP_BYTES !== 0) return 'encoding';
    if (length / TIMESTAMP_BYTES > this.#limits.idsMax) return 'size';
    let hlc = 0;
    let flags = 0;
    let node = -1;
    let store = -1;
    for (let at = 0; at < length; at += TIMESTAMP_BYTES) {
      const itsHlc = hlcAt(value, at);
      const itsNode = nodeAt(value, at);
      const itsStore = storeAt(value, at);
      const itsFlags = flagsAt(value, at);
      if (itsHlc === 0 || itsHlc > this.#hlcUsMax) return 'range';
      if (itsFlags !== Flags.WRITE && itsFlags !== SPANNING && itsFlags !== CLOSE) return 'range';
      if (itsNode !== node || itsFlags !== flags) {
        const isSpanning = itsFlags === SPANNING;
        const isMinter = isSpanning ? this.#nodes.has(itsNode) : this.#group.bit(itsNode) !== 0;
        if (!isMinter) return 'member';
      }
      const order = itsHlc - hlc || itsFlags - flags || itsNode - node || itsStore - store;
      if (order <= 0) return 'encoding';
      hlc = itsHlc;
      flags = itsFlags;
      node = itsNode;
      store = itsStore;
    }
    return undefined;
  }

  definition(slots: unknown, body: unknown, id: unknown): Judgement {
    if (!(body instanceof Uint8Array)) return 'shape';
    if (body.length > this.#limits.bodyBytesMax) return 'size';
    const defect = slots === null ? undefined : this.#slots(slots);
    if (defect !== undefined) return defect;
    const flags = (id as Partial<Timestamp> | null | undefined)?.flags;
    if (flags === CLOSE) return this.#closing(slots, body);
    const isSound = flags === SPANNING ? this.#isSpanningBody(body) : this.#isBody(body);
    return isSound ? undefined : 'encoding';
  }

  /** The end of a group touches all of it, and names groups that can follow it. */
  #closing(slots: unknown, body: Uint8Array): Judgement {
    if (slots !== null) return 'sense';
    try {
      const why = whyNotSuccessors(this.#group, decodeSuccessors(body));
      return why === undefined ? undefined : 'sense';
    } catch (error) {
      if (error instanceof RangeError) return 'encoding';
      throw error;
    }
  }

  /** It names this group, and the rest of it is commands. */
  #isSpanningBody(body: Uint8Array): boolean {
    try {
      const { parts, commands } = decodeSpanningBody(body);
      const isHere = parts.some(({ group }) => isSameGroup(group, this.#group.id));
      return isHere && this.#isBody(commands);
    } catch (error) {
      if (error instanceof RangeError) return false;
      throw error;
    }
  }

  /** Any bytes: the entries that a transaction over several groups has read. */
  bytes(value: unknown): Judgement {
    return value instanceof Uint8Array ? undefined : 'shape';
  }

  /** `encodeParticipants` bytes: slots of this group and of no other. */
  #slots(slots: unknown): Judgement {
    if (!(slots instanceof Uint8Array)) return 'shape';
    if (slots.length % 2 !== 0) return 'encoding';
    const { fromConflictSlot, toConflictSlot } = this.#group;
    let previous = -1;
    for (let at = 0; at < slots.length; at += 2) {
      const slot = (slots[at] as number) | ((slots[at + 1] as number) << 8);
      if (slot <= previous) return 'encoding';
      if (slot < fromConflictSlot || slot >= toConflictSlot) return 'range';
      previous = slot;
    }
    return undefined;
  }

  #isHlc(hlc: unknown): boolean {
    return Number.isSafeInteger(hlc) && (hlc as number) > 0 && (hlc as number) <= this.#hlcUsMax;
  }

  #member(node: unknown): Judgement {
    return this.#group.bit(node as number) === 0 ? 'member' : undefined;
  }
}

function isZero(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { hlc, flags, node, store } = value as Partial<Timestamp>;
  return hlc === 0 && flags === 0 && node === 0 && store === 0;
}

function isStore(store: unknown): boolean {
  return Number.isInteger(store) && (store as number) >= 0 && (store as number) <= STORE_MAX;
}

export function wholeNumber(value: unknown, max: number): Judgement {
  if (typeof value !== 'number') return 'shape';
  return Number.isSafeInteger(value) && value >= 0 && value <= max ? undefined : 'range';
}
