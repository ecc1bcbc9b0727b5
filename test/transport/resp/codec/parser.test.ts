import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import {
  FAILED,
  NEED_MORE,
  REQUEST,
  RequestParser,
} from '../../../../transport/resp/codec/parser.ts';
import { defaultLimits, type RequestLimits } from '../../../../transport/resp/limits.ts';
import { array } from '../harness.ts';

interface Parsed {
  requests: string[][];
  error: string;
}

/** Feeds the chunks and collects all requests; their bytes are checked at the very end. */
function parse(chunks: readonly (string | Buffer)[], limits: Partial<RequestLimits> = {}): Parsed {
  const parser = new RequestParser({ ...defaultLimits(), ...limits });
  const requests: string[][] = [];
  const slices: { bytes: Uint8Array; text: string }[] = [];
  for (const chunk of chunks) {
    parser.feed(Buffer.from(typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk));
    let outcome = parser.next();
    for (; outcome === REQUEST; outcome = parser.next()) {
      const { args, buffer, start, end } = parser;
      requests.push(Array.from({ length: args.count }, (_, i) => args.text(i)));
      const bytes = buffer.subarray(start, end);
      slices.push({ bytes, text: bytes.toString('latin1') });
    }
    if (outcome !== NEED_MORE && outcome !== FAILED) throw new Error(`outcome ${outcome}`);
  }
  for (const [i, { bytes, text }] of slices.entries()) {
    if (Buffer.from(bytes).toString('latin1') !== text) throw new Error('handed out bytes changed');
    if (text !== array(...(requests[i] ?? []))) throw new Error(`no request array: ${text}`);
  }
  return { requests, error: parser.error };
}

const protocolError = (text: string): string => `Protocol error: ${text}`;

