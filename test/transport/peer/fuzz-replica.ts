/**
 * `node --import tsx test/transport/peer/fuzz-replica.ts [frames] [seed]`: damaged frames against the door of
 * a replica and a coordinator that are in the middle of their work. Frames are decoded, judged and
 * handled as a node does it. Nothing may throw, and what the node then says, logs and executes must
 * be sound itself: its peers would take every message of it. Memory stays within the limits.
 */
import { pathToFileURL } from 'node:url';
import type { CoordinatorEffect } from '../../../actors/accord/coordinate/coordinator.ts';
import type { Effect } from '../../../actors/accord/local/effects.ts';
import { decodeRecord, encodeRecord } from '../../../actors/accord/local/journal.ts';
import type { ReplicaMessage } from '../../../actors/accord/local/replica.ts';
import { type AccordMessage, isForCoordinator } from '../../../actors/accord/messages/messages.ts';
import { MESSAGE_TYPES, MessageValidator } from '../../../actors/accord/messages/validation.ts';
import { encodeParticipants } from '../../../actors/accord/primitives/participants.ts';
import type { Timestamp } from '../../../actors/accord/primitives/timestamp.ts';
import { isSameGroup } from '../../../actors/accord/topology/group-id.ts';
import { isFramedRequest, readFrame, requestFrame } from '../../../actors/frames/accord-frames.ts';
import { PEER_GROUP } from '../../../bpf/path/frame-path.ts';
import { Channel, decodeFrame } from '../../../transport/peer/codec.ts';
import { FrameError } from '../../../transport/peer/frame-error.ts';
import { MIXES } from '../../actors/accord/knobs.ts';
import { ProtocolCluster, seeded } from '../../actors/accord/protocol-cluster.ts';
import type { SimulatedNode } from '../../actors/accord/simulated-node.ts';
import { GROUP, protocolFrame } from './frames.ts';
import { damage, damageFrame, type Loose, pick, type Random } from './mutations.ts';

export interface FuzzReport {
  readonly frames: number;
  readonly undecodable: number;
  readonly accepted: number;
  readonly refused: Readonly<Record<string, number>>;
  /** Messages that the node sent in answer. */
  readonly answers: number;
  readonly executions: number;
  readonly heapMbMax: number;
}

const SELF = 1;
const MEMBERS = [1, 2, 3];
const PEERS = [2, 3];
/** Frames against one scene; then there is a fresh one. */
const SCENE_FRAMES = 5_000;
const TICK_FRAMES = 500;
const HELD_BYTES_MAX = 4 * 2 ** 20;
const US_PER_FRAME = 1_000;
const TYPES: ReadonlySet<string> = new Set(MESSAGE_TYPES);

class Stopped extends Error {}

interface Sample {
  readonly from: number;
  readonly message: AccordMessage;
}

/** A node in the midst of a storm of crashes and losses, and what its peers have said until now. */
class Scene {
  readonly node: SimulatedNode;
  readonly samples: Sample[] = [];
  readonly validators = new Map<number, MessageValidator>();
  nowUs: number;
  nowMs: number;
  answers = 0;
  executions = 0;
  #sequence: number;

  constructor(seed: number) {
    const limits = { heldBytesMax: HELD_BYTES_MAX };
    const mix = pick(seeded(seed), [MIXES.STORM, MIXES.SETTLING, MIXES.READERS]);
    const replica = { ...mix.replica, ...limits };
    const cluster = new ProtocolCluster(seed, { ...mix, nodes: 3, electorate: 3, replica });
    const node = cluster.nodes.get(SELF);
    if (node === undefined) throw new Error('there is no node');
    this.node = node;
    const { invariants } = cluster;
    const left = invariants.left.bind(invariants);
    const stopAfter = 100 + (seed % 400);
    invariants.left = (from, message) => {
      left(from, message);
      if (from !== SELF && TYPES.has(message.type)) {
        this.samples.push({ from, message: message as AccordMessage });
      }
      if (this.samples.length >= stopAfter && node.up) throw new Stopped();
    };
    try {
      cluster.live();
    } catch (error) {
      if (!(error instanceof Stopped)) throw error;
    }
    this.nowMs = cluster.nowMs;
    this.nowUs = node.clock.presentUs;
    node.replica.takeEffects();
    node.coordinator.takeEffects();
    this.#sequence = node.replica.view.sequence;
    for (const self of MEMBERS) {
      const { group } = cluster;
      const isBody = (body: Uint8Array): boolean => body[0] !== 0xfe;
      const nowUs = (): number => this.nowUs;
      this.validators.set(self, new MessageValidator({ self, group, nowUs, isBody }));
    }
  }

