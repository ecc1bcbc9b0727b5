/** Merging the answers of parts into the order of the client's commands. */
import { describe, expect, test } from 'vitest';
import { Arguments } from '../../../../storage/arguments.ts';
import { COMMANDS } from '../../../../storage/commands/command-table.ts';
import { ReplyWriter } from '../../../../transport/resp/codec/encoder.ts';
import type { CommandBatch } from '../../../../transport/resp/connection/command-batch.ts';
import { MultiBlock } from '../../../../transport/resp/connection/multi-block.ts';
import type { Part, PartAnswer, PartReplies } from '../../../../transport/resp/connection/part.ts';
import { PartRenderer } from '../../../../transport/resp/connection/part-renderer.ts';
import { UnitBuilder } from '../../../../transport/resp/connection/unit-builder.ts';
import type {
  ExecLocal,
  UnitUnderWay,
} from '../../../../transport/resp/connection/unit-under-way.ts';
import { Routes, type StoreRoute } from '../../../../transport/resp/routes.ts';
import { SOLE_PLACEMENT } from '../placements.ts';

/** So many commands, a reply of the gateway, or a block of so many commands with such replies. */
type Item = number | string | { readonly exec: number; readonly locals?: readonly ExecLocal[] };

const WINDOW = 8;

const GET = Buffer.from('*2\r\n$3\r\nGET\r\n$1\r\na\r\n');
const args = new Arguments();
args.next(GET, 0);
const route = new Routes(COMMANDS, []).find(args) as StoreRoute;

function add(to: UnitBuilder | CommandBatch, count: number): void {
  for (let i = 0; i < count; i += 1) to.addCommand(route, args, GET, 0, GET.length, 0);
}

function blockOf(count: number): MultiBlock {
  const block = new MultiBlock(0);
  add(block, count);
  return block;
}

function unitOf(items: readonly Item[]): UnitUnderWay {
  const builder = new UnitBuilder(SOLE_PLACEMENT, 'range');
  for (const item of items) {
    if (typeof item === 'string') builder.addLocal(Buffer.from(item));
    else if (typeof item === 'number') add(builder, item);
    else builder.addExec(blockOf(item.exec), item.locals ?? []);
  }
  return builder.build({
    id: { connection: 1, sequence: 1 },
    protocol: 2,
    window: WINDOW,
    startedMs: 0,
    isSample: false,
    discarded: false,
    isQuestion: false,
  });
}

/** Command number i answers `:i`. */
function answerTo(unit: UnitUnderWay): PartReplies {
  const renderer = new PartRenderer(new ReplyWriter(2));
  const part = unit.parts[0];
  if (part === undefined) throw new Error('no part');
  renderer.begin(part);
  for (let i = 0; i < part.count; i += 1) {
    renderer.next();
    renderer.writer.integer(i);
  }
  return renderer.answer(part);
}

class Client {
  readonly chunks: Uint8Array[] = [];
  readonly #writer = new ReplyWriter(2);

