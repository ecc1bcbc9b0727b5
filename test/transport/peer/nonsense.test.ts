/**
 * A member whose messages make no sense, against whole nodes: nothing ends, nothing is voted on,
 * the refusals are counted, and the link is closed after some. The other nodes serve all the time.
 */
import { beforeEach, describe, expect, test } from 'vitest';
import type { Stable } from '../../../actors/accord/messages/messages.ts';
import { encodeDeps } from '../../../actors/accord/primitives/deps.ts';
import { SeededRng } from '../../../actors/runtime/ports/seeded-rng.ts';
import { Channel, encodeFrame } from '../../../transport/peer/codec.ts';
import { firstGroup } from '../../actors/accord/first-group.ts';
import { type Answer, unitOf } from '../../simulation/client.ts';
import { SimGroup } from '../../simulation/sim-group.ts';
import { SimNetwork } from '../../simulation/sim-network.ts';
import { SimNode } from '../../simulation/sim-node.ts';
import { VirtualScheduler } from '../../simulation/virtual-scheduler.ts';
import { adminFrame, GROUP, messagesOf, protocolFrame } from './frames.ts';

const MEMBERS = [1, 2, 3];
const FOOL = 3;
const VICTIM = 1;
const REFUSED_MAX = 16;
const nothing = (): void => undefined;
const GROUP_OF_ALL = new SimGroup(
  firstGroup(MEMBERS, MEMBERS),
  { violation: nothing, count: nothing, executed: nothing },
  { checks: false },
);

class World {
  readonly scheduler = new VirtualScheduler({ seed: 1 });
  readonly network = new SimNetwork(this.scheduler, () => this.scheduler.nowMs, new SeededRng(2));
  readonly nodes: SimNode[] = [];
  readonly refused: string[] = [];
  readonly failures: string[] = [];
  readonly stables: Stable[] = [];

  /** `offsetUs`: how far the wall clock of node 2 is off. */
  constructor(offsetUs = 0) {
    for (const nodeId of MEMBERS) {
      this.nodes.push(this.#node(nodeId, nodeId === 2 ? offsetUs : 0));
    }
    this.network.onDelivered = (_from, _to, frame) => {
      for (const message of messagesOf(frame)) {
        if ('type' in message && message.type === 'Stable') this.stables.push(message as Stable);
      }
    };
    for (const node of this.nodes) node.start();
    this.run(1_000);
  }

  #node(nodeId: number, offsetUs: number): SimNode {
    const { scheduler, network } = this;
    return new SimNode({
      nodeId,
      members: MEMBERS,
      groups: [GROUP_OF_ALL],
      allGroups: [GROUP_OF_ALL],
      violation: (what) => {
        throw new Error(what);
      },
      stores: 1,
      rng: new SeededRng(nodeId),
      network,
      scope: () => scheduler.scope(),
      clock: scheduler.clockWith({ offsetUs }),
      trueClock: scheduler.clock,
      limits: {
        replica: {},
        coordinator: {},
        batch: {},
        commandTimeoutMs: 1_000,
        cacheBytesMax: 1024 * 1024,
        dirtyBytesMax: 64 * 1024,
        flushEveryMs: 1_000,
        retainedBytesMax: 1024 * 1024,
        tickMs: 20,
        replyBytesMax: 1024 * 1024,
        keptReplyBytesMax: 1024 * 1024,
        unitWriteBytesMax: 1024 * 1024,
        spanningReadBytesMax: 1024 * 1024,
        unflushedBytesMax: 1024 * 1024,
        refusedMax: REFUSED_MAX,
      },
      logLimits: { segmentBytes: 1024 * 1024 },
      syncPolicy: { name: 'every_batch' },
      diskLatencyMs: () => 0.1,
      trace: { eventsMax: 16, sampleEvery: 0 },
      onFailed: (node, { error }) => this.failures.push(`${node.id}: ${error}`),
      onCrash: (node, error) => this.failures.push(`${node.id}: ${error}`),
      onCut: () => undefined,
      onRefused: (node, what) => this.refused.push(`${node.id}: ${what}`),
      count: () => undefined,
    });
  }

  node(id: number): SimNode {
    return this.nodes[id - 1] as SimNode;
  }

  run(ms: number): void {
    this.scheduler.run(this.scheduler.nowMs + ms);
  }

  /** The fool says this to the victim, in frames of their own. */
  say(...messages: readonly object[]): void {
    for (const message of messages) {
      this.network.inject(FOOL, VICTIM, protocolFrame([message]));
    }
    this.run(50);
  }

