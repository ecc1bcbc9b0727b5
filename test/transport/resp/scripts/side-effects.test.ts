/** Effects of scripts beside the keys: once, where their client waits, and not at all if undone. */
import { describe, expect, test } from 'vitest';
import { resp } from '../../../storage/harness.ts';
import { Harness, request } from '../harness.ts';
import { StoreCoordinator } from '../store-coordinator.ts';

function node() {
  const store = new StoreCoordinator();
  const harness = new Harness({}, store);
  return { store, harness, client: harness.client() };
}

const PUBLISHING =
  "redis.call('publish', 'news', ARGV[1]) redis.log(redis.LOG_WARNING, ARGV[1], 7)";

describe('a script', () => {
  test('publishes and logs behind its outcome', () => {
    const { client, harness } = node();
    const reader = harness.client();
    reader.ask(request('SUBSCRIBE news', 'SSUBSCRIBE shard'));
    const code = `${PUBLISHING} return redis.call('spublish', 'shard', 'y')`;
    expect(client.ask(resp(['EVAL', code, '0', 'x']))).toBe(':0\r\n');
    expect(reader.socket.text).toBe(
      '*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$1\r\nx\r\n' +
        '*3\r\n$8\r\nsmessage\r\n$5\r\nshard\r\n$1\r\ny\r\n',
    );
    expect(harness.logged).toEqual(['3 x 7']);
  });

  test('that is ended by a limit has done nothing, and one that fails has', () => {
    const { client, harness } = node();
    const reader = harness.client();
    reader.ask(request('SUBSCRIBE news'));
    expect(client.ask(resp(['EVAL', `${PUBLISHING} while true do end`, '0', 'x']))).toMatch(
      /^-TOO/,
    );
    expect([reader.socket.text, harness.logged]).toEqual(['', []]);
    expect(client.ask(resp(['EVAL', `${PUBLISHING} error('told')`, '0', 'x']))).toMatch(/^-ERR/);
    expect(reader.socket.text).toContain('news');
    expect(harness.logged).toEqual(['3 x 7']);
  });

  test('that only reads may not publish', () => {
    const { client } = node();
    const answer = client.ask(resp(['EVAL_RO', "return redis.call('publish', 'a', 'b')", '0']));
    expect(answer).toMatch(/^-ERR Write commands are not allowed from read-only scripts/);
  });
});
