/** Pub/sub: what clients see of one node, compared with redis-server, and several gateways. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GatewayLimits } from '../../../../transport/resp/limits.ts';
import { PeerSubscriptions } from '../../../../transport/resp/pubsub/peer-subscriptions.ts';
import {
  type PubSubMessage,
  pubSubMessageOf,
} from '../../../../transport/resp/pubsub/pubsub-message.ts';
import { array, Harness, request } from '../harness.ts';
import { REDIS_PRESENT, RealRedis } from '../real-redis.ts';

const bulks = (type: '*' | '>', ...words: string[]): string =>
  `${type}${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;

describe.skipIf(!REDIS_PRESENT)('a client alone is answered as by redis-server', () => {
  let redis: RealRedis;

  beforeAll(async () => {
    redis = await RealRedis.start();
  });

  afterAll(() => redis?.stop());

  const END = '$4\r\nlast\r\n';

  test.each([
    ['SUBSCRIBE a b a', 'UNSUBSCRIBE b', 'PING', 'PING x', 'UNSUBSCRIBE', 'PING'],
    ['PSUBSCRIBE a* b?', 'SUBSCRIBE a', 'GET a', 'PUNSUBSCRIBE', 'UNSUBSCRIBE nope'],
    ['SSUBSCRIBE a b', 'SUBSCRIBE a', 'SUNSUBSCRIBE a', 'SUNSUBSCRIBE', 'UNSUBSCRIBE'],
    ['UNSUBSCRIBE', 'PUNSUBSCRIBE', 'SUNSUBSCRIBE', 'UNSUBSCRIBE a b'],
    ['SUBSCRIBE', 'PUBLISH a', 'PUBLISH a b c', 'SPUBLISH a', 'PUBSUB', 'PUBSUB NOPE'],
    ['PUBLISH a 1', 'SPUBLISH a 1', 'PUBSUB CHANNELS', 'PUBSUB NUMPAT', 'PUBSUB NUMSUB a b'],
    [
      'PUBSUB NUMPAT x',
      'PUBSUB NUMSUB',
      'PUBSUB SHARDCHANNELS',
      'PUBSUB SHARDNUMSUB a',
      'PUBSUB HELP',
    ],
    ['SUBSCRIBE a', 'RESET', 'GET a', 'PUBSUB CHANNELS'],
    ['SUBSCRIBE a', 'CONFIG GET x', 'MULTI', 'NOPE', 'GET', 'CLIENT NOPE', 'UNSUBSCRIBE'],
    ['MULTI', 'SUBSCRIBE a', 'PING', 'EXEC', 'GET a', 'UNSUBSCRIBE'],
    ['MULTI', 'PUBLISH a 1', 'SET k v', 'PUBLISH a 2', 'EXEC'],
    ['HELLO 3', 'SUBSCRIBE a', 'PING', 'GET none', 'PSUBSCRIBE a*'],
    ['HELLO 3', 'SSUBSCRIBE a', 'PUBSUB SHARDNUMSUB a', 'PUBSUB SHARDCHANNELS'],
    ['HELLO 3', 'UNSUBSCRIBE', 'SUBSCRIBE a b', 'UNSUBSCRIBE a', 'RESET'],
  ])('%s', async (...lines: string[]) => {
    const text = request(...lines, 'RESET', 'ECHO last');
    const ours = new Harness().client().ask(text);
    const theirs = await redis.ask(text, END);
    const plain = (answer: string) =>
      answer.replace(/\$\d\r\n7\.\d\.\d+\r\n/, '').replace(/\$2\r\nid\r\n:\d+/, '');
    expect(plain(ours)).toBe(plain(theirs));
  });
});

describe('messages', () => {
  test('reach each subscription once, in the protocol of its client', () => {
    const harness = new Harness();
    const [old, young, publisher] = [harness.client(), harness.client(), harness.client()];
    old.ask(request('SUBSCRIBE news', 'PSUBSCRIBE n* *s'));
    young.ask(request('HELLO 3', 'SUBSCRIBE news other'));
    expect(publisher.ask(request('PUBLISH news hi', 'PUBLISH quiet hi'))).toBe(':4\r\n:0\r\n');
    harness.endTurn();
    expect(old.socket.text).toBe(
      bulks('*', 'message', 'news', 'hi') +
        bulks('*', 'pmessage', 'n*', 'news', 'hi') +
        bulks('*', 'pmessage', '*s', 'news', 'hi'),
    );
    expect(young.socket.text).toBe(bulks('>', 'message', 'news', 'hi'));
  });

  test('to the publisher itself stand behind the reply, as in Redis 7.2', () => {
    const client = new Harness().client();
    client.ask(request('HELLO 3', 'SUBSCRIBE c'));
    expect(client.ask(request('PUBLISH c x', 'PING'))).toBe(
      `:1\r\n${bulks('>', 'message', 'c', 'x')}+PONG\r\n`,
    );
  });

  test('are binary-safe', () => {
    const harness = new Harness();
    const [client, publisher] = [harness.client(), harness.client()];
    client.ask(array('SUBSCRIBE', '\xff\r\n\0'));
    publisher.ask(array('PUBLISH', '\xff\r\n\0', '\0\x80\r\n'));
    harness.endTurn();
    expect(client.socket.text).toBe(bulks('*', 'message', '\xff\r\n\0', '\0\x80\r\n'));
  });

  test('of a MULTI block leave when the block has had its effect, and only then', () => {
    const harness = new Harness();
    harness.coordinator.manual = true;
    const [client, publisher] = [harness.client(), harness.client()];
    client.ask(request('SUBSCRIBE c'));
    const block = request('MULTI', 'SET a 1', 'PUBLISH c x', 'EXEC');
    publisher.send(block);
    harness.endTurn();
    expect(client.socket.text).toBe('');
    harness.coordinator.step();
    harness.endTurn();
    expect(client.socket.text).toBe(bulks('*', 'message', 'c', 'x'));
    expect(publisher.socket.text).toContain('*2\r\n+OK\r\n:1\r\n');
    publisher.send(block);
    harness.coordinator.fail(harness.coordinator.waiting.shift(), 'TIMEOUT refused');
    harness.endTurn();
    expect(client.socket.text).toBe('');
  });

  test('leave behind the writes before them in a pipeline', () => {
    const harness = new Harness();
    harness.coordinator.manual = true;
    const [client, publisher] = [harness.client(), harness.client()];
    client.ask(request('SUBSCRIBE c'));
    publisher.send(request('SET a 1', 'PUBLISH c a', 'SET a 2'));
    harness.endTurn();
    expect(client.socket.text).toBe('');
    harness.coordinator.step();
    harness.endTurn();
    expect(client.socket.text).toBe(bulks('*', 'message', 'c', 'a'));
  });

  test('end with the connection', () => {
    const harness = new Harness();
    const [client, publisher] = [harness.client(), harness.client()];
    client.ask(request('SUBSCRIBE c', 'PSUBSCRIBE *'));
    client.connection.onClose();
    expect(publisher.ask(request('PUBLISH c x', 'PUBSUB CHANNELS'))).toBe(':0\r\n*0\r\n');
    expect(client.socket.text).toBe('');
  });
});

describe('limits', () => {
  const limited = (limits: Partial<GatewayLimits>) => {
    const harness = new Harness(limits);
    return { harness, client: harness.client(), publisher: harness.client() };
  };

  test('subscriptions of a client: a command beyond it changes nothing', () => {
    const { client } = limited({ subscriptionsMax: 1 });
    const refused = '-ERR a client has at most 1 subscriptions (subscriptions-max)\r\n';
    expect(client.ask(request('SUBSCRIBE a b'))).toBe(refused);
    expect(client.ask(request('SUBSCRIBE a a'))).toContain(':1\r\n');
    expect(client.ask(request('PSUBSCRIBE *'))).toBe(refused);
    expect(client.ask(request('UNSUBSCRIBE', 'PSUBSCRIBE *'))).toContain(':1\r\n');
  });

  test('a slow subscriber is cut off at the hard limit, others go on', () => {
    const pubsubOutput = { hardBytes: 1_000, softBytes: 0, softSeconds: 0 };
    const { harness, client, publisher } = limited({ pubsubOutput });
    const reader = harness.client();
    for (const each of [client, reader]) each.ask(request('SUBSCRIBE c'));
    client.socket.slow = true;
    for (let i = 0; i < 20; i += 1) publisher.ask(request(`PUBLISH c ${'x'.repeat(100)}`));
    expect([client.socket.destroyed, reader.socket.destroyed]).toEqual([true, false]);
    expect(harness.gateway.counters.outputLimitDisconnects).toBe(1);
    expect(reader.socket.text.split('message').length - 1).toBe(20);
  });

  test('and at the soft one after its time; a client that catches up starts anew', () => {
    const pubsubOutput = { hardBytes: 0, softBytes: 1_000, softSeconds: 2 };
    const { harness, client, publisher } = limited({ pubsubOutput });
    client.ask(request('SUBSCRIBE c'));
    client.socket.slow = true;
    const much = request(`PUBLISH c ${'x'.repeat(2_000)}`);
    publisher.ask(much);
    harness.tick(1_900);
    client.socket.bufferedBytes = 0;
    harness.tick(200);
    publisher.ask(much);
    harness.tick(1_900);
    expect(client.socket.destroyed).toBe(false);
    harness.tick(200);
    expect(client.socket.destroyed).toBe(true);
  });

  test('the setting is read and written in the words of Redis', () => {
    const { harness, client } = limited({});
    const get = () => client.ask(request('CONFIG GET client-output-buffer-limit'));
    expect(get()).toContain('pubsub 33554432 8388608 60');
    const set = (value: string) =>
      harness.settings.setAll([['client-output-buffer-limit', value]], 'operator');
    expect(set('pubsub 1mb 0 0')).toBeUndefined();
    expect(get()).toContain('pubsub 1048576 0 0');
    expect(set('pubsub 1mb')).toContain('Wrong number of arguments');
    expect(set('nope 1 1 1')).toContain('Invalid client class');
    expect(set('pubsub x 1 1')).toContain('Error in hard, soft or soft_seconds');
    expect(set('normal 1 0 0')).toContain('output-bytes-max');
    expect(set('normal 0 0 0 replica 1 1 1')).toBeUndefined();
  });

  test('an idle subscriber is not timed out', () => {
    const { harness, client, publisher } = limited({ idleTimeoutMs: 1_000 });
    client.ask(request('SUBSCRIBE c'));
    harness.tick(900);
    harness.tick(900);
    expect([client.socket.destroyed, publisher.socket.destroyed]).toEqual([false, true]);
  });
});

describe('CLIENT LIST', () => {
  test('shows subscriptions, and selects by type', () => {
    const harness = new Harness();
    const [client, other] = [harness.client(), harness.client()];
    client.ask(request('SUBSCRIBE a b', 'PSUBSCRIBE *', 'SSUBSCRIBE s'));
    const list = other.ask(request('CLIENT LIST TYPE pubsub'));
    expect(list).toContain('id=1 ');
    expect(list).not.toContain('id=2 ');
    expect(list).toContain('flags=P db=0 sub=2 psub=1 ssub=1');
    expect(other.ask(request('CLIENT LIST TYPE normal'))).not.toContain('id=1 ');
    expect(other.ask(request('CLIENT KILL TYPE pubsub'))).toBe(':1\r\n');
    expect(client.socket.destroyed).toBe(true);
  });
});

/** Gateways of nodes 1 to n whose messages are kept until they are delivered. */
class Nodes {
  readonly harnesses: Harness[];
  queue: { from: number; to: number; message: PubSubMessage }[] = [];