  command(node: number, ...words: string[]): string {
    let told: Answer | undefined;
    const unit = unitOf([words], false, (answer) => {
      told = answer;
    });
    this.node(node).submit(unit);
    this.run(1_500);
    return told?.type === 'replies' ? told.bytes.toString('latin1') : (told?.type ?? 'nothing');
  }

  get linked(): boolean {
    return this.node(VICTIM).node?.connected.has(FOOL) ?? false;
  }

  /** Records that the victim holds of transactions. */
  get retained(): number {
    this.run(50);
    return this.node(VICTIM).watermarks?.retained ?? -1;
  }
}

let world: World;

beforeEach(() => {
  world = new World();
  expect(world.command(VICTIM, 'SET', 'k', 'v')).toBe('+OK\r\n');
});

/** All goes on, and the refusals were told with this reason. */
function goesOn(times: number, what: string): void {
  expect(world.failures).toEqual([]);
  const told = world.refused.map((line) => line.trim());
  expect(told).toEqual(new Array(times).fill(`${VICTIM}: ${what}`));
  for (const node of MEMBERS) {
    expect(world.command(node, 'SET', 'k', String(node))).toBe('+OK\r\n');
    expect(world.command(node, 'GET', 'k')).toBe(`$1\r\n${node}\r\n`);
  }
}

const body = Buffer.from('*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$1\r\n1\r\n');
const slots = Uint8Array.from([1, 0]);

describe('a PreAccept', () => {
  function preAccept(changes: object): object {
    const hlc = Math.floor(world.node(FOOL).node?.stores[0]?.clock.presentUs ?? 1);
    const id = { hlc, flags: 2, node: FOOL, store: 0 };
    return { type: 'PreAccept', id, slots, deps: encodeDeps([]), body, ...changes };
  }

  test('that is sound is voted on', () => {
    const before = world.retained;
    world.say(preAccept({}));
    expect(world.refused).toEqual([]);
    expect(world.retained).toBe(before + 1);
  });

  test('without an id, forty times: the node lives, the link is closed and comes back', () => {
    const before = world.retained;
    const many = new Array(40).fill(preAccept({ id: null }));
    for (const message of many.slice(0, REFUSED_MAX - 1)) world.say(message);
    expect(world.linked).toBe(true);
    world.say(many[0]);
    expect(world.linked).toBe(false);
    world.say(...many.slice(REFUSED_MAX));
    world.run(1_000);
    expect(world.linked).toBe(true);
    // Earlier records may have been forgotten meanwhile.
    expect(world.retained).toBeLessThanOrEqual(before);
    goesOn(40, `PreAccept of node ${FOOL}: shape`);
  });

  test('of a node that is no member', () => {
    const before = world.retained;
    world.say(preAccept({ id: { hlc: 1_000, flags: 2, node: 9, store: 0 } }));
    expect(world.retained).toBe(before);
    goesOn(1, `PreAccept of node ${FOOL}: member`);
  });

  test('in the name of another member', () => {
    world.say(preAccept({ id: { hlc: 1_000, flags: 2, node: 2, store: 0 } }));
    goesOn(1, `PreAccept of node ${FOOL}: sender`);
  });

  test('with slots of three bytes', () => {
    const before = world.retained;
    world.say(preAccept({ slots: new Uint8Array(3) }));
    expect(world.retained).toBe(before);
    goesOn(1, `PreAccept of node ${FOOL}: encoding`);
  });

  test('whose commands cannot be executed', () => {
    world.say(preAccept({ body: body.subarray(0, 20) }));
    goesOn(1, `PreAccept of node ${FOOL}: encoding`);
  });
});

describe('a fact that contradicts what is known', () => {
  test('another time of execution: reported with both, without effect, and no node stops', () => {
    const [stable] = world.stables;
    if (stable === undefined) throw new Error('nothing was decided');
    const later = { ...stable.executeAt, hlc: stable.executeAt.hlc + 1 };
    world.say({ ...stable, executeAt: later });
    expect(world.failures).toEqual([]);
    expect(world.refused).toHaveLength(1);
    expect(world.refused[0]).toContain('Stable of node 3: contradiction');
    expect(world.refused[0]).toContain(`Applied for ${stable.executeAt.hlc}.`);
    expect(world.refused[0]).toContain(`decided for ${later.hlc}.`);
    world.refused.length = 0;
    goesOn(0, '');
  });

  test('an invalidation; the link is closed after some', () => {
    const [stable] = world.stables;
    const lie = { type: 'CommitInvalidate', id: stable?.id };
    world.say(...new Array(REFUSED_MAX).fill(lie));
    expect(world.linked).toBe(false);
    world.run(1_000);
    expect(world.refused).toHaveLength(REFUSED_MAX);
    world.refused.length = 0;
    goesOn(0, '');
  });
});

