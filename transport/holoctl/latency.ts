/** `holoctl latency`: where the time of commands goes on each node. */
import Table from 'cli-table3';
import { formatEndpoint } from '../endpoint.ts';
import { escapeText } from '../escape.ts';
import { NO_ADMIN_PORT } from '../http/http-get.ts';
import type { PhaseReport } from '../http/latency-report.ts';
import { ask } from './ask.ts';
import { nodesOf, type Output, parseFlags } from './command-line.ts';

export async function latency(args: readonly string[], output: Output): Promise<number> {
  const flags = parseFlags(args, ['node', 'nodes'], ['json']);
  const nodes = nodesOf(flags);
  const texts = await Promise.all(nodes.map((endpoint) => ask(endpoint, '/latency')));
  const reports = texts.map((text, index) => {
    const admin = formatEndpoint(nodes[index] ?? { host: '', port: 0 });
    return { admin, phases: phasesOf(text, admin) };
  });
  if (flags.on.has('json')) {
    output.write(escapeText(`${JSON.stringify(reports)}\n`));
    return 0;
  }
  const head = ['node', 'phase', 'count', 'p50 ms', 'p99 ms', 'p99.9 ms', 'max ms'];
  const table = new Table({ head, style: { head: [], border: [] } });
  for (const { admin, phases } of reports) {
    for (const { phase, count, p50Us, p99Us, p999Us, maxUs } of phases) {
      table.push([admin, phase, count, ...[p50Us, p99Us, p999Us, maxUs].map(ms)]);
    }
  }
  output.write(escapeText(`${table.toString()}\n`));
  return 0;
}

function phasesOf(text: string, admin: string): readonly PhaseReport[] {
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value)) return value;
  } catch {
    // Told below.
  }
  throw new Error(`${admin}: ${NO_ADMIN_PORT}`);
}

function ms(us: number): string {
  return (us / 1_000).toFixed(3);
}