  pass(us: number): void {
    this.nowUs += us;
    this.nowMs += us / 1_000;
  }

  judge(from: number, to: number, message: object): string | undefined {
    return this.validators.get(to)?.judge(from, message);
  }

  handle(from: number, message: ReplicaMessage | AccordMessage): void {
    const { replica, coordinator } = this.node;
    if (isForCoordinator(message)) coordinator.handle(from, message, this.nowMs);
    else replica.handle(from, message as ReplicaMessage, this.nowMs);
    this.#perform();
  }

  tick(): void {
    this.node.replica.tick(this.nowMs);
    this.node.coordinator.tick(this.nowMs);
    this.#perform();
  }

  #perform(): void {
    const { replica, coordinator } = this.node;
    for (;;) {
      const effects = [...replica.takeEffects(), ...coordinator.takeEffects()];
      if (effects.length === 0) return;
      for (const effect of effects) this.#check(effect);
    }
  }

  #check(effect: Effect | CoordinatorEffect): void {
    switch (effect.type) {
      case 'Send':
      case 'Reply':
        return this.#said(effect.to, effect.message as AccordMessage);
      case 'Persist': {
        const { type, parts } = encodeRecord(GROUP, effect.record);
        decodeRecord(type, Buffer.concat(parts));
        if ('id' in effect.record) mintedByMember(effect.record.id);
        return;
      }
      case 'Execute':
        this.executions += 1;
        this.#sequence += 1;
        if (effect.execution.sequence !== this.#sequence) throw new Error('a gap in the order');
        return mintedByMember(effect.execution.id);
      case 'Recover':
        return this.node.coordinator.recover(effect.id, effect.definition, this.nowMs);
      default:
        return;
    }
  }

  #said(to: number, message: AccordMessage): void {
    const { replica, coordinator } = this.node;
    if (to === SELF) {
      if (isForCoordinator(message)) coordinator.handle(SELF, message, this.nowMs);
      else replica.handle(SELF, message, this.nowMs);
      return;
    }
    this.answers += 1;
    const defect = this.judge(SELF, to, message);
    if (defect !== undefined) throw new Error(`it says to ${to} (${defect}): ${show(message)}`);
    if (message.type !== 'PreAcceptOk') return;
    mintedByMember(message.id);
    if (message.id.node !== to) throw new Error(`a vote of nobody's: ${show(message)}`);
    const participants = replica.view.find(message.id)?.definition?.participants;
    if (participants === undefined) throw new Error(`a vote on nothing: ${show(message)}`);
    const slots = encodeParticipants(participants);
    if (slots !== null && slots.length !== 2 * participants.length) throw new Error('odd slots');
  }
}

/** By hand, not by the judge. */
function mintedByMember({ hlc, flags, node, store }: Timestamp): void {
  const sound = MEMBERS.includes(node) && flags === 2 && store >= 0 && store < 2 ** 16;
  if (!sound || !Number.isSafeInteger(hlc) || hlc <= 0) {
    throw new Error(`nobody minted ${hlc}, ${flags}, ${node}, ${store}`);
  }
}

