/**
 * Lock libraries of several languages at all nodes of a cluster whose nodes are killed, paused and
 * cut off: no lock may have two holders, and no limit of a rate may be exceeded.
 *
 *   npm run check:locks -- [--time SECONDS]
 *
 * The programs are in `examples/locks`; one whose language or libraries are absent is named and
 * passed over. Exits with 0 (all is well), 1 (a lock had two holders, or none was ever held).
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { disturb, withWorld } from './disturbed.ts';
import { type FaultName, settle, type World } from './nemesis.ts';

const FAULTS: readonly FaultName[] = ['kill', 'pause', 'partition'];
const FOLDER = join(import.meta.dirname, '../../examples/locks');

interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly isHere: () => boolean;
}

function runs(command: string, ...args: readonly string[]): boolean {
  return spawnSync(command, args, { cwd: FOLDER, stdio: 'ignore' }).status === 0;
}

const PROGRAMS: readonly Program[] = [
  {
    command: process.execPath,
    args: ['main.js'],
    isHere: () => existsSync(join(FOLDER, 'node_modules')) || runs('npm', 'ci', '--no-audit'),
  },
  { command: 'python3', args: ['main.py'], isHere: () => runs('python3', '-c', 'import redis') },
  { command: 'go', args: ['run', '.'], isHere: () => runs('go', 'build', '-o', '/dev/null', '.') },
];

/** The exit code of the program. */
async function check(world: World, program: Program, seconds: string): Promise<number> {
  const ports = world.cluster.nodes.map(({ redisPort }) => redisPort).join(',');
  const child = spawn(program.command, [...program.args, seconds], {
    cwd: FOLDER,
    env: { ...process.env, HOLO_PORTS: ports },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let line = '';
  child.stdout.on('data', (bytes: Buffer) => {
    line += bytes.toString();
  });
  let code: number | undefined;
  const ended = new Promise<void>((resolve) => {
    child.once('close', (status) => {
      code = status ?? 1;
      resolve();
    });
  });
  const faults = await disturb(world, FAULTS, () => code !== undefined);
  await ended;
  console.log(`${line.trim()} exit ${code}; ${faults.join(', ')}`);
  await settle();
  return code ?? 1;
}

const { time } = parseArgs({ options: { time: { type: 'string', default: '15' } } }).values;
await withWorld(async (world) => {
  for (const program of PROGRAMS) {
    if (!program.isHere()) console.log(`${program.command}: its libraries are not installed`);
    else if ((await check(world, program, time)) !== 0) process.exitCode = 1;
  }
});
