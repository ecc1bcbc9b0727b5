/**
 * The projects under `examples/`: each has dependencies and a lock file of its own, and runs with
 * the ports of a cluster in `HOLO_PORTS` and a number of jobs. It prints one line of JSON, and ends
 * with 0 if every job was done as it should be. They are installed in copies, which stay for later
 * runs while the project is the same.
 */
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { hasTool, runTool, type ToolResult } from './redis-tools.ts';

const EXAMPLES = resolve('examples');
const INSTALLED = resolve('.tmp/examples');
const INSTALL_MS_MAX = 240_000;

type Language = 'javascript' | 'python' | 'go';

export interface Example {
  readonly name: string;
  readonly language: Language;
  /** Jobs of the short form, and of the full one. */
  readonly short: number;
  readonly full: number;
  /** It knows of `HOLO_FAULTS`: that nodes fail while it runs. */
  readonly bearsFaults?: true;
}

export const EXAMPLE_PROJECTS: readonly Example[] = [
  { name: 'bullmq', language: 'javascript', short: 60, full: 10_000, bearsFaults: true },
  { name: 'bee-queue', language: 'javascript', short: 100, full: 10_000 },
  { name: 'socket.io', language: 'javascript', short: 200, full: 20_000 },
  { name: 'consumer-group', language: 'javascript', short: 100, full: 10_000 },
  { name: 'celery', language: 'python', short: 30, full: 2_000 },
  { name: 'rq', language: 'python', short: 20, full: 1_000 },
  { name: 'huey', language: 'python', short: 30, full: 2_000 },
  { name: 'asynq', language: 'go', short: 100, full: 10_000 },
];

/** Why a project cannot run here; undefined: it can. */
export function missingFor({ language }: Example): string | undefined {
  switch (language) {
    case 'javascript':
      return hasTool('npm') ? undefined : 'npm is not installed';
    case 'python':
      return hasTool('python3') ? undefined : 'python3 is not installed';
    case 'go':
      return hasTool('go') ? undefined : 'go is not installed';
  }
}

/** Installs what the lock file names, or throws what the package manager has said. */
export async function install({ name, language }: Example): Promise<void> {
  const directory = directoryOf(name);
  if (existsSync(join(directory, '.installed'))) return;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  cpSync(join(EXAMPLES, name), directory, { recursive: true });
  const at = (file: string): string => join(directory, file);
  switch (language) {
    case 'javascript':
      await must('npm', [
        'ci',
        '--no-audit',
        '--no-fund',
        '--ignore-scripts',
        '--prefix',
        directory,
      ]);
      break;
    case 'python':
      await must('python3', ['-m', 'venv', at('venv')]);
      await must(at('venv/bin/pip'), [
        ...['install', '--quiet', '--disable-pip-version-check', '--no-deps'],
        ...['--requirement', at('requirements.txt')],
      ]);
      break;
    case 'go':
      await must('go', ['build', '-C', directory, '-mod=readonly', '-o', 'example', '.']);
  }
  mkdirSync(at('.installed'));
}

/** Runs it to its end with so many jobs. */
export function runExample(
  { name, language }: Example,
  ports: readonly number[],
  jobs: number,
  timeoutMs: number,
): Promise<ToolResult> {
  const directory = directoryOf(name);
  const environment = [`HOLO_PORTS=${ports.join(',')}`, 'PYTHONDONTWRITEBYTECODE=1'];
  const commands: Record<Language, readonly string[]> = {
    javascript: ['node', join(directory, 'main.js')],
    python: [join(directory, 'venv/bin/python'), join(directory, 'main.py')],
    go: [join(directory, 'example')],
  };
  return runTool('env', [...environment, ...commands[language], String(jobs)], timeoutMs);
}

/** Another one for each state of the project. */
function directoryOf(name: string): string {
  const hash = createHash('sha256');
  const project = join(EXAMPLES, name);
  for (const file of readdirSync(project).sort()) {
    hash.update(file).update(readFileSync(join(project, file)));
  }
  return join(INSTALLED, `${name}-${hash.digest('hex').slice(0, 12)}`);
}

async function must(command: string, args: readonly string[]): Promise<void> {
  const { code, stderr } = await runTool(command, args, INSTALL_MS_MAX);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr.slice(-2_000)}`);
}
