/** The addon as it is built: closed against what an overflow would use, and clean by sanitizers. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { buildHoloFast } from '../../../bpf/native/build.ts';
import { artifactsIn } from '../../../bpf/native/native.ts';
import { probe } from '../../../bpf/native/probe.ts';

const SANITIZED = [
  '-O1',
  '-g',
  '-fno-omit-frame-pointer',
  '-fsanitize=address,undefined',
  '-fno-sanitize-recover=undefined',
];
const directory = mkdtempSync(join(tmpdir(), 'holofast-sanitized-'));
afterAll(() => rmSync(directory, { recursive: true }));

const built = buildHoloFast();
const hasReadelf = spawnSync('readelf', ['--version']).status === 0;

test.skipIf(!built.built || !hasReadelf)('the addon is linked with its defences', () => {
  const { stdout } = spawnSync('readelf', ['-dlW', artifactsIn().addon], { encoding: 'utf8' });
  expect(stdout).toMatch(/BIND_NOW|FLAGS_1.*NOW/);
  expect(stdout).toContain('GNU_RELRO');
  expect(stdout).toMatch(/GNU_STACK.* RW /);
  const symbols = spawnSync('readelf', ['--dyn-syms', '-W', artifactsIn().addon], {
    encoding: 'utf8',
  }).stdout;
  expect(symbols).toContain('__stack_chk_fail');
});

const library = spawnSync('gcc', ['-print-file-name=libasan.so'], { encoding: 'utf8' });
const asan = library.status === 0 ? library.stdout.trim() : '';
const reason = !built.built
  ? built.message
  : asan.startsWith('/')
    ? undefined
    : 'gcc has no sanitizers';

test.skipIf(reason !== undefined)(`runs clean under sanitizers ${reason ?? ''}`, () => {
  expect(buildHoloFast(directory, SANITIZED).message).toContain('is built');
  const script = join(import.meta.dirname, '../children/sanitized.ts');
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', 'tsx', script, directory],
    {
      encoding: 'utf8',
      // Node's own memory at its end is no leak of the addon's.
      env: { ...process.env, LD_PRELOAD: asan, ASAN_OPTIONS: 'detect_leaks=0' },
    },
  );
  expect(stderr).not.toMatch(/ERROR: AddressSanitizer|runtime error/);
  expect({ status, stdout }).toEqual({ status: 0, stdout: `tier ${probe().tier}\n` });
});