describe('request arrays', () => {
  test.each<[string, string, string[][]]>([
    ['one command', '*1\r\n$4\r\nPING\r\n', [['PING']]],
    ['several', '*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n', [['PING'], ['GET', 'k']]],
    ['an empty argument', '*2\r\n$4\r\nECHO\r\n$0\r\n\r\n', [['ECHO', '']]],
    ['binary', '*2\r\n$4\r\nECHO\r\n$5\r\n\r\n\0\xff$\r\n', [['ECHO', '\r\n\0\xff$']]],
    [
      'a length of two digits',
      `*2\r\n$4\r\nECHO\r\n$12\r\n${'x'.repeat(12)}\r\n`,
      [['ECHO', 'x'.repeat(12)]],
    ],
    ['more than nine arguments', array(...'abcdefghijkl'), [[...'abcdefghijkl']]],
    [
      'empty and negative arrays are ignored',
      '*0\r\n*-10\r\n*-1\r\n*1\r\n$4\r\nPING\r\n',
      [['PING']],
    ],
    ['blank lines are ignored', '\r\n\n  \r\n*1\r\n$4\r\nPING\r\n', [['PING']]],
    ['incomplete', '*1\r\n$4\r\nPIN', []],
    ['incomplete at the line end', '*1\r\n$4\r\nPING\r', []],
  ])('%s', (_name, input, requests) => {
    expect(parse([input])).toEqual({ requests, error: '' });
  });

  test.each([
    ['*3000000000\r\n', 'invalid multibulk length'],
    ['*1048577\r\n', 'invalid multibulk length'],
    ['*99999999999999999999\r\n', 'invalid multibulk length'],
    ['*1x\r\n', 'invalid multibulk length'],
    ['*\r\n', 'invalid multibulk length'],
    ['*\0', 'invalid multibulk length'],
    ['*01\r\n', 'invalid multibulk length'],
    ['*+1\r\n', 'invalid multibulk length'],
    ['* 1\r\n', 'invalid multibulk length'],
    ['*-\r\n', 'invalid multibulk length'],
    ['*-0\r\n', 'invalid multibulk length'],
    ['*--1\r\n', 'invalid multibulk length'],
    ['*1\n$4\nPING\n', 'invalid multibulk length'],
    ['*1\rX', 'invalid multibulk length'],
    ['*1\r\nfoo\r\n', "expected '$', got 'f'"],
    ['*1\r\n\r\n', "expected '$', got '\r'"],
    ['*1\r\n*1\r\n', "expected '$', got '*'"],
    ['*1\r\n$-10\r\n', 'invalid bulk length'],
    ['*1\r\n$-1\r\n', 'invalid bulk length'],
    ['*1\r\n$2000000000\r\n', 'invalid bulk length'],
    ['*1\r\n$16777217\r\n', 'invalid bulk length'],
    ['*1\r\n$blabla\r\n', 'invalid bulk length'],
    ['*1\r\n$\r\n', 'invalid bulk length'],
    ['*1\r\n$04\r\nPING\r\n', 'invalid bulk length'],
    ['*1\r\n$4\r\nPINGxx', 'expected CRLF after a bulk string'],
    ['*1\r\n$4\r\nPING\n\r', 'expected CRLF after a bulk string'],
    ['*1\r\n$4\r\nPING\rx', 'expected CRLF after a bulk string'],
    ['\0', "expected a command, got '\0'"],
    ['$\0', "expected a command, got '$'"],
    ['$3\r\nfoo\r\n', "expected a command, got '$'"],
    ['+OK\r\n', "expected a command, got '+'"],
    [':1\r\n', "expected a command, got ':'"],
    ['\x16\x03\x01', "expected a command, got '\x16'"],
    ['\xff\xfe', "expected a command, got '\xff'"],
    ['PING\0\r\n', 'NUL byte in an inline request'],
    ['set "a\r\n', 'unbalanced quotes in request'],
    ["set 'a\r\n", 'unbalanced quotes in request'],
    ['PING "a"b\r\n', 'unbalanced quotes in request'],
  ])('%j is refused', (input, error) => {
    expect(parse([input])).toEqual({ requests: [], error: protocolError(error) });
  });

  test('refuses the same whatever the chunks are', () => {
    const byByte = [...'*1\r\n$4\r\nPING\r\n*1\r\n$-10\r\n'];
    expect(parse(byByte)).toEqual({
      requests: [['PING']],
      error: protocolError('invalid bulk length'),
    });
  });

  test('takes nothing after an error', () => {
    expect(parse(['*x', '*1\r\n$4\r\nPING\r\n'])).toEqual({
      requests: [],
      error: protocolError('invalid multibulk length'),
    });
  });

  test('holds its limits to the byte', () => {
    const bulk = (length: number): string => `*1\r\n$${length}\r\n${'x'.repeat(length)}\r\n`;
    const limits = { requestBulkBytesMax: 100 };
    expect(parse([bulk(100)], limits).error).toBe('');
    expect(parse([bulk(101)], limits).error).toBe(protocolError('invalid bulk length'));
    const two = { argumentsMax: 2 };
    expect(parse([array('a', 'b')], two).error).toBe('');
    expect(parse([array('a', 'b', 'c')], two).error).toBe(
      protocolError('invalid multibulk length'),
    );
    const whole = { requestBytesMax: array('a', 'b').length - 2 };
    expect(parse([array('a', 'b')], whole).error).toBe('');
    expect(parse([array('a', 'bc')], whole).error).toBe(
      protocolError('request exceeds the maximum size'),
    );
  });

  test('grows with what has come, not with what is announced', () => {
    const parser = new RequestParser(defaultLimits());
    parser.feed(Buffer.from('*1\r\n$16777216\r\nx'));
    expect(parser.next()).toBe(NEED_MORE);
    parser.feed(Buffer.from('y'));
    expect(parser.next()).toBe(NEED_MORE);
    expect(parser.unparsedBytes).toBe(17);
  });

  test('reads a large argument that comes in small pieces, once', () => {
    const value = 'v'.repeat(3_000_000);
    const bytes = Buffer.from(array('SET', 'k', value) + array('PING'), 'latin1');
    const chunks: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += 4096) chunks.push(bytes.subarray(at, at + 4096));
    const parser = new RequestParser(defaultLimits());
    const allocations = vi.spyOn(Buffer, 'allocUnsafe');
    for (const chunk of chunks) {
      parser.feed(chunk);
      parser.next();
    }
    // Doubling: what has come is not copied again for every piece.
    expect(allocations.mock.calls.length).toBeLessThan(15);
    allocations.mockRestore();
    const { requests, error } = parse(chunks);
    expect(error).toBe('');
    expect(requests.map((words) => words.map((word) => word.length))).toEqual([
      [3, 1, value.length],
      [4],
    ]);
  });

  test('reads very many arguments that come in small pieces', () => {
    const words = Array.from({ length: 50_000 }, (_, i) => String(i));
    const bytes = Buffer.from(array('MGET', ...words), 'latin1');
    const chunks: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += 999) chunks.push(bytes.subarray(at, at + 999));
    expect(parse(chunks)).toEqual({ requests: [['MGET', ...words]], error: '' });
  });
});

