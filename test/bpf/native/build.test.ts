/** The build says in one line what is missing, and is not a failure unless it is required. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { buildHoloFast, nodeHeaders } from '../../../bpf/native/build.ts';
import { artifactsIn, loadAddon } from '../../../bpf/native/native.ts';
import { probe } from '../../../bpf/native/probe.ts';
import { kernelSupport } from '../support.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holofast-build-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

test('without compilers: one line with the package to install, and nothing half-built', () => {
  vi.stubEnv('PATH', directory);
  const result = buildHoloFast(directory);
  vi.unstubAllEnvs();
  expect(result.built).toBe(false);
  expect(result.message).toMatch(/^[^\n]+\(Debian: apt install [a-z0-9-]+\)$/);
  expect(readdirSync(directory)).toEqual([]);
});

test('a missing or broken addon is an answer, and means tier 0', () => {
  const nowhere = { addon: join(directory, 'no.node'), object: join(directory, 'no.o') };
  expect(loadAddon(nowhere).reason).toMatch(/not built/);
  expect(probe(nowhere)).toEqual({ tier: 0, reason: expect.stringMatching(/not built/) });
  const broken = { ...nowhere, addon: import.meta.filename };
  expect(probe(broken).tier).toBe(0);
});

const possible = kernelSupport().addon !== undefined;

test.skipIf(!possible)('an object that does not load means tier 1, with the reason', () => {
  const { tier, reason } = probe({ ...artifactsIn(), object: '/nonexistent.o' });
  expect(tier).toBe(1);
  expect(reason).toMatch(/open BPF object: No such file/);
  expect(reason).not.toMatch(/\n/);
});

const canBuild = buildHoloFast().built;

test.skipIf(!canBuild)('the C sources compile without a warning, with and without uv.h', () => {
  const bpf = join(import.meta.dirname, '../../../bpf');
  const sources = ['kernel', 'native'].flatMap((room) =>
    readdirSync(join(bpf, room))
      .filter((name) => name.endsWith('.c'))
      .map((name) => join(room, name)),
  );
  expect(sources.length).toBeGreaterThan(4);
  const strict = ['-Wall', '-Wextra', '-Werror', '-fsyntax-only'];
  const multiarch = spawnSync('gcc', ['-print-multiarch'], { encoding: 'utf8' }).stdout.trim();
  for (const name of sources) {
    const isKernel = name.endsWith('.bpf.c');
    const target = ['-target', 'bpf', '-mcpu=v3', '-O2', `-I/usr/include/${multiarch}`];
    const variants = isKernel ? [target] : [[], ['-DHOLOFAST_WITHOUT_UV']];
    for (const flags of variants) {
      const node = isKernel ? [] : [`-I${nodeHeaders()}`, `-I${join(bpf, 'kernel')}`];
      const args = [...strict, ...flags, ...node, join(bpf, name)];
      const compiled = spawnSync(isKernel ? 'clang' : 'gcc', args, { encoding: 'utf8' });
      expect(compiled.stderr, `${name} ${flags.join(' ')}`).toBe('');
    }
  }
});

test('nothing is written to stderr by a probe', () => {
  const script = join(import.meta.dirname, '../../../bpf/native/probe.ts');
  const print = '(m) => console.log(JSON.stringify(m.probe()))';
  const code = `import(${JSON.stringify(script)}).then(${print})`;
  const run = spawnSync(process.execPath, ['--import', 'tsx', '-e', code], { encoding: 'utf8' });
  expect(run.stderr).toBe('');
  expect(JSON.parse(run.stdout)).toHaveProperty('tier');
});
