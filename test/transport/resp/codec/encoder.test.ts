import { describe, expect, test } from 'vitest';
import { ReplyWriter } from '../../../../transport/resp/codec/encoder.ts';

function render(protocol: 2 | 3, write: (out: ReplyWriter) => void): string {
  const writer = new ReplyWriter(protocol);
  write(writer);
  return Buffer.from(writer.take()).toString('latin1');
}

describe('golden bytes', () => {
  test.each<[string, (out: ReplyWriter) => void, string, string]>([
    ['simple', (out) => out.simple('OK'), '+OK\r\n', '+OK\r\n'],
    ['error', (out) => out.error('ERR no'), '-ERR no\r\n', '-ERR no\r\n'],
    ['integer 0', (out) => out.integer(0), ':0\r\n', ':0\r\n'],
    ['integer 9', (out) => out.integer(9), ':9\r\n', ':9\r\n'],
    ['integer 10', (out) => out.integer(10), ':10\r\n', ':10\r\n'],
    ['integer 1023', (out) => out.integer(1023), ':1023\r\n', ':1023\r\n'],
    ['integer 1024', (out) => out.integer(1024), ':1024\r\n', ':1024\r\n'],
    ['integer -1', (out) => out.integer(-1), ':-1\r\n', ':-1\r\n'],
    [
      'integer of 64 bits',
      (out) => out.integer(-9223372036854775808n),
      ':-9223372036854775808\r\n',
      ':-9223372036854775808\r\n',
    ],
    [
      'integer of 2^53 - 1',
      (out) => out.integer(9007199254740991),
      ':9007199254740991\r\n',
      ':9007199254740991\r\n',
    ],
    ['bulk', (out) => out.bulk('a\r\n\0\xff'), '$5\r\na\r\n\0\xff\r\n', '$5\r\na\r\n\0\xff\r\n'],
    ['empty bulk', (out) => out.bulk(''), '$0\r\n\r\n', '$0\r\n\r\n'],
    [
      'longer bulk',
      (out) => out.bulk('é'.repeat(40)),
      `$40\r\n${'é'.repeat(40)}\r\n`,
      `$40\r\n${'é'.repeat(40)}\r\n`,
    ],
    ['nil', (out) => out.nil(), '$-1\r\n', '_\r\n'],
    ['nil array', (out) => out.nilArray(), '*-1\r\n', '_\r\n'],
    ['array', (out) => out.array(3), '*3\r\n', '*3\r\n'],
    ['array of 5000', (out) => out.array(5000), '*5000\r\n', '*5000\r\n'],
    ['map', (out) => out.map(2), '*4\r\n', '%2\r\n'],
    ['set', (out) => out.set(2), '*2\r\n', '~2\r\n'],
    ['push', (out) => out.push(2), '*2\r\n', '>2\r\n'],
    ['double', (out) => out.double(0.1), '$3\r\n0.1\r\n', ',0.1\r\n'],
    ['double -0', (out) => out.double(-0), '$2\r\n-0\r\n', ',-0\r\n'],
    ['double inf', (out) => out.double(Infinity), '$3\r\ninf\r\n', ',inf\r\n'],
    ['double -inf', (out) => out.double(-Infinity), '$4\r\n-inf\r\n', ',-inf\r\n'],
    ['double nan', (out) => out.double(Number.NaN), '$3\r\nnan\r\n', ',nan\r\n'],
    ['double 1e21', (out) => out.double(1e21), '$5\r\n1e+21\r\n', ',1e+21\r\n'],
    ['true', (out) => out.boolean(true), ':1\r\n', '#t\r\n'],
    ['false', (out) => out.boolean(false), ':0\r\n', '#f\r\n'],
    ['verbatim', (out) => out.verbatim('hi'), '$2\r\nhi\r\n', '=6\r\ntxt:hi\r\n'],
    ['raw', (out) => out.raw(Buffer.from('+x\r\n')), '+x\r\n', '+x\r\n'],
  ])('%s', (_name, write, resp2, resp3) => {
    expect(render(2, write)).toBe(resp2);
    expect(render(3, write)).toBe(resp3);
  });

  test('keeps a line a line', () => {
    expect(render(2, (out) => out.error("ERR got 'a\r\nb'"))).toBe("-ERR got 'a  b'\r\n");
    expect(render(2, (out) => out.simple('a\nb'))).toBe('+a b\r\n');
  });
});

describe('the slab', () => {
  test('gives bytes that later replies do not touch', () => {
    const writer = new ReplyWriter(2);
    const taken: [Uint8Array, string][] = [];
    for (let i = 0; i < 3000; i += 1) {
      const text = `${i}`.repeat(i % 50);
      writer.bulk(text);
      if (i % 3 === 0) writer.integer(i);
      const expected = `$${text.length}\r\n${text}\r\n${i % 3 === 0 ? `:${i}\r\n` : ''}`;
      taken.push([writer.take(), expected]);
    }
    for (const [bytes, expected] of taken) {
      expect(Buffer.from(bytes).toString('latin1')).toBe(expected);
    }
  });

  test('grows for replies of any size', () => {
    const writer = new ReplyWriter(2);
    const values = [1, 65_500, 65_536, 200_000, 3, 1_000_000].map((size) => 'v'.repeat(size));
    for (const value of values) writer.bulk(value);
    const expected = values.map((value) => `$${value.length}\r\n${value}\r\n`).join('');
    expect(writer.length).toBe(expected.length);
    expect(Buffer.from(writer.take()).toString('latin1') === expected).toBe(true);
    expect(writer.length).toBe(0);
    expect(writer.take().length).toBe(0);
  });

  test('counts errors', () => {
    const writer = new ReplyWriter(2);
    writer.error('ERR a');
    writer.simple('OK');
    writer.error('ERR b');
    expect(writer.errors).toBe(2);
  });
});
