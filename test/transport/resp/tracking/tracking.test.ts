/** CLIENT TRACKING at one gateway: who hears of which keys, when, and in which form. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NO_GROUP } from '../../../../actors/accord/topology/group-id.ts';
import { Oracle } from '../../../storage/differential/oracle.ts';
import { connectTo, HAS_REDIS } from '../../../storage/differential/redis-server.ts';
import { parseReply, type Value } from '../../../storage/differential/replies.ts';
import { Harness, type HarnessClient, request } from '../harness.ts';

const ASK = ['CLIENT TRACKINGINFO', 'CLIENT GETREDIR'];

/** Each line to a new client. */
const CONVERSATIONS: readonly (readonly string[])[] = [
  ['CLIENT TRACKING', 'CLIENT TRACKING maybe', 'CLIENT TRACKING ON', ...ASK],
  ['CLIENT CACHING YES', 'CLIENT TRACKING ON', 'CLIENT CACHING YES', 'CLIENT CACHING maybe'],
  ['CLIENT TRACKING ON', 'CLIENT TRACKING ON BCAST', 'CLIENT TRACKING ON OPTIN', ...ASK],
  ['CLIENT TRACKING ON OPTIN OPTOUT', 'CLIENT TRACKING OFF OPTIN OPTOUT'],
  ['CLIENT TRACKING ON PREFIX a', 'CLIENT TRACKING ON BCAST OPTIN'],
  ['CLIENT TRACKING ON BCAST PREFIX foo PREFIX fo', 'CLIENT TRACKING ON BCAST PREFIX a PREFIX a'],
  [
    'CLIENT TRACKING ON BCAST PREFIX foo PREFIX bar',
    'CLIENT TRACKING ON BCAST PREFIX foob',
    'CLIENT TRACKING ON BCAST PREFIX foo',
    'CLIENT TRACKING ON BCAST PREFIX zoo NOLOOP',
    ...ASK,
    'CLIENT TRACKING ON',
    'CLIENT TRACKING OFF',
    ...ASK,
  ],
  ['CLIENT TRACKING ON BCAST', 'CLIENT TRACKING ON BCAST PREFIX a', ...ASK],
  ['CLIENT TRACKING ON REDIRECT 9999', 'CLIENT TRACKING ON REDIRECT x', ...ASK],
  ['CLIENT TRACKING ON REDIRECT', 'CLIENT TRACKING ON NOLOOP FOO', 'CLIENT TRACKING OFF foo'],
  ['CLIENT TRACKING ON OPTIN NOLOOP', 'CLIENT CACHING NO', 'CLIENT CACHING YES', ...ASK],
  ['CLIENT TRACKING ON OPTIN', 'CLIENT TRACKING ON OPTOUT', 'CLIENT TRACKING ON', ...ASK],
  ['CLIENT TRACKING ON OPTOUT', 'CLIENT CACHING YES', 'CLIENT CACHING NO', ...ASK],
  ['CLIENT TRACKING ON OPTOUT', 'CLIENT CACHING NO', 'PING', 'CLIENT TRACKINGINFO'],
  ['CLIENT TRACKING ON', 'RESET', ...ASK],
];

describe.skipIf(!HAS_REDIS)('redis-server', () => {
  let oracle: Oracle;

  beforeAll(async () => {
    oracle = await Oracle.start('redis-server');
  });

  afterAll(() => oracle.close());

  test.each(CONVERSATIONS)('answers %s alike', async (...lines) => {
    const connection = await connectTo(oracle.port, 2);
    const theirs = await connection.run(lines.map((line) => line.split(' ')));
    connection.close();
    const client = new Harness().client();
    const ours = lines.map((line): Value => {
      return parseReply(client.ask(request(line)), 0)?.value ?? null;
    });
    expect(ours).toEqual(theirs);
  });
});

function tracked(harness: Harness, mode = ''): HarnessClient {
  const client = harness.client();
  client.ask(request('HELLO 3'));
  expect(client.ask(request(`CLIENT TRACKING ON ${mode}`.trim()))).toBe('+OK\r\n');
  return client;
}

/** The store has written keys; returns what the client hears. */
function written(harness: Harness, client: HarnessClient, keys: string[] | 'all', by?: number) {
  harness.gateway.answered({ type: 'KeysWritten', group: NO_GROUP, keys, by });
  harness.endTurn();
  return client.socket.text;
}

function invalidate(...keys: string[]): string {
  const items = keys.map((key) => `$${key.length}\r\n${key}\r\n`).join('');
  return `>2\r\n$10\r\ninvalidate\r\n*${keys.length}\r\n${items}`;
}

