/** `holoctl status`: a line per node. Exit code 1 where a node does not answer or is not ready. */
import Table from 'cli-table3';
import { type Endpoint, formatEndpoint } from '../endpoint.ts';
import { escapeText } from '../escape.ts';
import type { NodeStatus } from '../http/node-status.ts';
import { askStatus } from './ask.ts';
import { nodesOf, type Output, parseFlags } from './command-line.ts';

export async function status(args: readonly string[], output: Output): Promise<number> {
  const flags = parseFlags(args, ['node', 'nodes'], ['json']);
  const asked = nodesOf(flags);
  const answers = await Promise.all(asked.map(askStatus));
  if (flags.on.has('json')) {
    const rows = asked.map((endpoint, index) => {
      const answer = answers[index];
      const known = typeof answer === 'string' ? { error: answer } : { status: answer };
      return { admin: formatEndpoint(endpoint), ...known };
    });
    output.write(escapeText(`${JSON.stringify(rows)}\n`));
    return answers.every(isHealthy) ? 0 : 1;
  }
  const table = new Table({
    head: [
      ...['node', 'admin', 'alive', 'ready', 'redis', 'applied', 'behind'],
      ...['fast', 'slow', 'recovered', 'invalidated', 'links', 'keys'],
    ],
    style: { head: [], border: [] },
  });
  const newest = Math.max(0, ...answers.map((each) => appliedOf(each)));
  asked.forEach((endpoint, index) => {
    const answer = answers[index];
    if (answer === undefined || typeof answer === 'string') {
      table.push(['?', formatEndpoint(endpoint), `no: ${answer ?? ''}`, ...Array(10).fill('')]);
    } else {
      table.push(statusRow(endpoint, answer, newest));
    }
  });
  for (const [id, seenBy] of unasked(answers)) {
    table.push([id, '', seenBy, ...Array(10).fill('')]);
  }
  output.write(`${escapeText(table.toString())}\n`);
  return answers.every(isHealthy) ? 0 : 1;
}

function isHealthy(answer: NodeStatus | string): boolean {
  return typeof answer !== 'string' && answer.notReady === undefined;
}

function statusRow(endpoint: Endpoint, answer: NodeStatus, newest: number): (string | number)[] {
  const others = answer.members.filter((member) => member.id !== answer.node);
  const { fast, slow, recovered, invalidated } = answer.paths;
  return [
    ...[answer.node, formatEndpoint(endpoint), 'yes'],
    answer.notReady === undefined ? 'yes' : `no: ${answer.notReady}`,
    ...[answer.redis, answer.appliedSequence, newest - answer.appliedSequence],
    ...[fast, slow, recovered, invalidated],
    `${others.filter((member) => member.alive).length}/${others.length}`,
    answer.keys,
  ];
}

/** Members that were not asked themselves, as the nodes that were asked see them. */
function unasked(answers: readonly (NodeStatus | string)[]): Map<number, string> {
  const seen = new Map<number, string>();
  const spoken = new Set<number>();
  for (const answer of answers) {
    if (typeof answer === 'string') continue;
    spoken.add(answer.node);
    for (const member of answer.members) {
      seen.set(member.id, `${member.alive ? 'yes' : 'no'}, says node ${answer.node}`);
    }
  }
  for (const id of spoken) seen.delete(id);
  return seen;
}

function appliedOf(answer: NodeStatus | string): number {
  return typeof answer === 'string' ? 0 : answer.appliedSequence;
}
