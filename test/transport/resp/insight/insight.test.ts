/** SLOWLOG, LATENCY and HOLOHOTKEYS of a gateway whose clock the test moves. */
import { expect, test } from 'vitest';
import { Harness, type HarnessClient, request } from '../harness.ts';

/** A command whose unit takes `ms`: the coordinator has no room for so long. */
function slow(harness: Harness, client: HarnessClient, ms: number, ...lines: string[]): void {
  harness.coordinator.full = true;
  client.send(request(...lines));
  harness.coordinator.full = false;
  harness.tick(ms);
  client.socket.text;
}

const AT_SECONDS = 1_700_000_001;

test('the slow log has a unit with its time, words and client', () => {
  const harness = new Harness();
  const client = harness.client();
  client.ask(request('CLIENT SETNAME bob', 'SET quick 1'));
  slow(harness, client, 25, 'SET a 1', 'GET a', 'PING');
  expect(client.ask(request('SLOWLOG LEN'))).toBe(':1\r\n');
  const words = ['SET', 'a', '1', '... (1 more commands)'];
  const bulks = (texts: string[]) => texts.map((text) => `$${text.length}\r\n${text}\r\n`).join('');
  expect(client.ask(request('SLOWLOG GET'))).toBe(
    `*1\r\n*6\r\n:0\r\n:${AT_SECONDS}\r\n:25000\r\n*4\r\n${bulks(words)}` +
      bulks(['127.0.0.1:40000', 'bob']),
  );
  expect(client.ask(request('SLOWLOG RESET', 'SLOWLOG LEN'))).toBe('+OK\r\n:0\r\n');
});

test('the slow log holds as many entries as it may, the newest first, under ids that ascend', () => {
  const harness = new Harness();
  const client = harness.client();
  client.ask(request('CONFIG SET slowlog-max-len 3'));
  for (let i = 0; i < 5; i += 1) slow(harness, client, 20, `SET k${i} 1`);
  const text = client.ask(request('SLOWLOG GET -1'));
  expect([...text.matchAll(/\*6\r\n:(\d+)/g)].map(([, id]) => id)).toEqual(['4', '3', '2']);
  expect(client.ask(request('SLOWLOG GET 1'))).toContain('k4');
  client.ask(request('CONFIG SET slowlog-max-len 0'));
  slow(harness, client, 20, 'SET k 1');
  expect(client.ask(request('SLOWLOG LEN'))).toBe(':0\r\n');
});

test('-1 turns the slow log off; 0 logs everything, and cuts long words', () => {
  const harness = new Harness();
  const client = harness.client();
  client.ask(request('CONFIG SET slowlog-log-slower-than -1'));
  slow(harness, client, 20, 'SET a 1');
  expect(client.ask(request('SLOWLOG LEN'))).toBe(':0\r\n');
  client.ask(request('CONFIG SET slowlog-log-slower-than 0', 'SLOWLOG RESET'));
  client.ask(request(`SET a ${'x'.repeat(1_000)}`));
  const many = Array.from({ length: 40 }, (_, i) => `k${i}`).join(' ');
  client.ask(request(`MGET ${many}`));
  const text = client.ask(request('SLOWLOG GET 2'));
  expect(text).toContain(`${'x'.repeat(128)}... (872 more bytes)\r\n`);
  expect(text).toContain('... (10 more arguments)');
});