  constructor(count: number) {
    const ids = Array.from({ length: count }, (_, i) => i + 1);
    this.harnesses = ids.map((self) => {
      const others = ids.filter((id) => id !== self);
      return new Harness({}, undefined, undefined, undefined, {
        self,
        incarnation: 1,
        connected: () => others,
        send: (to, message) => this.queue.push({ from: self, to, message }),
      });
    });
  }

  node(id: number): Harness {
    return this.harnesses[id - 1] ?? expect.fail();
  }

  deliver(): void {
    for (;;) {
      const [next] = this.queue.splice(0, 1);
      if (next === undefined) return;
      const message = pubSubMessageOf(structuredClone(next.message)) ?? expect.fail();
      this.node(next.to).gateway.pubsub.receive(next.from, message);
      this.node(next.to).endTurn();
    }
  }
}

describe('several nodes', () => {
  test('subscribers of all nodes get a message, and the counts are those of all nodes', () => {
    const nodes = new Nodes(3);
    nodes.deliver();
    const clients = nodes.harnesses.map((harness) => harness.client());
    const subscribe = request('SUBSCRIBE c', 'PSUBSCRIBE c*', 'SSUBSCRIBE s');
    for (const client of clients) client.ask(subscribe);
    const publisher = nodes.node(2).client();
    // A message reaches nodes whose subscriptions are not known here yet.
    expect(publisher.ask(request('PUBLISH c early'))).toBe(':2\r\n');
    nodes.deliver();
    for (const client of clients) client.socket.writes.length = 0;
    expect(publisher.ask(request('PUBLISH c x', 'SPUBLISH s y'))).toBe(':6\r\n:3\r\n');
    nodes.deliver();
    nodes.node(2).endTurn();
    for (const client of clients) {
      expect(client.socket.text).toBe(
        bulks('*', 'message', 'c', 'x') +
          bulks('*', 'pmessage', 'c*', 'c', 'x') +
          bulks('*', 'smessage', 's', 'y'),
      );
    }
    const asked = request(
      'PUBSUB NUMSUB c d',
      'PUBSUB NUMPAT',
      'PUBSUB CHANNELS',
      'PUBSUB SHARDNUMSUB s',
    );
    expect(publisher.ask(asked)).toBe(
      '*4\r\n$1\r\nc\r\n:3\r\n$1\r\nd\r\n:0\r\n:1\r\n*1\r\n$1\r\nc\r\n*2\r\n$1\r\ns\r\n:3\r\n',
    );
  });

  test('a table with a gap is asked for again, in pages', () => {
    const nodes = new Nodes(2);
    nodes.deliver();
    const client = nodes.node(1).client();
    const names = Array.from({ length: 3_000 }, (_, i) => `c${i}`);
    client.ask(array('SUBSCRIBE', ...names));
    // Lost on the way.
    nodes.queue = [];
    const other = nodes.node(2).client();
    expect(other.ask(request('PUBSUB NUMSUB c0'))).toContain(':0\r\n');
    client.ask(request('UNSUBSCRIBE c1'));
    nodes.deliver();
    expect(other.ask(request('PUBSUB NUMSUB c0'))).toContain(':1\r\n');
    expect(other.ask(request('PUBSUB NUMSUB c1'))).toContain(':0\r\n');
    expect(other.ask(request('PUBSUB NUMSUB c2999'))).toContain(':1\r\n');
  });

  test('an answer that is lost is asked for again after a second', () => {
    const nodes = new Nodes(2);
    const client = nodes.node(1).client();
    client.ask(request('SUBSCRIBE c'));
    nodes.queue = [];
    nodes.node(2).tick(500);
    expect(nodes.queue).toEqual([]);
    nodes.node(2).tick(600);
    nodes.deliver();
    expect(nodes.node(2).client().ask(request('PUBSUB NUMSUB c'))).toContain(':1\r\n');
  });

  test('a node that is not connected counts for nothing', () => {
    const nodes = new Nodes(2);
    nodes.deliver();
    nodes.node(1).client().ask(request('SUBSCRIBE c'));
    nodes.deliver();
    const { pubsub } = nodes.node(2).gateway;
    expect(pubsub.subscribers('channel', 'c')).toBe(1);
    pubsub.peerDown(1);
    expect(pubsub.subscribers('channel', 'c')).toBe(0);
  });
});

