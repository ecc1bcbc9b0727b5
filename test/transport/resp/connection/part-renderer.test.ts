import { describe, expect, test } from 'vitest';
import { ReplyWriter } from '../../../../transport/resp/codec/encoder.ts';
import type { Part } from '../../../../transport/resp/connection/part.ts';
import { PartRenderer } from '../../../../transport/resp/connection/part-renderer.ts';
import { partOf } from '../parts.ts';

/** Command number i answers `:i`, but an error where it fails. */
function render(renderer: PartRenderer, part: Part, failed: readonly number[] = []): string {
  renderer.begin(part);
  for (let i = 0; i < part.count; i += 1) {
    renderer.next();
    if (failed.includes(i)) renderer.writer.error('ERR');
    else renderer.writer.integer(i);
  }
  return Buffer.from(renderer.finish()).toString('latin1').replaceAll('\r\n', ' ').trim();
}

describe('the renderer of a part', () => {
  test.each([
    ['one run', [3], []],
    ['several runs', [1, 2, 1], [4, 12]],
    ['runs of one command', [1, 1, 1, 1], [4, 8, 12]],
  ])('notes where runs end: %s', (_name, layout, ends) => {
    const renderer = new PartRenderer(new ReplyWriter(2));
    const count = layout.reduce((sum, run) => sum + run, 0);
    render(renderer, partOf({ count, layout }));
    expect(renderer.ends).toEqual(ends);
  });

  test.each([[[0]], [[1]], [[2]], [[0, 1, 2]], [[]]])('notes errors at %j', (failed) => {
    const renderer = new PartRenderer(new ReplyWriter(2));
    render(renderer, partOf({ count: 3, layout: [1, 2] }), failed);
    expect(renderer.errors).toEqual(failed);
  });

  test('lets what it has noted go with the answer', () => {
    const renderer = new PartRenderer(new ReplyWriter(2));
    render(renderer, partOf({ count: 1, layout: [1] }));
    const before = [renderer.ends, renderer.errors];
    render(renderer, partOf({ count: 2, layout: [1, 1] }), [0]);
    const noted = [renderer.ends, renderer.errors];
    render(renderer, partOf({ count: 3, layout: [1, 1, 1] }), [2]);
    expect(before).toEqual([[], []]);
    expect(noted).toEqual([[6], [0]]);
  });

  test('does not let a part go that has not been answered whole', () => {
    const renderer = new PartRenderer(new ReplyWriter(2));
    for (const layout of [[2], [1, 1]]) {
      renderer.begin(partOf({ count: 2, layout }));
      renderer.next();
      renderer.writer.integer(0);
      expect(() => renderer.finish()).toThrow('the part has no replies from command 1 on');
    }
  });

  test.each([
    ['in the middle of a run', [3], [], [0]],
    ['at the beginning of a run', [2, 1], [], [0]],
    ['in a later run', [1, 2], [6], [0]],
  ])('stops before its last command, %s', (_, layout, ends, errors) => {
    const renderer = new PartRenderer(new ReplyWriter(2));
    const part = partOf({ count: 3, layout });
    renderer.begin(part);
    for (let i = 0; i < 3; i += 1) {
      renderer.next();
      renderer.writer.error(i === 1 ? 'NO' : 'ERR');
      if (i === 1) renderer.writer.cutBack(6);
    }
    renderer.stopBefore();
    expect(renderer.answer(part)).toMatchObject({ answered: 2, ends });
    expect(renderer.errors.slice(0, 1)).toEqual(errors);
    expect(renderer.errors).not.toContain(2);
  });

  test('speaks the protocol of the part', () => {
    const renderer = new PartRenderer(new ReplyWriter(2));
    renderer.begin(partOf({ protocol: 3 }));
    renderer.next();
    renderer.writer.nil();
    expect(Buffer.from(renderer.finish()).toString('latin1')).toBe('_\r\n');
  });
});
