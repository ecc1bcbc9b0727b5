/** The README tells of every command. `HOLO_README=write` puts the current table into it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withCommandTable } from './command-list.ts';

test('the README has the table of the commands that there are', () => {
  const path = join(import.meta.dirname, '../../README.md');
  const text = readFileSync(path, 'utf8');
  if (process.env['HOLO_README'] === 'write') writeFileSync(path, withCommandTable(text));
  else expect(text).toBe(withCommandTable(text));
});