test('messages that only a node itself may say, and none at all', () => {
  world.say({ type: 'Coordinate', id: { hlc: 9, flags: 2, node: 3, store: 0 }, slots, body });
  world.say({ type: 'BeginRead', token: 1, slots: null }, { type: 'LookAfter', ids: body });
  world.say({ type: 'constructor' }, { type: 7 }, {});
  goesOn(6, `unknown of node ${FOOL}: type`);
});

test('a node whose own clock is wrong by half a century takes no message for nonsense', () => {
  world = new World(-1.6e15);
  world.run(2_000);
  expect(world.command(VICTIM, 'SET', 'k', 'w')).toBe('+OK\r\n');
  expect(world.command(2, 'GET', 'k')).toBe('$1\r\nw\r\n');
  expect(world.refused).toEqual([]);
  expect(world.failures).toEqual([]);
});

describe('valid messages that are not for this node', () => {
  const sound = { type: 'CheckStatus', id: { hlc: 9, flags: 2, node: FOOL, store: 0 } };
  const unrouted = (): object | undefined => world.node(VICTIM).node?.unrouted.get(FOOL);
  const inject = (frame: Buffer): void => world.network.inject(FOOL, VICTIM, frame);

  test('messages for groups that are not here are counted and dropped; the link stays', () => {
    const before = world.retained;
    for (let times = 0; times < 2 * REFUSED_MAX; times += 1) {
      inject(protocolFrame([sound], { ...GROUP, generation: 2 }));
    }
    inject(protocolFrame([sound, sound], { ...GROUP, range: 7 }));
    inject(protocolFrame([{ type: 'PreAccept' }], { range: 0, generation: 0 }));
    world.run(50);
    expect(unrouted()).toEqual({ channel: 0, group: 2 * REFUSED_MAX + 3 });
    expect(world.retained).toBe(before);
    expect(world.linked).toBe(true);
    goesOn(0, '');
  });

  test('the same for channels that this version does not speak', () => {
    for (const channel of [Channel.meta, 0, 7, 255]) {
      inject(Buffer.concat(encodeFrame(channel as Channel, [{ ...GROUP, messages: [sound] }])));
    }
    world.run(50);
    expect(unrouted()).toEqual({ channel: 4, group: 0 });
    expect(world.linked).toBe(true);
    goesOn(0, '');
  });

  test.each(['pubsub', 'forwarding', 'snapshot'] as const)(
    'nonsense on the channel of %s is refused',
    (name) => {
      inject(Buffer.concat(encodeFrame(Channel[name], [{ ...GROUP, messages: [sound] }])));
      world.run(50);
      goesOn(1, `unknown of node ${FOOL}: shape`);
    },
  );

  test('sections of several groups in one frame: those that are here are read', () => {
    const sections = [
      { ...GROUP, generation: 2, messages: [sound] },
      { ...GROUP, messages: [{ type: 'CheckStatus', id: null }] },
      { ...GROUP, range: 2, messages: [sound] },
    ];
    inject(Buffer.concat(encodeFrame(Channel.protocol, sections)));
    world.run(50);
    expect(unrouted()).toEqual({ channel: 0, group: 2 });
    goesOn(1, `CheckStatus of node ${FOOL}: shape`);
  });

  test('a message of the protocol on the admin channel is none', () => {
    inject(adminFrame([sound, { type: 'ClockProbe', sentMs: 'soon' }]));
    world.run(50);
    expect(world.refused.map((line) => line.trim())).toEqual([
      `${VICTIM}: unknown of node ${FOOL}: type`,
      `${VICTIM}: unknown of node ${FOOL}: shape`,
    ]);
    world.refused.length = 0;
    goesOn(0, '');
  });
});

test('a frame that cannot be decoded', () => {
  world.network.inject(FOOL, VICTIM, Buffer.from('nonsense'));
  world.run(50);
  expect(world.refused[0]).toContain('frame of node 3: undecodable');
  world.refused.length = 0;
  goesOn(0, '');
});
