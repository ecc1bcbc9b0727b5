/**
 * A few bytes of commands that ask for gigabytes of memory: the nodes survive them, and a restart
 * over the same log.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Client, Words } from './client.ts';
import { TestCluster } from './harness.ts';

const LAST_OFFSET = '67108863';
const BLOCK = 90;
const CLIENTS = 10;
/** Commands wait while gigabytes go to the disk; a client is told so, and asks again. */
const WRITTEN_MS_MAX = 90_000;
const OOM = "OOM command not allowed when used memory > 'maxmemory'.";

let cluster: TestCluster;

beforeAll(async () => {
  // A budget that is never reached: the replicas decide, by what a unit may write.
  cluster = await TestCluster.start({ flags: ['--maxmemory=64gb'] });
});

afterAll(() => cluster?.remove());

function amplify(key: string): [string, ...string[]] {
  return ['SETRANGE', key, LAST_OFFSET, 'x'];
}

/** A command that may be sent again is, while it is only late. */
async function answerOf(client: Client, ...words: Words): Promise<unknown> {
  const untilMs = performance.now() + WRITTEN_MS_MAX;
  for (;;) {
    const outcome = await client.run(...words);
    if (outcome.type === 'ok') return outcome.reply;
    const isLate = /^(TIMEOUT|NOQUORUM|no answer)/.test(outcome.why);
    if (isLate && performance.now() < untilMs) continue;
    const said = cluster.nodes.map((node) => node.lastWords()).join('\n');
    throw new Error(`${words.join(' ')}: ${outcome.why}\n${said}`);
  }
}

async function allServe(): Promise<void> {
  await cluster.ready();
  for (const node of cluster.nodes) {
    const client = node.client();
    expect(await answerOf(client, 'SET', `alive${node.id}`, 'x')).toBe('OK');
    expect(await answerOf(client, 'STRLEN', 'amp0')).toBe(67_108_864);
    client.close();
    expect(node.log()).not.toMatch(/"level":60|out of memory|is restarted/i);
  }
}

test('a block of ninety SETRANGEs, and many clients with one each, then a restart of all', async () => {
  const first = cluster.node(1).client();
  const block = Array.from({ length: BLOCK }, (_, at) => amplify(`amp${at}`));
  expect(await first.transaction(block)).toMatchObject({ type: 'error', why: OOM });
  expect(await answerOf(first, 'EXISTS', 'amp0', 'amp1', 'amp2', 'amp3', 'amp89')).toBe(3);
  first.close();
  const clients = Array.from({ length: CLIENTS }, () => cluster.node(2).client());
  await Promise.all(clients.map((client, at) => client.run(...amplify(`big${at}`))));
  for (const client of clients) client.close();
  await allServe();
  await cluster.killAll();
  await cluster.startAll();
  await allServe();
}, 280_000);
