import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LOCAL_COMMANDS } from '../../../transport/resp/local-commands.ts';
import { array, Harness, request } from './harness.ts';

const RUNS = 100_000;
const SEED = 20_240_607;

/** A small generator of our own: fast-check would take minutes for so many inputs. */
function xorshift(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const PIECES = [
  '*',
  '$',
  '\r\n',
  '\n',
  '\0',
  '-1',
  '0',
  '1',
  '3',
  '4',
  '99999999999',
  '"',
  "'",
  '\\x',
  ' ',
  'PING',
  'SET k v',
  '\xff',
  'GET',
  'MULTI\r\n',
  'EXEC\r\n',
  'QUIT\r\n',
  'HELLO 3\r\n',
  'CLIENT REPLY OFF\r\n',
  'CLIENT REPLY SKIP\r\n',
  'RESET\r\n',
  '*1\r\n$4\r\nPING\r\n',
  '*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n',
  '*2\r\n$3\r\nGET\r\n$1\r\nk\r\n',
  '*1\r\n$5\r\nMULTI\r\n',
];

describe('garbage', () => {
  test(`of ${RUNS} kinds harms only its sender (seed ${SEED})`, () => {
    const random = xorshift(SEED);
    const harness = new Harness();
    const other = harness.client();
    for (let i = 0; i < RUNS; i += 1) {
      const client = harness.client();
      const pieces = random(8) + 1;
      for (let piece = 0; piece < pieces; piece += 1) {
        client.connection.onData(
          random(3) === 0
            ? Buffer.from(Array.from({ length: random(12) + 1 }, () => random(256)))
            : Buffer.from(PIECES[random(PIECES.length)] ?? '', 'latin1'),
        );
      }
      harness.endTurn();
      client.connection.onClose();
      if (i % 1000 === 0) expect(other.ask(request('PING'))).toBe('+PONG\r\n');
    }
    expect(harness.gateway.size).toBe(1);
    expect(harness.coordinator.waiting).toEqual([]);
    expect(harness.gateway.counters.protocolErrors).toBeGreaterThan(RUNS / 4);
    expect(harness.coordinator.parts.length).toBeGreaterThan(RUNS / 50);
    // No other connection's half-written replies, protocol or mode have reached the bystander.
    expect(other.ask(request('SET bystander 1', 'GET bystander', 'GET nothing'))).toBe(
      '+OK\r\n$1\r\n1\r\n$-1\r\n',
    );
  });
});

describe('every local command', () => {
  test('answers exactly one reply, whatever its arguments are', () => {
    const names = LOCAL_COMMANDS.map((command) => command.name).filter(
      // Those of subscriptions answer each name.
      (name) => !/QUIT|POST|HOST:|MULTI|EXEC|SUBSCRIBE|MONITOR/.test(name),
    );
    const words = ['ID', 'LIST', 'GET', 'SET', 'KILL', 'INFO', 'ON', 'SKIPME', 'no', '0', '-1', ''];
    const argument = fc.oneof(
      fc.constantFrom(...words, 'HELP', 'DOCS', 'GETKEYS', 'SETNAME', 'maxclients', '3', 'x y'),
      fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...names),
        fc.array(argument, { maxLength: 6 }),
        fc.boolean(),
        (name, args, resp3) => {
          const harness = new Harness();
          const client = harness.client();
          if (resp3) client.ask(request('HELLO 3'));
          if (args[0]?.toUpperCase() === 'REPLY') return;
          const replies = client.ask(array(name, ...args) + array('ECHO', 'the end'));
          if (client.socket.ended) return;
          expect(countReplies(replies)).toBe(2);
          // No byte of the client's comes back in an error.
          if (replies.startsWith('-')) expect(replies).toMatch(/^-[\x20-\x7e]*\r\n/);
          expect(replies.endsWith('$7\r\nthe end\r\n')).toBe(true);
        },
      ),
      { numRuns: 3000, seed: SEED },
    );
  });
});

/** Walks whole replies; throws where the text is not a sequence of them. */
function countReplies(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; count += 1) at = skipReply(text, at);
  return count;
}

function skipReply(text: string, at: number): number {
  const lineEnd = text.indexOf('\r\n', at);
  if (lineEnd < 0) throw new Error(`no line at ${at}`);
  const type = text.charAt(at);
  const length = Number(text.slice(at + 1, lineEnd));
  const next = lineEnd + 2;
  if ('+-:_,#'.includes(type)) return next;
  if (type === '$' || type === '=') {
    if (length === -1) return next;
    if (text.slice(next + length, next + length + 2) !== '\r\n') throw new Error('bulk length');
    return next + length + 2;
  }
  if (!'*%~>'.includes(type)) throw new Error(`no reply type: ${type}`);
  let end = next;
  for (let i = 0; i < (type === '%' ? 2 * length : length); i += 1) end = skipReply(text, end);
  return end;
}