test('the latency monitor has the worst of each second, once it has a threshold', () => {
  const harness = new Harness();
  const client = harness.client();
  slow(harness, client, 30, 'SET a 1');
  expect(client.ask(request('LATENCY LATEST'))).toBe('*0\r\n');
  expect(client.ask(request('LATENCY DOCTOR'))).toContain('The latency monitor is off');
  client.ask(request('CONFIG SET latency-monitor-threshold 10'));
  expect(client.ask(request('LATENCY DOCTOR'))).toContain('No event took 10 ms');
  slow(harness, client, 30, 'SET a 1');
  slow(harness, client, 20, 'SET a 1');
  slow(harness, client, 2_000, 'SET a 1');
  slow(harness, client, 9, 'SET a 1');
  expect(client.ask(request('LATENCY HISTORY command'))).toBe(
    `*2\r\n*2\r\n:${AT_SECONDS}\r\n:30\r\n*2\r\n:${AT_SECONDS + 2}\r\n:2000\r\n`,
  );
  expect(client.ask(request('LATENCY LATEST'))).toBe(
    `*1\r\n*4\r\n$7\r\ncommand\r\n:${AT_SECONDS + 2}\r\n:2000\r\n:2000\r\n`,
  );
  expect(client.ask(request('LATENCY DOCTOR'))).toMatch(/worst 2000 ms[\s\S]*SLOWLOG GET/);
  expect(client.ask(request('LATENCY RESET nothing command'))).toBe(':1\r\n');
  expect(client.ask(request('LATENCY HISTORY command'))).toBe('*0\r\n');
});

test('histograms per command: what comes together has waited together', () => {
  const harness = new Harness();
  const client = harness.client();
  slow(harness, client, 20, 'SET a 1', 'SET b 1', 'GET a');
  slow(harness, client, 3, 'SET a 1');
  expect(client.ask(request('LATENCY HISTOGRAM set nothing'))).toBe(
    '*2\r\n$3\r\nset\r\n*4\r\n$5\r\ncalls\r\n:3\r\n$14\r\nhistogram_usec\r\n' +
      '*4\r\n:4096\r\n:1\r\n:32768\r\n:3\r\n',
  );
  expect(client.ask(request('INFO latencystats'))).toMatch(
    /latency_percentiles_usec_get:p50=20000.000,p99=20000.000,p99.9=20000.000/,
  );
  client.ask(request('CONFIG RESETSTAT', 'CONFIG SET latency-tracking no', 'SET a 1'));
  expect(client.ask(request('LATENCY HISTOGRAM set'))).toBe('*0\r\n');
});

test('units of a sample tell of their parsing and of their replies, each once', () => {
  const harness = new Harness();
  const client = harness.client();
  const { coordinator, gateway } = harness;
  coordinator.manual = true;
  coordinator.answer = (answer) => {
    const renderedMs = coordinator.parts[0]?.sampledMs ?? 0;
    gateway.answered(answer.type === 'PartReplies' ? { ...answer, renderedMs } : answer);
  };
  client.send(request('SET a 1', 'GET a'));
  expect(coordinator.parts[0]?.sampledMs).toBe(harness.nowMs);
  harness.nowMs += 7;
  coordinator.step();
  harness.nowMs += 2;
  harness.endTurn();
  client.ask(request('PING'));
  expect(harness.phases).toEqual([
    { phase: 'parse', ms: 0 },
    { phase: 'reply', ms: 9 },
  ]);
});

test('of many units a sample is measured: some hundreds in a second', () => {
  const harness = new Harness();
  const client = harness.client();
  let sampled = 0;
  for (let ms = 0; ms < 10_000; ms += 100) {
    for (let i = 0; i < 1_000; i += 1) client.ask(request('GET a'));
    sampled += harness.coordinator.parts.filter(({ sampledMs = 0 }) => sampledMs > 0).length;
    harness.coordinator.parts.length = 0;
    harness.tick(100);
  }
  expect(sampled).toBeGreaterThan(10 * 250);
  expect(sampled).toBeLessThan(10 * 1_000);
  expect(harness.phases.filter(({ phase }) => phase === 'parse')).toHaveLength(sampled);
});

test('hot keys of all databases, also of commands with several keys', () => {
  const harness = new Harness();
  const client = harness.client();
  for (let i = 0; i < 40; i += 1) client.ask(request('SET hot 1'));
  client.ask(request('SELECT 2', 'MGET x x'));
  expect(client.ask(request('HOLOHOTKEYS 2'))).toBe(
    '*2\r\n*3\r\n:0\r\n$3\r\nhot\r\n:4\r\n*3\r\n:2\r\n$1\r\nx\r\n:0\r\n',
  );
  expect(client.ask(request('HOLOHOTKEYS 0'))).toMatch(/^-ERR count must be a number above 0/);
});
