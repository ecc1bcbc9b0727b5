/**
 * `holoctl login` and `logout`: a session of a user at a node, kept for later calls. The password
 * is read from the terminal, unseen, or from standard input; never from the command line.
 */
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { formatEndpoint } from '../endpoint.ts';
import { httpPost } from '../http/http-get.ts';
import { change } from './ask.ts';
import { nodeOf, type Output, parseFlags, UsageError } from './command-line.ts';
import { admin, saveSession } from './credentials.ts';

/** With the time that a refusal is held back. */
const TIMEOUT_MS = 15_000;

export async function login(args: readonly string[], output: Output): Promise<number> {
  const flags = parseFlags(args, ['node'], ['json'], 1);
  const endpoint = nodeOf(flags);
  const user = flags.words[0] ?? 'default';
  const password = await askPassword(`password of ${user} at ${formatEndpoint(endpoint)}: `);
  const { status, body, headers } = await httpPost(
    endpoint,
    '/login',
    JSON.stringify({ user, password }),
    TIMEOUT_MS,
    { headers: { 'Content-Type': 'application/json' }, ...admin.sockets() },
  );
  const cookie = headers['set-cookie']?.[0]?.split(';')[0];
  if (status !== 200 || cookie === undefined) {
    throw new Error(`${formatEndpoint(endpoint)}: ${body.trim().slice(0, 300)}`);
  }
  const { role, csrf } = JSON.parse(body) as { role: string; csrf: string };
  saveSession(endpoint, { user, cookie, csrf });
  output.write(flags.on.has('json') ? `${JSON.stringify({ user, role })}\n` : `${user}: ${role}\n`);
  return 0;
}

export async function logout(args: readonly string[], output: Output): Promise<number> {
  const flags = parseFlags(args, ['node'], ['json']);
  const endpoint = nodeOf(flags);
  try {
    await change(endpoint, '/logout');
  } finally {
    // Also where the node is away: this user wants to be rid of it.
    saveSession(endpoint, undefined);
  }
  output.write(flags.on.has('json') ? '{}\n' : 'ok\n');
  return 0;
}

async function askPassword(question: string): Promise<string> {
  const { stdin, stderr } = process;
  if (stdin.isTTY !== true) return (await text(stdin)).replace(/\r?\n$/, '');
  stderr.write(question);
  const unseen = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: stdin, output: unseen, terminal: true });
  try {
    return await lines.question('');
  } catch {
    throw new UsageError('no password was given');
  } finally {
    lines.close();
    stderr.write('\n');
  }
}
