/**
 * `holoctl doctor`: looks at the nodes for what an operator should change, and says what to do.
 * Exit code 1 where something is wrong; notes alone are no fault.
 */
import { type Endpoint, formatEndpoint } from '../endpoint.ts';
import { escapeLine } from '../escape.ts';
import { compareNodes, type Finding, findingsOf, silentNode } from '../http/findings.ts';
import type { PhaseReport } from '../http/latency-report.ts';
import type { NodeStatus } from '../http/node-status.ts';
import { ask, askJson, askStatus } from './ask.ts';
import { nodesOf, type Output, parseFlags } from './command-line.ts';

export async function doctor(args: readonly string[], output: Output): Promise<number> {
  const flags = parseFlags(args, ['node', 'nodes'], ['json']);
  const nodes = nodesOf(flags);
  const statuses = await Promise.all(nodes.map(askStatus));
  const found = await Promise.all(nodes.map((node, index) => lookAt(node, statuses[index])));
  const known = statuses.filter((status) => typeof status !== 'string');
  const findings = [...found.flat(), ...compareNodes(known)];
  const isWell = findings.every(({ kind }) => kind === 'note');
  if (flags.on.has('json')) {
    output.write(`${JSON.stringify(findings)}\n`);
    return isWell ? 0 : 1;
  }
  for (const { kind, place, what, advice } of findings) {
    output.write(`${escapeLine(`${kind}: ${place}: ${what}. ${advice}`)}\n`);
  }
  if (isWell) output.write(`nothing is wrong with ${nodes.length} nodes\n`);
  return isWell ? 0 : 1;
}

async function lookAt(node: Endpoint, status?: NodeStatus | string): Promise<Finding[]> {
  const place = formatEndpoint(node);
  if (status === undefined || typeof status === 'string') {
    return [silentNode(place, `${status}`)];
  }
  const [metrics, latency] = await Promise.all([ask(node, '/metrics'), askJson(node, '/latency')]);
  const phases = Array.isArray(latency) ? (latency as PhaseReport[]) : [];
  return findingsOf({
    place,
    status,
    clockOffsetSeconds: sampleOf(metrics, 'holostore_clock_offset_seconds'),
    syncP99Us: phases.find(({ phase }) => phase === 'sync')?.p99Us,
    openFiles: sampleOf(metrics, 'process_open_fds'),
    openFilesMax: sampleOf(metrics, 'process_max_fds'),
  });
}

/** NaN where there is none. */
function sampleOf(metrics: string, name: string): number {
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics)?.[1] ?? Number.NaN);
}