describe('what a peer tells', () => {
  test('is kept up to a limit', () => {
    const told = new PeerSubscriptions(1);
    const page = {
      type: 'SubscriptionsPage',
      incarnation: 1,
      version: 0,
      page: 0,
      isLast: true,
    } as const;
    expect(
      told.receive({
        ...page,
        counts: [
          ['channel', 'a', 2],
          ['channel', 'b', 3],
        ],
      }),
    ).toBe(true);
    expect([told.count('channel', 'a'), told.count('channel', 'b')]).toEqual([2, 0]);
    const changed = { type: 'SubscriptionsChanged', incarnation: 1, version: 1 } as const;
    expect(
      told.receive({
        ...changed,
        counts: [
          ['channel', 'a', 0],
          ['pattern', 'b*', 3],
        ],
      }),
    ).toBe(true);
    expect([told.receivers('channel', 'a'), told.receivers('channel', 'bc')]).toEqual([0, 3]);
  });

  test.each([
    [{}],
    [{ type: 'Nope' }],
    [{ type: 'Published', kind: 'pattern', channel: 'a', body: new Uint8Array(1) }],
    [{ type: 'Published', kind: 'channel', channel: '\u0100', body: new Uint8Array(1) }],
    [{ type: 'Published', kind: 'channel', channel: 'a', body: 'x' }],
    [{ type: 'SubscriptionsChanged', incarnation: 1, version: 1 }],
    [{ type: 'SubscriptionsChanged', incarnation: 1, version: 1.5, counts: [] }],
    [{ type: 'SubscriptionsChanged', incarnation: 1, version: 1, counts: [['channel', 'a']] }],
    [{ type: 'SubscriptionsChanged', incarnation: 1, version: 1, counts: [['channel', 'a', -1]] }],
    [{ type: 'SubscriptionsPage', incarnation: 1, version: 1, counts: [], page: 0 }],
  ])('is refused where it makes no sense: %j', (message) => {
    expect(pubSubMessageOf(message)).toBeUndefined();
  });
});
