#!/usr/bin/env node
/**
 * The `holoctl` command: asks the admin ports of nodes and prints the answers. An error
 * is one line on standard error. Exit codes: 0 success, 1 a node did not answer or is not ready,
 * 2 wrong usage.
 */
import { readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import Table from 'cli-table3';
import { type Endpoint, formatEndpoint, parseEndpoint } from '../endpoint.ts';
import { escapeLine, escapeText } from '../escape.ts';
import { fileErrorText } from '../file-error.ts';
import { OPERATOR_HEADER, TRACE_FORMATS } from '../http/admin-server.ts';
import { httpGet, httpPost, NO_ADMIN_PORT } from '../http/http-get.ts';
import { isNodeStatus, type NodeStatus } from '../http/node-status.ts';

const DEFAULT_TARGET = '127.0.0.1:15080';
const TIMEOUT_MS = 5000;

const HELP = `holoctl: asks the nodes of a HoloStore cluster (their admin ports)

  holoctl status [--nodes HOST:PORT,...]   a line per node
  holoctl holofast [--node HOST:PORT]      which tier of HoloFast runs, and why not a higher one
  holoctl actors [--node HOST:PORT]        the actors of a node, as JSON
  holoctl metrics [--node HOST:PORT]       what Prometheus would read
  holoctl trace dump [--node HOST:PORT] [--format ${TRACE_FORMATS.join('|')}] [--out FILE]
  holoctl config set NAME VALUE [--node HOST:PORT]   changes a setting, from the node's machine
  holoctl version
  holoctl help

Without an address: HOLO_ADMIN from the environment, or ${DEFAULT_TARGET}.`;

/** From the environment: addresses. `status` asks all of them, the other subcommands the first. */
const { HOLO_ADMIN } = process.env;

class UsageError extends Error {}

interface Output {
  readonly write: (text: string) => void;
  readonly writeError: (line: string) => void;
}

/** Returns the exit code; never throws. */
export async function run(args: readonly string[], output: Output): Promise<number> {
  const [command, ...rest] = args;
  try {
    switch (command) {
      case 'status':
        return await status(rest, output);
      case 'holofast':
        return await holofast(rest, output);
      case 'actors':
        return await page('/actors', rest, output);
      case 'metrics':
        return await page('/metrics', rest, output);
      case 'trace':
        return await trace(rest, output);
      case 'config':
        return await config(rest, output);
      case 'version':
      case '--version':
        output.write(`holoctl ${version()}\n`);
        return 0;
      case 'help':
      case '--help':
      case '-h':
        output.write(`${HELP}\n`);
        return 0;
      case undefined:
        throw new UsageError('a subcommand is missing (see "holoctl help")');
      default:
        throw new UsageError(`unknown subcommand "${command}" (see "holoctl help")`);
    }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    output.writeError(`holoctl: ${escapeLine(message)}`);
    return error instanceof UsageError ? 2 : 1;
  }
}

async function status(args: readonly string[], output: Output): Promise<number> {
  const flags = parseFlags(args, ['nodes']);
  const asked = (flags.get('nodes') ?? HOLO_ADMIN ?? DEFAULT_TARGET)
    .split(',')
    .map((text) => target(text.trim()));
  const answers = await Promise.all(asked.map(askStatus));
  const table = new Table({
    head: [
      ...['node', 'admin', 'alive', 'ready', 'redis', 'applied', 'behind'],
      ...['fast', 'slow', 'recovered', 'invalidated', 'links', 'keys'],
    ],
    style: { head: [], border: [] },
  });
  const newest = Math.max(0, ...answers.map((each) => appliedOf(each)));
  let healthy = true;
  asked.forEach((endpoint, index) => {
    const answer = answers[index];
    if (answer === undefined || typeof answer === 'string') {
      healthy = false;
      table.push(['?', formatEndpoint(endpoint), `no: ${answer ?? ''}`, ...Array(10).fill('')]);
    } else {
      healthy &&= answer.notReady === undefined;
      table.push(statusRow(endpoint, answer, newest));
    }
  });
  for (const [id, seenBy] of unasked(answers)) {
    table.push([id, '', seenBy, ...Array(10).fill('')]);
  }
  output.write(`${escapeText(table.toString())}\n`);
  return healthy ? 0 : 1;
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

async function askStatus(endpoint: Endpoint): Promise<NodeStatus | string> {
  try {
    const value: unknown = JSON.parse(await ask(endpoint, '/status'));
    return isNodeStatus(value) ? value : NO_ADMIN_PORT;
  } catch (error) {
    if (error instanceof SyntaxError) return NO_ADMIN_PORT;
    // The address has a column of its own.
    const message = error instanceof Error ? error.message : String(error);
    return message.slice(`${formatEndpoint(endpoint)}: `.length);
  }
}

async function holofast(args: readonly string[], output: Output): Promise<number> {
  const endpoint = nodeOf(parseFlags(args, ['node']));
  const answer = await askStatus(endpoint);
  if (typeof answer === 'string') throw new Error(`${formatEndpoint(endpoint)}: ${answer}`);
  if (answer.holofast === undefined) {
    throw new Error(
      `${formatEndpoint(endpoint)}: this node does not report HoloFast: ` +
        'it is older than this holoctl',
    );
  }
  const { mode, tier, reason, quorums, counters } = answer.holofast;
  const table = new Table({ style: { head: [], border: [] } });
  table.push(['tier', tier], ['because', reason], ['asked for', mode], ['quorums', quorums]);
  for (const [name, count] of Object.entries(counters)) table.push([name, count]);
  output.write(`${escapeText(table.toString())}\n`);
  return 0;
}

async function page(path: string, args: readonly string[], output: Output): Promise<number> {
  const flags = parseFlags(args, ['node']);
  const text = await ask(nodeOf(flags), path);
  output.write(escapeText(path === '/actors' ? indented(text, nodeOf(flags)) : text));
  return 0;
}

function indented(json: string, endpoint: Endpoint): string {
  try {
    return `${JSON.stringify(JSON.parse(json), null, 2)}\n`;
  } catch {
    throw new Error(`${formatEndpoint(endpoint)}: ${NO_ADMIN_PORT}`);
  }
}

async function trace(args: readonly string[], output: Output): Promise<number> {
  const [action, ...rest] = args;
  if (action !== 'dump') {
    throw new UsageError('the only action of trace is dump (see "holoctl help")');
  }
  const flags = parseFlags(rest, ['node', 'format', 'out']);
  const format = flags.get('format') ?? 'jsonl';
  if (!TRACE_FORMATS.some((each) => each === format)) {
    throw new UsageError(`--format must be one of ${TRACE_FORMATS.join(', ')}, not "${format}"`);
  }
  const text = await ask(nodeOf(flags), `/trace?format=${format}`);
  const file = flags.get('out');
  if (file === undefined) {
    output.write(escapeText(text));
  } else {
    try {
      writeFileSync(file, text);
    } catch (error) {
      throw new Error(`--out ${file} cannot be written: ${fileErrorText(error)}`);
    }
    output.write(`${Buffer.byteLength(text)} bytes written to ${file}\n`);
  }
  return 0;
}

async function config(args: readonly string[], output: Output): Promise<number> {
  const [verb, name = '', value = '', ...rest] = args;
  if (verb !== 'set' || args.length < 3) {
    throw new UsageError('config set takes NAME VALUE (see "holoctl help")');
  }
  const endpoint = nodeOf(parseFlags(rest, ['node']));
  const query = new URLSearchParams({ name, value });
  const headers = { [OPERATOR_HEADER]: 'holoctl' };
  const { status, body } = await httpPost(endpoint, `/config?${query}`, headers, TIMEOUT_MS);
  if (status !== 200) throw new Error(`${formatEndpoint(endpoint)}: ${body.trim().slice(0, 300)}`);
  output.write(body);
  return 0;
}

/** @throws Error of the form `host:port: reason`. */
async function ask(endpoint: Endpoint, path: string): Promise<string> {
  const { status, body } = await httpGet(endpoint, path, TIMEOUT_MS);
  if (status !== 200) {
    const reason = body.trim().slice(0, 200) || `HTTP status ${status}`;
    throw new Error(`${formatEndpoint(endpoint)}: ${reason}`);
  }
  return body;
}

function parseFlags(args: readonly string[], names: readonly string[]): Map<string, string> {
  const options: NonNullable<ParseArgsConfig['options']> = {};
  for (const name of names) options[name] = { type: 'string' };
  try {
    const { values } = parseArgs({ args: [...args], options, strict: true });
    return new Map(
      Object.entries(values).flatMap(([name, value]) =>
        typeof value === 'string' ? [[name, value] as const] : [],
      ),
    );
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const line = (reason.split(/\.\s|\n/)[0] ?? reason).replace(/^./, (c) => c.toLowerCase());
    throw new UsageError(`${line} (see "holoctl help")`);
  }
}

function nodeOf(flags: ReadonlyMap<string, string>): Endpoint {
  return target(flags.get('node') ?? HOLO_ADMIN?.split(',')[0] ?? DEFAULT_TARGET);
}

function target(text: string): Endpoint {
  const endpoint = parseEndpoint(text);
  if (endpoint === undefined) {
    throw new UsageError(
      `an admin port is written HOST:PORT, not "${text}" (--node, --nodes or HOLO_ADMIN)`,
    );
  }
  return endpoint;
}

/** The version of the package that this file belongs to, from source or from dist/. */
function version(): string {
  for (const path of ['../../package.json', '../../../package.json']) {
    try {
      return String(JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')).version);
    } catch {
      // The other place has it.
    }
  }
  return 'unknown';
}

function isProgram(): boolean {
  const program = process.argv[1];
  return program !== undefined && realpathSync(program) === fileURLToPath(import.meta.url);
}

if (isProgram()) {
  // A reader such as `head` may close the pipe early.
  process.stdout.on('error', () => process.exit(0));
  process.exitCode = await run(process.argv.slice(2), {
    write: (text) => process.stdout.write(text),
    writeError: (line) => process.stderr.write(`${line}\n`),
  });
}