test('a client hears once of each key that it has read, and of all where all are gone', () => {
  const harness = new Harness();
  const client = tracked(harness);
  client.ask(request('GET a') + request('MGET b c'));
  client.ask(request('SET d 1') + request('EVAL 1 2 f g x') + request('EVAL_RO 1 1 h'));
  expect(written(harness, client, [...'acdefghx'])).toBe(invalidate('a', 'c', 'f', 'g', 'h'));
  expect(written(harness, client, ['a'])).toBe('');
  expect(written(harness, client, 'all')).toBe('>2\r\n$10\r\ninvalidate\r\n_\r\n');
  expect(written(harness, client, ['b'])).toBe('');
  expect(harness.gateway.tracking.keys).toBe(0);
});

test('a key that is written while it is read is told at once, and behind the reply', () => {
  const harness = new Harness();
  const client = tracked(harness);
  harness.coordinator.manual = true;
  client.send(request('GET a'));
  expect(written(harness, client, ['a'])).toBe(invalidate('a'));
  harness.coordinator.step();
  harness.endTurn();
  expect(client.socket.text).toBe(`_\r\n${invalidate('a')}`);
});

test('OPTIN takes what follows CLIENT CACHING, a whole block too; OPTOUT all else', () => {
  const harness = new Harness();
  const asks = tracked(harness, 'OPTIN');
  asks.ask(request('GET a'));
  asks.ask(request('CLIENT CACHING YES') + request('GET b') + request('GET c'));
  asks.ask(
    ['CLIENT CACHING YES', 'MULTI', 'GET d', 'GET e', 'EXEC', 'GET f']
      .map((line) => request(line))
      .join(''),
  );
  expect(written(harness, asks, [...'abcdef'])).toBe(invalidate('b', 'd', 'e'));
  const declines = tracked(harness, 'OPTOUT');
  declines.ask(request('CLIENT CACHING NO') + request('GET a') + request('GET b'));
  expect(written(harness, declines, ['a', 'b'])).toBe(invalidate('b'));
});

test('BCAST hears of prefixes, read or not; NOLOOP not of its own writes', () => {
  const harness = new Harness();
  const client = tracked(harness, 'BCAST PREFIX user: PREFIX x NOLOOP');
  const { id } = client.connection.client;
  expect(written(harness, client, ['user:1', 'other', 'x'])).toBe(invalidate('user:1', 'x'));
  expect(written(harness, client, ['user:1'], id)).toBe('');
  expect(written(harness, client, ['user:1'], id + 1)).toBe(invalidate('user:1'));
  const reader = tracked(harness, 'NOLOOP');
  reader.ask(request('GET a'));
  expect(written(harness, reader, ['a'], reader.connection.client.id)).toBe('');
  expect(written(harness, reader, ['a'])).toBe(invalidate('a'));
});

test('RESP2 clients redirect to a subscriber, and hear when it is gone if they can', () => {
  const harness = new Harness();
  const hears = harness.client();
  const { id } = hears.connection.client;
  hears.ask(request('SUBSCRIBE __redis__:invalidate'));
  const reads = harness.client();
  reads.ask(request(`CLIENT TRACKING ON REDIRECT ${id}`));
  reads.ask(request('GET a'));
  const message = '*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n';
  expect(written(harness, hears, ['a'])).toBe(`${message}*1\r\n$1\r\na\r\n`);
  expect(written(harness, hears, 'all')).toBe(`${message}$-1\r\n`);
  const modern = tracked(harness, `REDIRECT ${id}`);
  modern.ask(request('GET a'));
  hears.connection.kill();
  expect(written(harness, modern, ['a'])).toBe(`>2\r\n$21\r\ntracking-redir-broken\r\n:${id}\r\n`);
  expect(modern.ask(request('CLIENT TRACKINGINFO'))).toContain('broken_redirect');
});

test('the table is bounded: the oldest keys go, and their clients hear of it', () => {
  const harness = new Harness();
  const client = tracked(harness);
  client.ask(request('CONFIG SET tracking-table-max-keys 1'));
  client.ask(request('GET a'));
  expect(client.ask(request('GET b'))).toBe(`_\r\n${invalidate('a')}`);
  expect(harness.gateway.tracking.keys).toBe(1);
  client.connection.kill();
  expect(harness.gateway.tracking.keys).toBe(0);
  expect(harness.gateway.tracking.items).toBe(0);
});

test('a store that begins anew voids all that clients keep', () => {
  const harness = new Harness();
  const client = tracked(harness);
  client.ask(request('GET a'));
  harness.gateway.answered({ type: 'WaitsLost' });
  harness.endTurn();
  expect(client.socket.text).toBe('>2\r\n$10\r\ninvalidate\r\n_\r\n');
});

test('tracking that is switched to another mode keeps the keys that were read before', () => {
  const harness = new Harness();
  const client = tracked(harness);
  client.ask(request('GET a'));
  client.ask(request('CLIENT TRACKING ON OPTIN'));
  expect(written(harness, client, ['a'])).toBe(invalidate('a'));
  expect(client.ask(request('CLIENT LIST'))).toMatch(/flags=t .*redir=0/);
});
