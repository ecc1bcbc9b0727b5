/**
 * `node --import tsx test/transport/peer/fuzz-handshake.ts [inputs] [seed]`: damaged, cut, repeated
 * and invented greetings to the accepting end of a link, in pieces of any size. Only a whole and
 * sound greeting opens a link; nothing throws, and no caller makes the link keep more than a
 * greeting.
 */
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { pathToFileURL } from 'node:url';
import { AcceptedLink } from '../../../transport/peer/accepted-link.ts';
import {
  decodeGreeting,
  encodeGreeting,
  type Greeting,
} from '../../../transport/peer/handshake.ts';
import { seeded } from '../../actors/accord/protocol-cluster.ts';
import { CLUSTER, helloOf } from './loopback-nodes.ts';
import { pick, type Random } from './mutations.ts';

interface HandshakeReport {
  readonly inputs: number;
  /** Links that were opened: by greetings that were not damaged. */
  readonly opened: number;
  readonly refused: Readonly<Record<string, number>>;
  /** Callers that are still waited for. */
  readonly incomplete: number;
}

const SELF = helloOf(1);
const CALLER = helloOf(2);
const TARGET = SELF.nodeId;
const GREETINGS: readonly Greeting[] = [
  { kind: 'hello', hello: CALLER, target: TARGET },
  { kind: 'hello', hello: CALLER, target: 7 },
  { kind: 'accepted', hello: CALLER },
  { kind: 'refused', reason: 'because' },
  { kind: 'whoIsThere', clusterId: CLUSTER },
  { kind: 'whoIsThere', clusterId: 'ff'.repeat(16) },
  {
    kind: 'members',
    answer: { clusterId: CLUSTER, members: [] },
  },
];
const STRANGERS = [
  'GET / HTTP/1.1\r\n\r\n',
  '*1\r\n$4\r\nPING\r\n',
  '\x16\x03\x01\x02\x00',
  'HOLO',
];
const SOUND = encodeGreeting({ kind: 'hello', hello: CALLER, target: TARGET });

/** A socket in memory: what is written is dropped. */
class QuietSocket extends EventEmitter {
  isGone = false;
  readonly writableLength = 0;

  write(): boolean {
    return true;
  }

  end(): void {
    this.isGone = true;
  }

  destroy(): void {
    this.isGone = true;
  }
}

function damaged(random: Random, sound: Buffer): Buffer {
  const copy = Buffer.from(sound);
  for (let flips = 1 + Math.floor(random() * 3); flips > 0; flips -= 1) {
    copy[Math.floor(random() * copy.length)] = Math.floor(random() * 256);
  }
  return copy;
}

function inputOf(random: Random): Buffer {
  const sound = encodeGreeting(pick(random, GREETINGS));
  return pick<() => Buffer>(random, [
    () => sound,
    () => damaged(random, sound),
    () => damaged(random, sound),
    () => sound.subarray(0, Math.floor(random() * sound.length)),
    () => Buffer.concat([sound.subarray(0, Math.floor(random() * sound.length)), sound]),
    () => Buffer.from(pick(random, STRANGERS), 'latin1'),
    () => Buffer.from(Array.from({ length: 64 * random() }, () => Math.floor(256 * random()))),
    () => Buffer.concat([sound.subarray(0, 9), Buffer.alloc(Math.floor(random() * 20_000), 1)]),
  ])();
}

/** @throws Error with the input, where something unsound comes of it. */
export function fuzzHandshake(inputs: number, seed: number): HandshakeReport {
  const random = seeded(seed);
  const refused: Record<string, number> = {};
  let opened = 0;
  let incomplete = 0;
  for (let count = 0; count < inputs; count += 1) {
    const input = inputOf(random);
    const outcome = judge(input, random);
    if (outcome === 'opened') opened += 1;
    else if (outcome === 'incomplete') incomplete += 1;
    else refused[outcome] = (refused[outcome] ?? 0) + 1;
  }
  return { inputs, opened, refused, incomplete };
}

function judge(input: Buffer, random: Random): string {
  const socket = new QuietSocket();
  let outcome = 'incomplete';
  const link = new AcceptedLink(socket as unknown as Socket, {
    ...{ self: SELF, frameBytesMax: 1_000, linkTimeoutMs: 1_000, handshakeTimeoutMs: 1_000 },
    now: () => 0,
    join: (_request, done) => done('no'),
    members: () => ({ clusterId: CLUSTER, members: [] }),
    examine: (hello, target) =>
      JSON.stringify(hello) === JSON.stringify(CALLER) && target === TARGET ? undefined : 'another',
    onAccepted: () => {
      outcome = 'opened';
    },
    onFrame: () => undefined,
    onRefused: (_link, _node, { kind }) => {
      if (outcome === 'incomplete') outcome = kind;
    },
    onClosed: () => undefined,
  });
  try {
    for (let at = 0; at < input.length && !socket.isGone; ) {
      const end = at + 1 + Math.floor(random() * 64);
      socket.emit('data', input.subarray(at, end));
      at = end;
    }
  } catch (error) {
    throw new Error(`it threw on ${input.toString('hex')}`, { cause: error });
  }
  const isSound = input.subarray(0, SOUND.length).equals(SOUND);
  if ((link.hello !== undefined) !== isSound) {
    throw new Error(`a link was opened, or not, by ${input.toString('hex')}`);
  }
  const isWhole = decodeGreeting(input).status !== 'incomplete';
  if (isWhole && outcome === 'incomplete' && !socket.isGone) {
    throw new Error(`it waits for more than ${input.toString('hex')}`);
  }
  return socket.isGone && outcome === 'incomplete' ? 'answered' : outcome;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [inputs = 1_000_000, seed = 1] = process.argv.slice(2).map(Number);
  console.log(JSON.stringify(fuzzHandshake(inputs, seed)));
}
