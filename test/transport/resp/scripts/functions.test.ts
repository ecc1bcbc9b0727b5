/** Functions at the gateway: as Redis has them, and known at every node. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Oracle, startOracles } from '../../../storage/differential/oracle.ts';
import { parseReply, type Value } from '../../../storage/differential/replies.ts';
import { resp } from '../../../storage/harness.ts';
import { Harness, type HarnessClient, request } from '../harness.ts';
import { StoreCoordinator } from '../store-coordinator.ts';
import { COMPARED_FUNCTIONS, MOVED_LIBRARIES } from './compared-functions.ts';

function node(store = new StoreCoordinator()): { harness: Harness; client: HarnessClient } {
  const harness = new Harness({}, store);
  harness.clusterValues = () => store.table.settings.values;
  harness.clusterVersion = () => store.table.settings.version;
  harness.heldVersion = Number.POSITIVE_INFINITY;
  return { harness, client: harness.client() };
}

function run(client: HarnessClient, words: readonly string[]): Value {
  const text = client.ask(resp(words));
  const parsed = parseReply(text, 0);
  expect(parsed?.end, words.join(' ')).toBe(text.length);
  return parsed?.value as Value;
}

function speaking(protocol: 2 | 3, client: HarnessClient): HarnessClient {
  client.ask(request(`HELLO ${protocol}`));
  return client;
}

/** Redis tells libraries, functions and flags in the order of its tables. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) {
    const items = value.map(sorted);
    const isList = items.every((item) => typeof item === 'object' && item !== null);
    return isList ? items.map((item) => JSON.stringify(item)).sort() : items;
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value).map(([name, its]) => [name, sorted(its)]);
}

function shown(value: Value, words: readonly string[], withErrors = true): string {
  const text = JSON.stringify(words[1] === 'LIST' ? sorted(value) : value);
  return withErrors || !text.startsWith('{"error"') ? text : 'an error';
}

const LIBRARY = "#!lua name=lib\nredis.register_function('f', function(k, a) return a[1] end)";
const OTHER = LIBRARY.replace('a[1]', "'other'");
const NOTHING: ReadonlyMap<string, string> = new Map();
const FCALL = ['FCALL', 'f', '0', 'x'];

describe('functions', () => {
  let oracles: Oracle[] = [];

  beforeAll(async () => {
    oracles = await startOracles();
  });

  afterAll(() => {
    for (const oracle of oracles) oracle.close();
  });

  test.each([2, 3] as const)(
    'are as those of the servers of reference, in RESP%i',
    async (protocol) => {
      const { client } = node();
      speaking(protocol, client);
      const ours = COMPARED_FUNCTIONS.map((words) => run(client, words));
      for (const oracle of oracles) {
        await oracle.run([['FLUSHALL'], ['FUNCTION', 'FLUSH']]);
        const theirs = await oracle.run(COMPARED_FUNCTIONS, protocol);
        const differences = COMPARED_FUNCTIONS.flatMap((words, i) => {
          // Valkey has other words for some errors.
          const [our, their] = [ours, theirs].map((all) =>
            shown(all[i] as Value, words, !oracle.isNew),
          );
          return our === their ? [] : [`${words.join(' ').slice(0, 200)}: ${our} not ${their}`];
        });
        expect(differences, oracle.version).toEqual([]);
      }
    },
  );

  test('move to a server of reference and back', async () => {
    const LIST = ['FUNCTION', 'LIST', 'WITHCODE'];
    const { client } = node();
    for (const words of MOVED_LIBRARIES) run(client, words);
    const list = shown(run(client, LIST), LIST);
    const ours = run(client, ['FUNCTION', 'DUMP']) as string;
    for (const oracle of oracles) {
      await oracle.run([
        ['FUNCTION', 'FLUSH'],
        ['FUNCTION', 'RESTORE', ours],
      ]);
      const [theirList = null, theirs] = await oracle.run([LIST, ['FUNCTION', 'DUMP']]);
      expect(shown(theirList, LIST)).toBe(list);
      const other = node().client;
      for (const policy of ['APPEND', 'REPLACE', 'FLUSH']) {
        expect(run(other, ['FUNCTION', 'RESTORE', theirs as string, policy])).toEqual({
          simple: 'OK',
        });
      }
      const restored = run(other, ['FUNCTION', 'RESTORE', theirs as string]);
      expect(restored).toEqual({ error: expect.stringMatching(/^ERR Library .* already exists/) });
      expect(shown(run(other, LIST), LIST)).toBe(list);
      const spoiled = `${(theirs as string).slice(0, -9)}x${(theirs as string).slice(-8)}`;
      const refused = run(other, ['FUNCTION', 'RESTORE', spoiled]);
      expect(refused).toEqual({ error: expect.stringMatching(/^ERR DUMP payload/) });
    }
  });

  test('that this node does not know are asked for, once', () => {
    const store = new StoreCoordinator();
    const { client } = node(store);
    run(client, ['FUNCTION', 'LOAD', LIBRARY]);
    const hash = run(client, ['SCRIPT', 'LOAD', 'return 7']) as string;
    const behind = node(store);
    behind.harness.clusterValues = () => NOTHING;
    behind.harness.clusterVersion = () => 0;
    behind.client.send(resp(FCALL) + resp(['EVALSHA', hash, '0']) + resp(['PING']));
    behind.harness.endTurn();
    expect(behind.client.socket.text).toBe('');
    behind.harness.clusterValues = () => store.table.settings.values;
    behind.harness.clusterVersion = () => store.table.settings.version;
    behind.harness.tick(100);
    expect(behind.client.socket.text).toBe('$1\r\nx\r\n:7\r\n+PONG\r\n');
    const asked = behind.harness.gateway.counters.unitsSubmitted;
    expect(behind.client.ask(request('FCALL g 0'))).toBe('-ERR Function not found\r\n');
    expect(behind.client.ask(request('EVALSHA x 0'))).toMatch(/^-NOSCRIPT/);
    expect(behind.harness.gateway.counters.unitsSubmitted - asked).toBe(4);
  });

  test('are called by no node that may be behind', () => {
    const store = new StoreCoordinator();
    const { client } = node(store);
    run(client, ['FUNCTION', 'LOAD', LIBRARY]);
    const old = store.table.settings.values;
    run(client, ['FUNCTION', 'LOAD', 'REPLACE', OTHER]);
    const behind = node(store);
    behind.harness.clusterValues = () => old;
    behind.harness.clusterVersion = () => 1;
    expect(behind.client.ask(resp(FCALL))).toBe('$1\r\nx\r\n');
    behind.harness.hasLease = false;
    behind.client.send(resp(FCALL));
    behind.harness.endTurn();
    expect(behind.client.socket.text).toBe('');
    behind.harness.clusterValues = () => store.table.settings.values;
    behind.harness.clusterVersion = () => 2;
    behind.harness.tick(100);
    expect(behind.client.socket.text).toBe('$5\r\nother\r\n');
  });

  test('that replace others are answered when every node has them', () => {
    const { harness, client } = node();
    harness.heldVersion = 0;
    expect(run(client, ['FUNCTION', 'LOAD', LIBRARY])).toBe('lib');
    client.send(resp(['FUNCTION', 'LOAD', 'REPLACE', OTHER]));
    harness.tick(100);
    expect(client.socket.text).toBe('');
    harness.heldVersion = 2;
    harness.tick(100);
    expect(client.socket.text).toBe('$3\r\nlib\r\n');
    harness.heldVersion = 0;
    client.send(resp(['FUNCTION', 'DELETE', 'lib']));
    harness.tick(20_000);
    expect(client.socket.text).toBe(
      '-ERR the scripts and functions are changed, but not every node that is up has them yet\r\n',
    );
  });

  test('fail with the question for them, alone', () => {
    const harness = new Harness();
    harness.coordinator.manual = true;
    const client = harness.client();
    client.send(request('MULTI', 'FCALL f 0', 'EXEC', 'PING'));
    harness.coordinator.fail(harness.coordinator.parts[0], 'NOQUORUM refused, nothing was done');
    harness.endTurn();
    const aborted = '-EXECABORT Transaction discarded because of previous errors.\r\n';
    const failed = '-NOQUORUM refused, nothing was done\r\n';
    expect(client.socket.text).toBe(`+OK\r\n${failed}${aborted}+PONG\r\n`);
  });

  test('are called in blocks, and loaded outside of them', () => {
    const { client } = node();
    run(client, ['FUNCTION', 'LOAD', LIBRARY]);
    const block = [['MULTI'], FCALL, ['SET', 'a', '1'], ['EXEC']].map(resp).join('');
    expect(client.ask(block)).toBe('+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n$1\r\nx\r\n+OK\r\n');
    expect(client.ask(request('MULTI', 'FUNCTION LIST', 'EXEC'))).toBe(
      '+OK\r\n-ERR Command not allowed inside a transaction\r\n' +
        '-EXECABORT Transaction discarded because of previous errors.\r\n',
    );
  });

  test('that are asked for answer nothing where the client wants none', () => {
    const { client } = node();
    const skip = request('CLIENT REPLY SKIP', 'FCALL nosuch 0', 'PING');
    expect(client.ask(skip)).toBe('+PONG\r\n');
    expect(client.ask(request('CLIENT REPLY SKIP', 'FUNCTION FLUSH', 'PING'))).toBe('+PONG\r\n');
  });
});
