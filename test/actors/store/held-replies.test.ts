/** Replies that wait for credit: nothing comes twice, nothing stays, and the slowest give way. */
import { describe, expect, test } from 'vitest';
import { HeldReplies } from '../../../actors/store/held-replies.ts';
import { LongReply } from '../../../transport/resp/codec/long-reply.ts';
import type { Part, PartAnswer } from '../../../transport/resp/connection/part.ts';
import { partOf } from '../../transport/resp/parts.ts';

const WINDOW = 10;

class World {
  readonly told: PartAnswer[] = [];
  readonly held: HeldReplies;

  constructor(bytesMax = 1000) {
    this.held = new HeldReplies(bytesMax, (answer) => this.told.push(answer));
  }

  begin(connection: number, length: number): Part {
    const part = partOf({ unit: { connection, sequence: 1 }, window: WINDOW });
    const replies = new LongReply();
    replies.add(Uint8Array.from({ length }, (_, i) => i));
    const id = { unit: part.unit, part: 0 };
    const noted = { from: 0, replies: new Uint8Array(0), ends: [5], errors: [1], answered: 2 };
    this.held.begin(part, { type: 'PartReplies', ...id, ...noted, last: true }, replies);
    return part;
  }

  /** `connection: from-to`, with `.` behind the last one; or that they are lost. */
  get text(): string[] {
    return this.told.map((answer) => {
      const { connection } = answer.unit;
      if (answer.type !== 'PartReplies') return `${connection}: ${answer.type}`;
      const { from, replies, last } = answer;
      return `${connection}: ${from}-${from + replies.length}${last ? '.' : ''}`;
    });
  }
}

describe('held replies', () => {
  test('follow as credit comes, each byte once', () => {
    const world = new World();
    const part = world.begin(1, 35);
    expect(world.held.bytes).toBe(25);
    for (const upTo of [20, 20, 15, 30, 1000, 1000]) world.held.credit(part, upTo);
    expect(world.text).toEqual(['1: 0-10', '1: 10-20', '1: 20-30', '1: 30-35.']);
    expect(world.held.bytes).toBe(0);
    const bytes = world.told.flatMap((answer) => ('replies' in answer ? [...answer.replies] : []));
    expect(bytes).toEqual(Array.from({ length: 35 }, (_, i) => i));
  });

  test('carry ends and errors in the first piece alone', () => {
    const world = new World();
    world.held.credit(world.begin(1, 15), 20);
    expect(world.told.map((piece) => 'ends' in piece && [piece.ends, piece.errors])).toEqual([
      [[5], [1]],
      [[], []],
    ]);
  });

  test('are forgotten when their connection abandons them', () => {
    const world = new World();
    const part = world.begin(1, 35);
    world.held.abandon(part);
    world.held.abandon(part);
    world.held.credit(part, 20);
    expect(world.text).toEqual(['1: 0-10']);
    expect(world.held.bytes).toBe(0);
  });

  test('over the limit are lost for the connection that gave no credit for longest', () => {
    const world = new World(60);
    const first = world.begin(1, 40);
    world.begin(2, 30);
    world.held.credit(first, 20);
    world.begin(3, 40);
    expect(world.text).toEqual(['1: 0-10', '2: 0-10', '1: 10-20', '3: 0-10', '2: RepliesLost']);
    expect(world.held.bytes).toBe(50);
  });

  test('that exceed the limit alone are lost', () => {
    const world = new World(20);
    world.begin(1, 31);
    expect(world.text).toEqual(['1: 0-10', '1: RepliesLost']);
    expect(world.held.bytes).toBe(0);
  });

  test('are all lost with the executor', () => {
    const world = new World();
    world.begin(1, 20);
    world.begin(2, 20);
    world.held.loseAll();
    expect(world.text.slice(2)).toEqual(['1: RepliesLost', '2: RepliesLost']);
    expect(world.held.bytes).toBe(0);
  });
});
