/** A refused message is noticed, or its loss is explained. */
import { describe, expect, test } from 'vitest';
import { sources, strip } from './sources.ts';

/**
 * Lines on which a `tell` is not looked at. Looked at is what is returned, assigned, or stands in
 * the parentheses of an `if` or a call; an arrow function must say that it gives on a boolean.
 */
function unheededTells(source: string): number[] {
  const code = strip(source, true);
  const lines: number[] = [];
  for (const match of code.matchAll(/\??\.\s*tell\(/g)) {
    const before = code.slice(0, match.index);
    const statement = before.slice(
      Math.max(...[...';{}'].map((end) => before.lastIndexOf(end))) + 1,
    );
    const ref = /(?:[\w$.#?!\s]|\([^()]*\)|\[[^[\]]*\])*$/.exec(statement)?.[0] ?? '';
    const opened = statement.split('(').length - statement.split(')').length;
    const isInside = opened > 0 || /(^|[^=!<>])=(?![=>])|^\s*return\b/.test(statement);
    const isArrow = /=>\s*$/.test(statement.slice(0, statement.length - ref.length));
    const isGivenOn = /:\s*boolean\s*=>\s*$/.test(statement.slice(0, -ref.length));
    if (isArrow ? !isGivenOn : !isInside) lines.push(before.split('\n').length);
  }
  return lines;
}

/** Lines on which a loss is accepted and no comment in the three lines before says why. */
function unexplainedDrops(source: string): number[] {
  const lines = source.split('\n');
  return lines.flatMap((line, index) => {
    const isCall = /\btellOrDrop\(/.test(line) && !/\bfunction tellOrDrop\b/.test(line);
    const isExplained = lines.slice(Math.max(0, index - 3), index).some((l) => /^\s*\/\//.test(l));
    return isCall && !isExplained ? [index + 1] : [];
  });
}

describe('the reader of tells', () => {
  test.each([
    ['ref.tell(m);', false],
    ['this.#ref?.tell(m);', false],
    ['links.get(peer)?.tell(m);', false],
    ['if (all) ref.tell(m);', false],
    ['for (const m of all) ref.tell(m);', false],
    ['void ref.tell(m);', false],
    ['run((error) => ref.tell(m));', false],
    ['run((error) => {\n  ref.tell(m);\n});', false],
    ['const f = (m: M) => ref.tell(m);', false],
    ['a();\n\nref\n  .tell(m);', false],
    ['const taken = ref.tell(m);', true],
    ['taken = all && ref.tell(m);', true],
    ['return ref.tell(m);', true],
    ['if (!ref.tell(m)) throw new Error();', true],
    ['if (full && links.get(peer)?.tell(m)) told = full;', true],
    ['const f = (m: M): boolean => ref.tell(m);', true],
    ['expect(ref.tell(m));', true],
    ['// ref.tell(m);', true],
  ])('sees whether a tell is looked at: %s', (source, heeded) => {
    expect(unheededTells(source).length === 0).toBe(heeded);
  });

  test('sees whether a comment says why a message may be lost', () => {
    expect(unexplainedDrops('a();\ntellOrDrop(ref, m);')).toEqual([2]);
    expect(unexplainedDrops('// It is told again.\nif (a) tellOrDrop(ref, m);')).toEqual([]);
  });
});

describe('tells', () => {
  test('no sender overlooks that a message was refused', () => {
    const own = 'actors/runtime/actor-ref.ts';
    const found = sources
      .filter(({ path }) => path !== own)
      .flatMap(({ path, text }) =>
        [...unheededTells(text), ...unexplainedDrops(text)].map((line) => `${path}:${line}`),
      );
    expect(found).toEqual([]);
  });
});
