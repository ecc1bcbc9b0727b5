/**
 * `npm run examples -- [NAME ...] [--jobs N] [--faults kill,...]`: runs projects under `examples/`
 * in their full form, against a cluster of three nodes. With faults, which come one after the
 * other, only those that are made for it.
 */
import { parseArgs } from 'node:util';
import { disturb, withWorld } from './disturbed.ts';
import {
  EXAMPLE_PROJECTS,
  type Example,
  install,
  missingFor,
  runExample,
} from './example-projects.ts';
import { TestCluster } from './harness.ts';
import { FAULTS, type FaultName } from './nemesis.ts';

const RUN_MS_MAX = 20 * 60_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    jobs: { type: 'string' },
    faults: { type: 'string', default: '' },
  },
});
const faults = values.faults.split(',').filter((name) => name !== '');
for (const name of faults) {
  if (!FAULTS.includes(name as FaultName)) throw new Error(`no fault has the name ${name}`);
}

async function run(example: Example, cluster: TestCluster): Promise<void> {
  const missing = missingFor(example);
  if (missing !== undefined) return console.log(`${example.name}: skipped, ${missing}`);
  await install(example);
  const ports = cluster.nodes.map(({ redisPort }) => redisPort);
  const jobs = Number(values.jobs ?? example.full);
  const { code, stdout, stderr } = await runExample(example, ports, jobs, RUN_MS_MAX);
  console.log(`${example.name}, ${jobs} jobs: ${stdout.trim()}`);
  if (code === 0) return;
  console.log(`${example.name} ended with ${code}: ${stderr.slice(-2_000)}`);
  process.exitCode = 1;
}

const chosen = EXAMPLE_PROJECTS.filter(
  ({ name, bearsFaults }) =>
    (positionals.length === 0 || positionals.includes(name)) &&
    (bearsFaults || faults.length === 0),
);
if (faults.length > 0) {
  process.env['HOLO_FAULTS'] = faults.join(',');
  await withWorld(async (world) => {
    for (const example of chosen) {
      let hasEnded = false;
      const disturbed = disturb(world, faults as FaultName[], () => hasEnded);
      await run(example, world.cluster).finally(() => {
        hasEnded = true;
      });
      console.log(`meanwhile: ${(await disturbed).join(', ')}`);
    }
  });
} else {
  const cluster = await TestCluster.start();
  try {
    for (const example of chosen) await run(example, cluster);
  } finally {
    await cluster.remove();
  }
}
