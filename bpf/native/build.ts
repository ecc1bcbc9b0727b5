/**
 * Builds the kernel object and the native addon into dist/bpf:
 * `node --import tsx bpf/native/build.ts`. Both are optional: what is missing is said in one line,
 * with the Debian package that has it, and the exit code is 0 unless `--require` is given. Used by
 * the build script and by the tests.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { artifactsIn, builtDirectory } from './native.ts';

interface BuildResult {
  readonly built: boolean;
  /** One line: what was built, or what is missing. */
  readonly message: string;
  /** Limitations of the built addon. */
  readonly warnings: readonly string[];
}

const COMPILE_TIMEOUT_MS = 120_000;
const CLANG_NAMES = ['clang', ...Array.from({ length: 9 }, (_, index) => `clang-${22 - index}`)];

/** As distributions build what faces a network: what an overflow can reach is checked or closed. */
const HARDENED = [
  ...['-D_FORTIFY_SOURCE=2', '-fstack-protector-strong', '-fstack-clash-protection', '-fno-common'],
  ...['-Wformat', '-Werror=format-security', '-Wl,-z,relro', '-Wl,-z,now', '-Wl,-z,noexecstack'],
];

function sourceDirectory(): string {
  const room = dirname(import.meta.dirname);
  return basename(dirname(room)) === 'dist' ? join(dirname(dirname(room)), 'bpf') : room;
}

function filesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
}

function run(command: string, args: readonly string[]): { ok: boolean; output: string } {
  const result = spawnSync(command, args, { encoding: 'utf8', timeout: COMPILE_TIMEOUT_MS });
  return {
    ok: result.status === 0,
    output: result.error?.message ?? `${result.stdout}${result.stderr}`,
  };
}

/** The directory with node_api.h: of this Node first, then the distribution's. */
export function nodeHeaders(): string | undefined {
  const own = join(dirname(dirname(process.execPath)), 'include', 'node');
  return [own, '/usr/include/node'].find((path) => existsSync(join(path, 'node_api.h')));
}

function findClang(): string | undefined {
  return CLANG_NAMES.find((name) => run(name, ['--version']).ok);
}

function libbpfVersion(): string | undefined {
  const found = run('pkg-config', ['--modversion', 'libbpf']);
  if (found.ok) return found.output.trim();
  return existsSync('/usr/include/bpf/libbpf.h') ? 'unknown' : undefined;
}

function isFresh(output: string, sources: readonly string[]): boolean {
  if (!existsSync(output)) return false;
  const built = statSync(output).mtimeMs;
  return sources.every((source) => statSync(source).mtimeMs <= built);
}

/** Compiles into a name of its own and renames: a reader never sees half a file. */
function compile(
  command: string,
  args: readonly string[],
  output: string,
  last: readonly string[] = [],
): string | undefined {
  const temporary = `${output}.${process.pid}.tmp`;
  const result = run(command, [...args, '-o', temporary, ...last]);
  if (result.ok) renameSync(temporary, output);
  else rmSync(temporary, { force: true });
  return result.ok ? undefined : result.output;
}

function failed(message: string): BuildResult {
  return { built: false, message, warnings: [] };
}

function buildObject(
  source: string,
  headers: readonly string[],
  output: string,
): string | undefined {
  if (isFresh(output, [source, ...headers])) return undefined;
  const clang = findClang();
  if (clang === undefined) return 'clang is missing (Debian: apt install clang)';
  const multiarch = run('gcc', ['-print-multiarch']).output.trim();
  const include = multiarch === '' ? [] : [`-I/usr/include/${multiarch}`];
  // -g: the kernel wants BTF, and the verifier quotes source lines when it complains.
  const args = ['-O2', '-g', '-Wall', '-Wextra', '-target', 'bpf', '-mcpu=v3'];
  const error = compile(clang, [...args, ...include, '-c', source], output);
  return error && `clang: ${error}`;
}

function buildAddon(
  sources: readonly string[],
  headers: readonly string[],
  output: string,
  node: string,
  options: readonly string[],
): string | undefined {
  if (isFresh(output, [...sources, ...headers, import.meta.filename])) return undefined;
  if (!run('gcc', ['--version']).ok) return 'gcc is missing (Debian: apt install gcc)';
  const uv = existsSync(join(node, 'uv.h')) ? [] : ['-DHOLOFAST_WITHOUT_UV'];
  const shared = `-I${join(sourceDirectory(), 'kernel')}`;
  const args = [...options, '-Wall', '-Wextra', '-shared', '-fPIC', shared, `-I${node}`, ...uv];
  const error = compile('gcc', [...args, ...sources], output, ['-lbpf']);
  return error && `gcc: ${error}`;
}

/** Builds what is older than its sources. Never throws for what is missing. */
export function buildHoloFast(
  directory: string = builtDirectory(),
  options: readonly string[] = ['-O2', ...HARDENED],
): BuildResult {
  if (process.platform !== 'linux') return failed('HoloFast is built on Linux only');
  const from = sourceDirectory();
  const names = ['kernel', 'native'].map((room) => join(from, room)).flatMap(filesIn);
  const headers = names.filter((name) => name.endsWith('.h'));
  const addonSources = names.filter((name) => /addon[^/]*\.c$/.test(name));
  const objectSource = join(from, 'kernel', 'holofast.bpf.c');
  if (addonSources.length === 0 || !existsSync(objectSource)) {
    return failed(`the C sources are not in ${from}`);
  }
  if (libbpfVersion() === undefined) {
    return failed('libbpf is missing (Debian: apt install libbpf-dev)');
  }
  const node = nodeHeaders();
  if (node === undefined) {
    return failed('the headers of Node are missing (Debian: apt install libnode-dev)');
  }
  mkdirSync(directory, { recursive: true });
  const { addon, object } = artifactsIn(directory);
  const fault =
    buildObject(objectSource, headers, object) ??
    buildAddon(addonSources, headers, addon, node, options);
  if (fault !== undefined) return failed(fault);
  const warnings = existsSync(join(node, 'uv.h'))
    ? []
    : ['uv.h is missing (Debian: apt install libuv1-dev): no tier 2, quorums cannot wake the loop'];
  return { built: true, message: `HoloFast is built in ${directory}`, warnings };
}

function main(args: readonly string[]): void {
  const result = buildHoloFast();
  for (const warning of result.warnings) console.error(`holofast: ${warning}`);
  if (result.built) {
    console.log(result.message);
    return;
  }
  console.error(`holofast: ${result.message}; the node runs without it, only slower`);
  if (args.includes('--require')) process.exitCode = 1;
}

if (process.argv[1] === import.meta.filename) main(process.argv.slice(2));
