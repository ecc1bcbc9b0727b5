/**
 * `npm run examples -- [NAME ...] [--jobs N]`: runs projects under `examples/` in their full form,
 * against a cluster of three nodes.
 */
import { parseArgs } from 'node:util';
import { EXAMPLE_PROJECTS, install, missingFor, runExample } from './example-projects.ts';
import { TestCluster } from './harness.ts';

const RUN_MS_MAX = 20 * 60_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { jobs: { type: 'string' } },
});
const chosen = EXAMPLE_PROJECTS.filter(
  ({ name }) => positionals.length === 0 || positionals.includes(name),
);
const cluster = await TestCluster.start();
try {
  const ports = cluster.nodes.map(({ redisPort }) => redisPort);
  for (const example of chosen) {
    const missing = missingFor(example);
    if (missing !== undefined) {
      console.log(`${example.name}: skipped, ${missing}`);
      continue;
    }
    await install(example);
    const jobs = Number(values.jobs ?? example.full);
    const { code, stdout, stderr } = await runExample(example, ports, jobs, RUN_MS_MAX);
    console.log(`${example.name}, ${jobs} jobs: ${stdout.trim()}`);
    if (code !== 0) {
      console.log(`${example.name} ended with ${code}: ${stderr.slice(-2_000)}`);
      process.exitCode = 1;
    }
  }
} finally {
  await cluster.remove();
}
