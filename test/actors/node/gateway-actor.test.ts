/**
 * The shell of the gateway alone, in virtual time: answers find their connections by number, replies
 * leave at the end of a turn, refused parts are offered again, and nothing outlives its end.
 */
import { expect, test } from 'vitest';
import { type GatewayMessage, gatewayActor } from '../../../actors/node/gateway-actor.ts';
import type { ActorContext } from '../../../actors/runtime/behavior.ts';
import type { Part, PartAnswer, ReplyFlow } from '../../../transport/resp/connection/part.ts';
import type { Gateway } from '../../../transport/resp/gateway.ts';
import type { PubSubMessage } from '../../../transport/resp/pubsub/pubsub-message.ts';
import { FakeSocket, idleServices, request } from '../../transport/resp/harness.ts';
import { SOLE_PLACEMENT } from '../../transport/resp/placements.ts';
import { spec, virtualSystem } from '../runtime/fixture.ts';

const WINDOW = 8;

class Bench {
  readonly world = virtualSystem();
  readonly parts: Part[] = [];
  /** About single units. */
  readonly flows: ReplyFlow[] = [];
  readonly told: PubSubMessage[] = [];
  readonly listening: boolean[] = [];
  stopped = 0;
  hasRoom = true;
  gateway: Gateway | undefined;
  listenError: Error | undefined;
  readonly #ref;

  constructor(listenError?: Error) {
    const { system, scheduler } = this.world;
    const start = (context: ActorContext<GatewayMessage>) =>
      gatewayActor(context, {
        services: () => idleServices(scheduler.clock),
        self: 1,
        limits: { replyWindowBytes: WINDOW },
        placement: SOLE_PLACEMENT,
        submit: (part) => {
          if (this.hasRoom) this.parts.push(part);
          return this.hasRoom;
        },
        flow: (message) => {
          if ('unit' in message) this.flows.push(message);
        },
        connected: () => new Set([2]),
        isDraining: () => false,
        toPeer: (_peer, message) => this.told.push(message),
        listen: (_gateway, done) => {
          scheduler.after(1, () => done(listenError));
          return {
            stopAccepting: () => {
              this.stopped += 1;
            },
          };
        },
        onGateway: (gateway, listening) => {
          this.gateway = gateway;
          this.listening.push(listening);
        },
      });
    this.#ref = system.root.child(spec<GatewayMessage>('gateway', start));
    this.run(5);
  }

  run(ms = 1): this {
    this.world.scheduler.run(this.world.scheduler.nowMs + ms);
    return this;
  }

