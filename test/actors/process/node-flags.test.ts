import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { NODE_FLAGS } from '../../../actors/process/node-flags.ts';

const MAIN = join(import.meta.dirname, '../../../actors/main.ts');

test('the command by itself runs with the flags of a node', () => {
  const [firstLine] = readFileSync(MAIN, 'utf8').split('\n');
  expect(firstLine).toBe(`#!/usr/bin/env -S node ${NODE_FLAGS.join(' ')}`);
});
