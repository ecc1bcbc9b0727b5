import { describe, expect, it } from 'vitest';
import { ReplyWriter } from '../../../../transport/resp/codec/encoder.ts';
import type { CommandUnit, PlanItem } from '../../../../transport/resp/connection/command-unit.ts';
import { failureReplies, UnitReplies } from '../../../../transport/resp/connection/unit-replies.ts';

const local = (text: string): PlanItem => ({ local: Buffer.from(text) });
const localAt = (at: number, text: string) => ({ before: at, reply: Buffer.from(text) });

function unit(count: number, plan: readonly PlanItem[]): CommandUnit {
  return {
    bytes: new Uint8Array(0),
    count,
    readOnly: false,
    wholeStore: false,
    slots: [],
    protocol: 2,
    plan,
    complete: () => undefined,
    fail: () => undefined,
  };
}

/** Command number i answers `:i`. */
function answer(one: CommandUnit): string {
  const replies = new UnitReplies(new ReplyWriter(2));
  replies.begin(one);
  for (let i = 0; i < one.count; i++) {
    replies.next();
    replies.writer.integer(i);
  }
  return lines(replies.finish());
}

const lines = (bytes: Uint8Array): string =>
  Buffer.from(bytes).toString('latin1').replaceAll('\r\n', ' ').trim();

describe('UnitReplies', () => {
  it.each<[string, number, PlanItem[], string]>([
    ['commands only', 3, [3], ':0 :1 :2'],
    ['locals around', 2, [1, local('+a\r\n+b\r\n'), 1, local('+c\r\n')], ':0 +a +b :1 +c'],
    ['a block', 2, [{ exec: 2 }], '*2 :0 :1'],
    ['a block between commands', 4, [1, { exec: 2 }, 1], ':0 *2 :1 :2 :3'],
    [
      'a block with locals',
      2,
      [{ exec: 2, locals: [localAt(0, '+p\r\n'), localAt(1, '+q\r\n'), localAt(1, '+r\r\n')] }],
      '*5 +p :0 +q +r :1',
    ],
    [
      "locals at a block's end, then another",
      3,
      [{ exec: 1, locals: [localAt(1, '+p\r\n')] }, local('+x\r\n'), { exec: 1 }, 1],
      '*2 :0 +p +x *1 :1 :2',
    ],
  ])('%s', (_name, count, plan, expected) => {
    expect(answer(unit(count, plan))).toBe(expected);
  });

  it('does not let a unit go that has not been answered whole', () => {
    const replies = new UnitReplies(new ReplyWriter(2));
    replies.begin(unit(2, [2]));
    replies.next();
    replies.writer.integer(0);
    expect(() => replies.finish()).toThrow('1 commands of the unit were not answered');
  });

  it('speaks the protocol of the unit', () => {
    const replies = new UnitReplies(new ReplyWriter(2));
    replies.begin({ ...unit(1, [1]), protocol: 3 });
    replies.next();
    replies.writer.nil();
    expect(lines(replies.finish())).toBe('_');
  });
});

describe('failureReplies', () => {
  it('answers each command, a block once, and leaves locals', () => {
    const plan: PlanItem[] = [
      2,
      local('+a\r\n'),
      { exec: 3, locals: [localAt(0, '+lost\r\n')] },
      1,
    ];
    const bytes = failureReplies(unit(6, plan), new ReplyWriter(2), 'TIMEOUT maybe');
    expect(lines(bytes)).toBe('-TIMEOUT maybe -TIMEOUT maybe +a -TIMEOUT maybe -TIMEOUT maybe');
  });
});