  tell(...messages: GatewayMessage[]): this {
    for (const message of messages) expect(this.#ref.tell(message)).toBe(true);
    return this.run();
  }

  client(): { socket: FakeSocket; send: (...lines: string[]) => void; id: number } {
    const socket = new FakeSocket(40_000);
    const connection = this.gateway?.attach(socket) ?? expect.fail();
    const send = (...lines: string[]): void => connection.onData(Buffer.from(request(...lines)));
    return { socket, send, id: connection.client.id };
  }
}

function replies(part: Part | undefined, text: string, from = 0, last = true): PartAnswer {
  const { unit } = part ?? expect.fail();
  const nothing = { ends: [], errors: [], answered: 1 };
  const id = { unit, part: 0, from, last };
  return { type: 'PartReplies', ...id, ...nothing, replies: Buffer.from(text) };
}

test('each answer goes to the connection of its number, in one write per turn', () => {
  const bench = new Bench();
  const [one, two] = [bench.client(), bench.client()];
  one.send('GET a');
  two.send('GET b', 'PING');
  const [first, second] = bench.parts;
  bench.tell(replies(second, ':2\r\n'), replies(first, ':1\r\n'));
  expect([one.socket.writes, two.socket.writes]).toEqual([[':1\r\n'], [':2\r\n+PONG\r\n']]);
});

test("the gateway's own answers leave without an answer of a store", () => {
  const bench = new Bench();
  const client = bench.client();
  client.send('PING', 'ECHO x');
  expect(client.socket.writes).toEqual([]);
  bench.run();
  expect(client.socket.writes).toEqual(['+PONG\r\n$1\r\nx\r\n']);
});

test('what peers publish reaches the subscribers, and they are told of subscriptions', () => {
  const bench = new Bench();
  expect(bench.told.map(({ type }) => type)).toEqual(['SubscriptionsPage', 'SubscriptionsWanted']);
  const client = bench.client();
  client.send('SUBSCRIBE news');
  bench.run();
  expect(client.socket.text).toBe('*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n');
  expect(bench.told.at(-1)).toMatchObject({ version: 1, counts: [['channel', 'news', 1]] });
  const published = { type: 'Published', kind: 'channel', channel: 'news' } as const;
  const message = { ...published, body: Buffer.from('hi') };
  bench.tell({ type: 'PubSub', peer: 2, message });
  expect(client.socket.text).toBe('*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$2\r\nhi\r\n');
  bench.tell({ type: 'PeerDown', peer: 2 }, { type: 'PeerUp', peer: 2 });
  expect(bench.told.at(-1)).toEqual({ type: 'SubscriptionsWanted' });
});

test('a part that the coordinator refuses is offered again at the next tick', () => {
  const bench = new Bench();
  const client = bench.client();
  bench.hasRoom = false;
  client.send('GET a');
  bench.run(300);
  expect([bench.parts.length, client.socket.paused]).toEqual([0, true]);
  bench.hasRoom = true;
  bench.run(150);
  bench.tell(replies(bench.parts[0], ':1\r\n'));
  expect([client.socket.text, client.socket.paused]).toEqual([':1\r\n', false]);
});

test('long replies come by credit, and their rest is abandoned with the connection', () => {
  const bench = new Bench();
  const client = bench.client();
  client.send('GET a');
  const [part] = bench.parts;
  expect(part?.window).toBe(WINDOW);
  bench.tell(replies(part, '$20\r\n012', 0, false));
  expect(client.socket.text).toBe('$20\r\n012');
  const id = { unit: part?.unit, part: 0 };
  expect(bench.flows).toEqual([{ type: 'ReplyCredit', ...id, upTo: 2 * WINDOW }]);
  for (const view of bench.gateway?.all() ?? []) view.kill();
  expect(bench.flows.at(-1)).toEqual({ type: 'RepliesAbandoned', ...id });
  // A piece that was on its way.
  bench.tell(replies(part, '34567890', WINDOW, false));
  expect(bench.flows).toHaveLength(3);
});

test('a crash closes all connections; no answer for one of them reaches another', () => {
  const bench = new Bench();
  const before = bench.client();
  before.send('GET a');
  bench.tell(replies(bench.parts[0], '$20\r\n012', 0, false));
  bench.world.system.crash('node/gateway', new Error('injected'));
  bench.run(50);
  expect([before.socket.destroyed, bench.stopped]).toEqual([true, 1]);
  expect(bench.flows.at(-1)).toMatchObject({ type: 'RepliesAbandoned' });
  const after = bench.client();
  after.send('GET b');
  expect(after.id).toBeGreaterThan(before.id);
  bench.tell(replies(bench.parts[0], '34567890', WINDOW, false));
  bench.tell(replies(bench.parts[1], ':1\r\n'));
  expect(after.socket.text).toBe(':1\r\n');
});

test('it listens, stops accepting when asked, and a port that cannot be opened ends the node', () => {
  const bench = new Bench();
  expect(bench.listening).toEqual([false, true]);
  bench.tell({ type: 'StopAccepting' });
  expect(bench.stopped).toBe(1);
  expect(bench.world.failures).toEqual([]);
  const failed = new Bench(new Error('in use'));
  expect(failed.listening).toEqual([false]);
  expect(String(failed.world.failures[0]?.error)).toContain('in use');
});