describe('inline requests', () => {
  test.each<[string, string[][]]>([
    ['PING\r\n', [['PING']]],
    ['PING\n', [['PING']]],
    ['  get   k  \r\n', [['get', 'k']]],
    ['\tset k\t"a b"\r\n', [['set', 'k', 'a b']]],
    ['set k ""\r\n', [['set', 'k', '']]],
    [`echo 'a\\'b\\n'\r\n`, [['echo', "a'b\\n"]]],
    ['echo "\\x41\\n\\r\\t\\b\\a\\"\\q"\r\n', [['echo', 'A\n\r\t\b\x07"q']]],
    ['echo "\\xzz\\x4"\r\n', [['echo', 'xzzx4']]],
    ['echo a"b c"\r\n', [['echo', 'ab c']]],
    ['"ping"\r\n', [['ping']]],
    ['echo \xe4\xff\r\n', [['echo', '\xe4\xff']]],
    ['PING\r\nPING x\r\n*1\r\n$4\r\nPING\r\n', [['PING'], ['PING', 'x'], ['PING']]],
  ])('%j', (input, requests) => {
    expect(parse([input])).toEqual({ requests, error: '' });
    expect(parse([...input])).toEqual({ requests, error: '' });
  });

  test('ends at 64 KiB, with or without a newline', () => {
    const fits = `ECHO ${'x'.repeat(64 * 1024 - 5)}`;
    expect(parse([`${fits}\n`]).error).toBe('');
    expect(parse([`${fits}x\n`]).error).toBe(protocolError('too big inline request'));
    expect(parse([`${fits}x`]).error).toBe(protocolError('too big inline request'));
    const endless = Array.from({ length: 80 }, () => 'y'.repeat(1000));
    expect(parse(endless).error).toBe(protocolError('too big inline request'));
  });
});

describe('chunks', () => {
  const word = fc.oneof(
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    fc.constantFrom('SET', 'k', '', '\r\n', '*1\r\n$1\r\n'),
    fc.integer({ min: 0, max: 300 }).map((length) => 'z'.repeat(length)),
  );
  const commands = fc.array(fc.array(word, { minLength: 1, maxLength: 12 }), { maxLength: 12 });

  test('gives the same requests however the bytes are cut', () => {
    fc.assert(
      fc.property(commands, fc.array(fc.integer({ min: 1, max: 97 })), (requests, cuts) => {
        const bytes = Buffer.from(requests.map((words) => array(...words)).join(''), 'latin1');
        const chunks: Buffer[] = [];
        for (let at = 0, i = 0; at < bytes.length; i += 1) {
          const size = cuts.length === 0 ? bytes.length : (cuts[i % cuts.length] ?? 1);
          chunks.push(bytes.subarray(at, at + size));
          at += size;
        }
        expect(parse(chunks)).toEqual({ requests, error: '' });
        expect(parse(Array.from(bytes, (byte) => Buffer.of(byte)))).toEqual({
          requests,
          error: '',
        });
      }),
      { numRuns: 300 },
    );
  });

  test('gives the same outcome for damaged bytes however they are cut', () => {
    const damage = fc.record({ at: fc.nat(), byte: fc.nat({ max: 255 }) });
    fc.assert(
      fc.property(commands, fc.array(damage, { maxLength: 3 }), (requests, damages) => {
        const bytes = Buffer.from(requests.map((words) => array(...words)).join(''), 'latin1');
        for (const { at, byte } of damages) if (bytes.length > 0) bytes[at % bytes.length] = byte;
        const whole = parse([bytes]);
        expect(parse(Array.from(bytes, (byte) => Buffer.of(byte)))).toEqual(whole);
      }),
      { numRuns: 300 },
    );
  });
});

describe('a long argument', () => {
  const value = Array.from({ length: 200_000 }, (_, at) => String(at % 10)).join('');
  const text = array('SET', 'k', value) + array('SET', value, 'v') + array('PING');

  function cutAt(sizes: readonly number[]): string[] {
    const chunks: string[] = [];
    for (let at = 0, i = 0; at < text.length; i += 1) {
      const size = sizes[i % sizes.length] as number;
      chunks.push(text.slice(at, at + size));
      at += size;
    }
    return chunks;
  }

  test.each([
    ['long chunks', [65_536]],
    ['short ones among them', [65_536, 100, 4_096, 4_095, 1]],
    ['chunks that end with the argument', [35, 200_000, 2, 5_000]],
    ['all in one', [1_000_000]],
  ])('in %s', (_, sizes) => {
    const { requests, error } = parse(cutAt(sizes));
    expect(error).toBe('');
    expect(requests).toEqual([['SET', 'k', value], ['SET', value, 'v'], ['PING']]);
  });

  test('its chunks count as input, and are copied once', () => {
    const copies = vi.spyOn(Buffer.prototype, 'copy');
    const parser = new RequestParser(defaultLimits());
    let fed = 0;
    for (const chunk of cutAt([20_000]).slice(0, 10)) {
      parser.feed(Buffer.from(chunk, 'latin1'));
      fed += chunk.length;
      expect(parser.next()).toBe(NEED_MORE);
      expect(parser.unparsedBytes).toBe(fed);
    }
    expect(copies).not.toHaveBeenCalled();
    copies.mockRestore();
  });
});
