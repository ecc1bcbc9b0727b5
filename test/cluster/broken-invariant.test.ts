/**
 * A node whose memory goes wrong: the check of its next transition stops the process with a trace
 * dump, before anything false leaves. The others go on, and the node comes back from its disk.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { TestCluster } from './harness.ts';
import { findProgram } from './program.ts';

const APPLIED_BEFORE = 20;

/** Runs before the node's own code: the transaction applied next has another time than decided. */
function damage(path: string): void {
  const invariants = join(dirname(findProgram().main), 'accord/local/invariants.js');
  const code = [
    `import { Invariants } from ${JSON.stringify(pathToFileURL(invariants).href)};`,
    'const check = Invariants.prototype.transition;',
    'let applied = 0;',
    'Invariants.prototype.transition = function (command, record) {',
    "  if (record.type === 'Applied') applied += 1;",
    `  if (applied > ${APPLIED_BEFORE}) {`,
    '    command.executeAt = { ...command.executeAt, hlc: command.executeAt.hlc + 1 };',
    '  }',
    '  return check.call(this, command, record);',
    '};',
  ];
  writeFileSync(path, code.join('\n'));
}

test('a broken invariant stops the process with a trace dump; its disk is sound', async () => {
  let isDamaged = true;
  const cluster = await TestCluster.prepare({
    nodeArguments: (id) => (id === 1 && isDamaged ? ['--import', preload] : []),
  });
  onTestFinished(() => cluster.remove());
  const preload = join(cluster.directory, 'damage.mjs');
  damage(preload);
  await cluster.startAll();
  const [one, two] = [cluster.node(1), cluster.node(2)];
  const client = two.client();
  let sets = 0;
  while (one.isRunning && sets < 50 * APPLIED_BEFORE) {
    sets += 1;
    expect(await client.run('SET', `k${sets}`, `${sets}`)).toMatchObject({ type: 'ok' });
  }
  expect(await one.ended).toBe(1);
  expect(one.log()).toMatch(
    /fatal: node-1\/store-0\/replica: safety: transaction .* its decided time/,
  );

  const traces = join(one.dataDir, 'traces');
  const [dump, ...others] = readdirSync(traces);
  expect([dump, others]).toEqual([expect.stringMatching(/^holo-1-.*\.trace\.jsonl$/), []]);
  const lines = readFileSync(join(traces, dump ?? ''), 'utf8')
    .trim()
    .split('\n');
  const events = lines.map((line) => JSON.parse(line) as { readonly kind: string });
  expect(events.length).toBeGreaterThan(APPLIED_BEFORE);
  const broken = /safety: transaction (\S+):/.exec(one.log())?.[1] ?? 'none';
  expect(lines.some((line) => line.includes(broken))).toBe(true);

  // The two others are a quorum, and what the node had logged is true.
  expect(await client.run('SET', 'after', '1')).toMatchObject({ type: 'ok' });
  isDamaged = false;
  one.start();
  await one.ready();
  expect(await one.client().run('GET', `k${sets}`)).toEqual({ type: 'ok', reply: `${sets}` });
});
