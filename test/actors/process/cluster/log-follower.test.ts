import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LogFollower, lineToShow } from '../../../../actors/process/cluster/log-follower.ts';

let root: string;
let path: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holo-log-'));
  path = join(root, 'log');
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

test.each([
  ['{"level":30,"msg":"fine"}', undefined],
  ['', undefined],
  ['{"level":40,"msg":"hm"}', 'WARN hm'],
  ['{"level":60,"msg":"bad","err":{"message":"why"}}', 'ERROR bad: why'],
  ['holostore: --x is wrong', 'holostore: --x is wrong'],
  ['{"other":1}', '{"other":1}'],
  ['null', 'null'],
])('%s', (line, shown) => {
  expect(lineToShow(line)).toBe(shown);
});

test('a child cannot act on the terminal of its parent', () => {
  const shown: string[] = [];
  writeFileSync(path, '');
  const follower = new LogFollower(path, (line) => shown.push(line));
  appendFileSync(path, 'raw \u001b]0;title\u0007\n');
  appendFileSync(path, `${JSON.stringify({ level: 50, msg: 'said \u001b[2J\u009b' })}\n`);
  follower.read();
  expect(shown).toEqual(['raw \\u001b]0;title\\u0007', 'ERROR said \\u001b[2J\\u009b']);
});

test('only what is appended, line by line, however it arrives', () => {
  writeFileSync(path, 'old\n');
  const lines: string[] = [];
  const follower = new LogFollower(path, (line) => lines.push(line));
  follower.read();
  appendFileSync(path, 'one\ntw');
  follower.read();
  appendFileSync(path, 'o\n');
  follower.read();
  expect(lines).toEqual(['one', 'two']);
});

test('a flood is skipped, a long line is cut, a file that is not there is empty', () => {
  const lines: string[] = [];
  const follower = new LogFollower(path, (line) => lines.push(line));
  follower.read();
  writeFileSync(path, `${'x'.repeat(2_000_000)}\nlast\n`);
  follower.read();
  expect(lines[0]).toMatch(/bytes skipped/);
  expect(lines[1]).toHaveLength(500);
  expect(lines[2]).toBe('last');
});
