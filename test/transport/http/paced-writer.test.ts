import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { writePaced } from '../../../transport/http/paced-writer.ts';

test('the event loop turns between two writes, also where a reader drains at once', async () => {
  let turns = 0;
  let isOver = false;
  const turn = (): void => {
    turns += 1;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  const turnsAtWrites: number[] = [];
  const reader = new Writable({
    highWaterMark: 1,
    write: (_chunk, _encoding, done) => {
      turnsAtWrites.push(turns);
      process.nextTick(done);
    },
  });
  const pieces = Array.from({ length: 6 }, () => 'x'.repeat(256 * 1024));
  await writePaced(pieces, reader, { stalledMsMax: 1_000 });
  isOver = true;
  expect(turnsAtWrites.length).toBeGreaterThanOrEqual(6);
  expect(new Set(turnsAtWrites).size).toBe(turnsAtWrites.length);
});
