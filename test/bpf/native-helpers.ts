/**
 * The small C programs of the tests and the bench: compiles them (into .tmp/bpf, which git ignores)
 * and runs echo peers. Every child dies with this process.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';

const sources = join(import.meta.dirname, 'native');
const headers = ['siphash.h', 'holofast.h'].map((name) =>
  join(import.meta.dirname, '../../bpf/kernel', name),
);
const output = join(import.meta.dirname, '../../.tmp/bpf');

/** The path of the compiled program. Throws Error with the compiler's words. */
export function compileHelper(name: 'echo-peer' | 'stress-voter' | 'checksum-off'): string {
  const source = join(sources, `${name}.c`);
  const binary = join(output, name);
  mkdirSync(output, { recursive: true });
  const newest = Math.max(...[source, ...headers].map((path) => statSync(path).mtimeMs));
  if (existsSync(binary) && statSync(binary).mtimeMs > newest) return binary;
  const temporary = `${binary}.${process.pid}.tmp`;
  const args = ['-O2', '-Wall', '-Wextra', '-Werror', source, '-o', temporary, '-lbpf'];
  const compiled = spawnSync('gcc', args, { encoding: 'utf8' });
  if (compiled.status !== 0) throw new Error(`gcc: ${compiled.stderr}`);
  renameSync(temporary, binary);
  return binary;
}

/** Resolves when the child has printed a line that begins so; rejects when it ends before. */
export function waitForLine(child: ChildProcess, start: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      const line = text.split('\n').find((one) => one.startsWith(start));
      if (line !== undefined && text.includes('\n', text.indexOf(line))) resolve(line);
    });
    child.once('exit', (code) => reject(new Error(`ended (${code}) before "${start}": ${text}`)));
    child.once('error', reject);
  });
}

export interface EchoPeer {
  readonly sender: number;
  readonly address: string;
  readonly port: number;
  readonly child: ChildProcess;
}

/** `prefix`: a command to run it by, such as `nsenter --net=...` or `taskset`. */
export async function startEchoPeer(
  peer: { sender: number; address: string; port: number },
  key: Uint8Array,
  prefix: readonly string[] = [],
): Promise<EchoPeer> {
  const hex = Buffer.from(key).toString('hex');
  const args = [peer.address, String(peer.port), String(peer.sender), hex];
  const [command, ...rest] = [...prefix, compileHelper('echo-peer'), ...args];
  if (command === undefined) throw new Error('no command');
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
  await waitForLine(child, 'ready');
  return { ...peer, child };
}

export async function stopChild(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await ended;
}
