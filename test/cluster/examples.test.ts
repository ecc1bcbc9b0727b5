/** The projects under `examples/` in their short form, against three nodes: about a minute. */
import { beforeAll, expect, test } from 'vitest';
import { EXAMPLE_PROJECTS, install, missingFor, runExample } from './example-projects.ts';
import { SharedCluster } from './shared-cluster.ts';

const INSTALL_MS_MAX = 300_000;
/** A few seconds, unless the machine is busy. */
const RUN_MS_MAX = 60_000;

const shared = new SharedCluster();
const failures = new Map<string, unknown>();

beforeAll(async () => {
  const present = EXAMPLE_PROJECTS.filter((example) => missingFor(example) === undefined);
  await Promise.all(
    present.map((example) => install(example).catch((error) => failures.set(example.name, error))),
  );
}, INSTALL_MS_MAX);

for (const example of EXAMPLE_PROJECTS) {
  const { name, short } = example;
  const missing = missingFor(example);
  const title = missing === undefined ? `${name} does ${short} jobs` : `${name}: ${missing}`;
  test.skipIf(missing !== undefined)(title, async () => {
    expect(failures.get(name)).toBeUndefined();
    const ports = shared.cluster.nodes.map(({ redisPort }) => redisPort);
    const { code, stdout, stderr } = await runExample(example, ports, short, RUN_MS_MAX);
    console.log(`${name}: ${stdout.trim()}`);
    expect(code, `${stdout}\n${stderr.slice(-2_000)}`).toBe(0);
  });
}
