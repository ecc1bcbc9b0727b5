/** Questions between nodes: bounded in number, size and time, each answered or given up once. */
import { expect, test } from 'vitest';
import { Inquiries, type InquiryMessage } from '../../../actors/node/inquiries.ts';

const PEER = 2;

class Bench {
  nowMs = 0;
  takes = true;
  readonly sent: InquiryMessage[] = [];
  readonly ended: string[] = [];
  readonly open: ((body: Uint8Array) => void)[] = [];
  readonly inquiries = new Inquiries({
    send: (_peer, message) => {
      if (this.takes) this.sent.push(message);
      return this.takes;
    },
    nowMs: () => this.nowMs,
    answer: (_question, _from, done) => this.open.push(done),
  });

  ask(text = 'question'): void {
    this.inquiries.ask(PEER, Buffer.from(text), (body) => {
      this.ended.push(body === undefined ? 'none' : Buffer.from(body).toString());
    });
  }

  answer(id: number, text: string, from = PEER): boolean {
    const body = Buffer.from(text);
    return this.inquiries.received(from, { type: 'InquiryAnswer', id, body });
  }
}

test('an answer ends its question, once, whatever comes later', () => {
  const bench = new Bench();
  bench.ask();
  bench.ask();
  expect(bench.sent.map(({ id }) => id)).toEqual([1, 2]);
  expect(bench.answer(2, 'second')).toBe(true);
  expect(bench.answer(2, 'again')).toBe(true);
  expect(bench.answer(1, 'of another node', 3)).toBe(true);
  expect(bench.ended).toEqual(['second']);
  expect(bench.answer(1, 'first')).toBe(true);
  expect(bench.ended).toEqual(['second', 'first']);
});

test('a question without an answer ends in time, or with the link', () => {
  const bench = new Bench();
  bench.ask();
  bench.nowMs = 2_999;
  bench.inquiries.onTick();
  expect(bench.ended).toEqual([]);
  bench.ask();
  bench.nowMs = 3_000;
  bench.inquiries.onTick();
  expect(bench.ended).toEqual(['none']);
  bench.inquiries.peerDown(PEER);
  bench.inquiries.peerDown(PEER);
  expect(bench.ended).toEqual(['none', 'none']);
});

test('a question that cannot be sent, or is one too many or too long, ends at once', () => {
  const bench = new Bench();
  bench.takes = false;
  bench.ask();
  bench.takes = true;
  bench.ask('x'.repeat(1024 * 1024 + 1));
  expect(bench.ended).toEqual(['none', 'none']);
  for (let count = 0; count < 33; count += 1) bench.ask();
  expect(bench.ended).toEqual(['none', 'none', 'none']);
  expect(bench.sent).toHaveLength(32);
});

test('a peer has as many questions under way here, and no answer that is too long', () => {
  const bench = new Bench();
  const body = Buffer.from('question');
  const ask = (id: number) => bench.inquiries.received(PEER, { type: 'Inquiry', id, body });
  for (let id = 1; id <= 40; id += 1) expect(ask(id)).toBe(true);
  expect(bench.open).toHaveLength(32);
  bench.open[0]?.(Buffer.alloc(1024 * 1024 + 1));
  bench.open[1]?.(Buffer.from('fine'));
  expect(bench.sent).toEqual([{ type: 'InquiryAnswer', id: 2, body: Buffer.from('fine') }]);
  ask(41);
  ask(42);
  expect(bench.open).toHaveLength(34);
});

test.each([
  [{ type: 'Inquiry', id: 'x', body: Buffer.from('') }],
  [{ type: 'Inquiry', id: 1, body: 'text' }],
  [{ type: 'InquiryAnswer', id: 1 }],
  [{ type: 'InquiryAnswer', id: 1, body: Buffer.alloc(1024 * 1024 + 1) }],
])('a message without sense is none: case %#', (message) => {
  expect(new Bench().inquiries.received(PEER, message)).toBe(false);
});
