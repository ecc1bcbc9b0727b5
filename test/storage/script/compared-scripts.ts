/**
 * Scripts whose replies are compared with those of servers of reference: in `compared-scripts.txt`,
 * with a line of `---` between two. Their keys are `a` and `b`, their arguments `x` and `y`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const text = readFileSync(join(import.meta.dirname, 'compared-scripts.txt'), 'latin1');

export const COMPARED_SCRIPTS: readonly string[] = text.replace(/\n$/, '').split('\n---\n');