  receive(unit: UnitUnderWay, answer: PartAnswer): string {
    const reply = (bytes: Uint8Array): void => void this.chunks.push(bytes);
    return unit.receive(answer, { reply }, this.#writer);
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString('latin1').replaceAll('\r\n', ' ').trim();
  }
}

const local = (before: number, text: string) => ({ before, reply: Buffer.from(`${text}\r\n`) });

const LAYOUTS: readonly [string, Item[], string][] = [
  ['commands only', [3], ':0 :1 :2'],
  ['locals around', [1, '+a\r\n+b\r\n', 1, '+c\r\n'], ':0 +a +b :1 +c'],
  ['a local first', ['+a\r\n', 2], '+a :0 :1'],
  ['a block', [{ exec: 2 }], '*2 :0 :1'],
  ['a block between commands', [1, { exec: 2 }, 1], ':0 *2 :1 :2 :3'],
  [
    'a block with locals',
    [{ exec: 2, locals: [local(0, '+p'), local(1, '+q'), local(1, '+r')] }],
    '*5 +p :0 +q +r :1',
  ],
  [
    "locals at a block's end, then another",
    [{ exec: 1, locals: [local(1, '+p')] }, '+x\r\n', { exec: 1 }, 1],
    '*2 :0 +p +x *1 :1 :2',
  ],
];

describe('replies of one part', () => {
  test.each(LAYOUTS)('%s', (_name, items, expected) => {
    const unit = unitOf(items);
    const client = new Client();
    expect(client.receive(unit, answerTo(unit))).toBe('done');
    expect(client.text).toBe(expected);
  });

  test.each(LAYOUTS)('in pieces of any size: %s', (_name, items, expected) => {
    for (let size = 1; size < 12; size += 1) {
      const unit = unitOf(items);
      const client = new Client();
      const { replies, ...whole } = answerTo(unit);
      for (let from = 0; from < replies.length; from += size) {
        const last = from + size >= replies.length;
        const piece = { ...whole, from, replies: replies.subarray(from, from + size), last };
        expect(client.receive(unit, piece)).toBe(last ? 'done' : 'more');
      }
      expect(client.text).toBe(expected);
    }
  });

  test('replies are merged as they arrive', () => {
    const unit = unitOf(['+a\r\n', 4]);
    const client = new Client();
    const answer = answerTo(unit);
    client.receive(unit, { ...answer, replies: answer.replies.subarray(0, 6), last: false });
    expect(client.text).toBe('+a :0 :1');
  });

  test('that fails: each command an error, a block one, locals outside of it stay', () => {
    const locals = [local(0, '+lost'), local(2, '+lost')];
    const unit = unitOf([2, '+a\r\n', { exec: 3, locals }, 1]);
    const client = new Client();
    const id = { unit: unit.id, part: 0 };
    expect(client.receive(unit, { type: 'PartFailed', ...id, line: 'BUSY no' })).toBe('done');
    expect(client.text).toBe('-BUSY no -BUSY no +a -BUSY no -BUSY no');
    expect(unit.failed).toBe(true);
  });
});

describe('replies that end behind some command', () => {
  /** Answers at most so many commands of each part that is asked. */
  function answerBy(unit: UnitUnderWay, most: number, client: Client): string[] {
    const renderer = new PartRenderer(new ReplyWriter(2));
    const told: string[] = [];
    for (let number = 0, next = 0; number < unit.parts.length; number += 1) {
      const part = unit.parts[number] as Part;
      renderer.begin(part);
      for (let i = 0; i < Math.min(most, part.count); i += 1) {
        renderer.next();
        renderer.writer.integer(next++);
      }
      renderer.stop();
      told.push(client.receive(unit, renderer.answer(part)));
    }
    return told;
  }

  test.each([
    ['one run', [5], ':0 :1 :2 :3 :4'],
    ['locals around', ['+a\r\n', 1, '+b\r\n', 4, '+c\r\n'], '+a :0 +b :1 :2 :3 :4 +c'],
    ['locals between', [2, '+a\r\n', 2, '+b\r\n', 1], ':0 :1 +a :2 :3 +b :4'],
  ] as [string, Item[], string][])(
    'are followed by those of another part: %s',
    (_name, items, expected) => {
      for (let most = 1; most <= 5; most += 1) {
        const unit = unitOf(items);
        const client = new Client();
        const told = answerBy(unit, most, client);
        expect(client.text).toBe(expected);
        expect(told.slice(0, -1)).toEqual(told.slice(1).map(() => 'more'));
        expect(told.at(-1)).toBe('done');
        expect(unit.parts.map(({ count }) => Math.min(count, most))).toEqual(
          unit.parts.map(({ layout }) =>
            Math.min(
              most,
              layout.reduce((a, b) => a + b, 0),
            ),
          ),
        );
      }
    },
  );

  test('and the rest fails: each of its commands is an error', () => {
    const unit = unitOf([2, '+a\r\n', 3]);
    const client = new Client();
    const { replies, ...whole } = answerTo(unit);
    const cut = { ...whole, ends: [8], answered: 3, replies: replies.subarray(0, 12) };
    expect(client.receive(unit, cut)).toBe('more');
    // The coordinator may have given up the part meanwhile.
    const id = { unit: unit.id, line: 'BUSY no' } as const;
    expect(client.receive(unit, { type: 'PartFailed', part: 0, ...id })).toBe('ignored');
    expect(client.receive(unit, { type: 'PartFailed', part: 1, ...id })).toBe('done');
    expect(client.text).toBe(':0 :1 +a :2 -BUSY no -BUSY no');
    expect(unit.parts[1]).toMatchObject({ count: 2, layout: [2], readOnly: true, readsFrom: 0 });
  });
});

test('is at a boundary between replies, not within one or within a block', () => {
  const unit = unitOf([1, '+a\r\n', { exec: 2, locals: [local(1, '+b')] }, 1]);
  const client = new Client();
  const { replies, ...whole } = answerTo(unit);
  expect(unit.isAtBoundary).toBe(true);
  const boundaries = Array.from({ length: replies.length }, (_, from) => {
    const last = from + 1 === replies.length;
    client.receive(unit, { ...whole, from, replies: replies.subarray(from, from + 1), last });
    return unit.isAtBoundary;
  });
  // Where a reply ends is known of runs: `:0`, the block, and `:3`.
  const ends = boundaries.flatMap((is, byte) => (is ? byte + 1 : []));
  expect(ends).toEqual([12, 16]);
});

describe('credit', () => {
  function begun(): { unit: UnitUnderWay; client: Client; answer: PartReplies } {
    const unit = unitOf([10]);
    const client = new Client();
    const answer = answerTo(unit);
    const replies = answer.replies.subarray(0, WINDOW);
    expect(client.receive(unit, { ...answer, replies, last: false })).toBe('more');
    return { unit, client, answer };
  }

  test('is given once, for a window beyond what is merged', () => {
    const { unit } = begun();
    const credit = { type: 'ReplyCredit', unit: unit.id, part: 0, upTo: 2 * WINDOW };
    expect(unit.credits()).toEqual([credit]);
    expect(unit.credits()).toEqual([]);
    expect(unit.halfReceived()).toEqual(unit.parts);
  });

  test('is not given for what came whole or failed', () => {
    const { unit, client, answer } = begun();
    const replies = answer.replies.subarray(WINDOW);
    client.receive(unit, { ...answer, from: WINDOW, replies });
    expect(unit.credits()).toEqual([]);
    expect(unit.halfReceived()).toEqual([]);
    expect(unitOf([1]).credits()).toEqual([]);
  });

  test('a failure behind the first piece changes nothing, a loss breaks the unit', () => {
    const { unit, client } = begun();
    const id = { unit: unit.id, part: 0 };
    expect(client.receive(unit, { type: 'PartFailed', ...id, line: 'late' })).toBe('ignored');
    expect(unit.failed).toBe(false);
    expect(client.receive(unit, { type: 'RepliesLost', ...id })).toBe('broken');
  });

  test('a piece that is not the next one breaks the unit', () => {
    const { unit, client, answer } = begun();
    expect(client.receive(unit, { ...answer, from: 2 * WINDOW })).toBe('broken');
  });

  test('replies behind a failure are ignored', () => {
    const unit = unitOf([1, '+a\r\n', 1]);
    const client = new Client();
    const id = { unit: unit.id, part: 0 };
    client.receive(unit, { type: 'PartFailed', ...id, line: 'BUSY no' });
    expect(client.receive(unit, answerTo(unit))).toBe('ignored');
    expect(client.receive(unit, { type: 'RepliesLost', ...id })).toBe('ignored');
  });
});
