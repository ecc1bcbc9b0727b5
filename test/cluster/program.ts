/**
 * The program that cluster tests and benchmarks run: `dist/` when it is newer than all sources, and
 * a build of its own otherwise, kept under `.tmp/` by the sources it was made of. Compiled, because
 * three nodes that each compile themselves would take the machine for seconds.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { buildHoloFast } from '../../bpf/native/build.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const ROOMS = ['actors', 'transport', 'bpf', 'wal', 'storage'];
const BUILD_TIMEOUT_MS = 120_000;
/** A run that still uses a build is over by then. */
const KEPT_MS_MAX = 3 * 3600 * 1000;

export interface Program {
  /** `holostore`. */
  readonly main: string;
  readonly holoctl: string;
}

let found: Program | undefined;

/**
 * Builds when nothing usable is there; HOLO_TEST_DIST names a build to use as it is. All of one
 * process use the same program, whatever is edited meanwhile.
 */
export function findProgram(): Program {
  found ??= find();
  return found;
}

function find(): Program {
  const { HOLO_TEST_DIST: given } = process.env;
  if (given !== undefined) return programIn(resolve(given));
  const { newestMs, digest } = describeSources();
  const dist = join(ROOT, 'dist');
  const built = statSync(join(dist, 'actors/main.js'), { throwIfNoEntry: false });
  if (built !== undefined && built.mtimeMs > newestMs) return programIn(dist);
  const folder = join(ROOT, '.tmp', 'programs');
  const target = join(folder, digest);
  if (!existsSync(target)) {
    build(target);
    removeOld(folder);
  }
  return programIn(target);
}

function programIn(folder: string): Program {
  return {
    main: join(folder, 'actors/main.js'),
    holoctl: join(folder, 'transport/holoctl/main.js'),
  };
}

function describeSources(): { newestMs: number; digest: string } {
  const hash = createHash('sha256');
  let newestMs = 0;
  for (const room of ROOMS) {
    const names = readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' });
    for (const name of names.filter((each) => /\.(ts|c|h)$/.test(each)).sort()) {
      const { mtimeMs, size } = statSync(join(ROOT, room, name));
      newestMs = Math.max(newestMs, mtimeMs);
      hash.update(`${room}/${name} ${mtimeMs} ${size}\n`);
    }
  }
  return { newestMs, digest: hash.digest('hex').slice(0, 16) };
}

/** Under its final name only when whole: several test workers may build at the same time. */
function build(target: string): void {
  const draft = `${target}.${process.pid}`;
  mkdirSync(draft, { recursive: true });
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const args = [tsc, '-p', 'tsconfig.build.json', '--outDir', draft, '--noEmitOnError', 'true'];
  try {
    execFileSync(process.execPath, args, {
      cwd: ROOT,
      stdio: 'pipe',
      encoding: 'utf8',
      timeout: BUILD_TIMEOUT_MS,
    });
    // Optional: where it cannot be built, the kernel part says so itself.
    buildHoloFast(join(draft, 'dist', 'bpf'));
    if (!existsSync(target)) renameSync(draft, target);
  } catch (error) {
    const { stdout } = error as { stdout?: unknown };
    if (!existsSync(target)) throw new Error(`the sources do not compile: ${stdout || error}`);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

function removeOld(folder: string): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const found = statSync(path, { throwIfNoEntry: false });
    if (found !== undefined && Date.now() - found.mtimeMs > KEPT_MS_MAX) {
      rmSync(path, { recursive: true, force: true });
    }
  }
}