function show(message: object): string {
  return JSON.stringify(message, (_key, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
  );
}

interface Arriving {
  readonly from: number;
  readonly frame: Buffer;
  /** It comes over UDP, one message as one frame of its own. */
  readonly single?: true;
}

function frameOf(random: Random, samples: readonly Sample[]): Arriving {
  const { from, message } = pick(random, samples);
  if (isFramedRequest(message) && random() < 0.3) {
    const frame = requestFrame(message, MEMBERS.indexOf(from), PEER_GROUP, GROUP);
    for (let flips = Math.floor(random() * 3); flips > 0; flips -= 1) {
      frame[Math.floor(random() * frame.length)] = Math.floor(random() * 256);
    }
    return { from, frame, single: true };
  }
  let loose: Loose = { ...message };
  const kind = random();
  if (kind >= 0.1 && kind < 0.9) {
    for (let times = random() < 0.7 ? 1 : 3; times > 0; times -= 1) {
      loose = damage(random, loose, { ...pick(random, samples).message });
    }
  }
  const frame = protocolFrame([loose]);
  const sender = random() < 0.9 ? from : pick(random, PEERS);
  return { from: sender, frame: kind < 0.8 ? frame : damageFrame(random, frame) };
}

/** Behind the tag, which the path has checked. */
function readSingle(frame: Uint8Array): object[] {
  const content = readFrame(frame);
  if (content === undefined || !('message' in content)) return [];
  return isSameGroup(content.group, GROUP) ? [content.message] : [];
}

/** The messages that a router would hand to the group; there are no other groups or channels. */
function readSections(frame: Uint8Array): object[] {
  const { channel, sections } = decodeFrame(frame);
  if (channel !== Channel.protocol) return [];
  return sections.flatMap((section) => (isSameGroup(section, GROUP) ? [...section.messages] : []));
}

/** @throws when anything goes wrong, with what it takes to see it again. */
export function fuzzReplica(frames: number, seed: number): FuzzReport {
  const random = seeded(seed);
  const refused: Record<string, number> = {};
  const total = { undecodable: 0, accepted: 0, answers: 0, executions: 0, heapMbMax: 0 };
  for (let done = 0; done < frames; done += SCENE_FRAMES) {
    const scene = new Scene(Math.floor(random() * 2 ** 31));
    for (let i = 0; i < Math.min(SCENE_FRAMES, frames - done); i += 1) {
      const { from, frame, single } = frameOf(random, scene.samples);
      try {
        scene.pass(US_PER_FRAME);
        if (i % TICK_FRAMES === 0) scene.tick();
        for (const message of single === true ? readSingle(frame) : readSections(frame)) {
          const defect = scene.judge(from, SELF, message);
          if (defect !== undefined) refused[defect] = (refused[defect] ?? 0) + 1;
          else {
            total.accepted += 1;
            scene.handle(from, message as AccordMessage);
          }
        }
      } catch (error) {
        if (error instanceof FrameError) {
          total.undecodable += 1;
          continue;
        }
        const where = `seed ${seed}, frame ${done + i} of node ${from}: ${frame.toString('hex')}`;
        throw new Error(`${error instanceof Error ? error.message : error}; ${where}`, {
          cause: error,
        });
      }
    }
    const { heldBytes } = scene.node.replica.view;
    if (heldBytes > 2 * HELD_BYTES_MAX) throw new Error(`seed ${seed}: it holds ${heldBytes}`);
    total.answers += scene.answers;
    total.executions += scene.executions;
    total.heapMbMax = Math.max(total.heapMbMax, process.memoryUsage().heapUsed / 2 ** 20);
  }
  return { frames, refused, ...total, heapMbMax: Math.round(total.heapMbMax) };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [frames = '100000', seed = '1'] = process.argv.slice(2);
  const startedMs = performance.now();
  const report = fuzzReplica(Number(frames), Number(seed));
  console.log(JSON.stringify(report, null, 2));
  console.log(`${((performance.now() - startedMs) / 1_000).toFixed(1)} s`);
}
