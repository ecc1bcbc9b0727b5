/** The page on security names every dependency of the product, with its version and licence. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

function json(path: string) {
  return JSON.parse(readFileSync(join(ROOT, path), 'utf8'));
}

test('docs/security.md has the dependencies as they are locked', () => {
  const { packages } = json('package-lock.json');
  const rows = Object.keys(json('package.json').dependencies).map((name) => {
    const { version, license } = packages[`node_modules/${name}`];
    return `${name} ${version} ${license}`;
  });
  const page = readFileSync(join(ROOT, 'docs/security.md'), 'utf8');
  const table = page.slice(page.indexOf('| package | version |')).split('\n\n')[0] ?? '';
  const found = [...table.matchAll(/^\| ([\w.@/-]+) \| ([\d.]+) \| ([\w.-]+) \|/gm)];
  expect(found.map(([, name, version, license]) => `${name} ${version} ${license}`)).toEqual(rows);
});
