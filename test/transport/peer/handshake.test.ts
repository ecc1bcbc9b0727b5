import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeGreeting,
  describeStranger,
  encodeGreeting,
  type Greeting,
  PROTOCOL_VERSION,
} from '../../../transport/peer/handshake.ts';

const hello = {
  clusterId: '00112233445566778899aabbccddeeff',
  nodeId: 3,
  diskId: 'ffeeddccbbaa99887766554433221100',
  incarnation: 2 ** 40,
  unitWriteBytesMax: 2 ** 28,
  formedId: '0123456789abcdef'.repeat(2),
  passwordProof: 'fedcba9876543210'.repeat(2),
  scriptMachine: 'aa'.repeat(16),
};

const greetings: Greeting[] = [
  { kind: 'hello', hello, target: 2 },
  { kind: 'accepted', hello },
  { kind: 'refused', reason: 'because' },
  { kind: 'whoIsThere', clusterId: hello.clusterId },
  {
    kind: 'members',
    answer: {
      clusterId: hello.clusterId,
      members: [{ id: 1, host: '::1', port: 15051 }],
    },
  },
];

describe('greetings', () => {
  test.each(greetings)('$kind survives the wire, with bytes behind it', (greeting) => {
    const bytes = encodeGreeting(greeting);
    expect(decodeGreeting(Buffer.concat([bytes, Buffer.from('rest')]))).toEqual({
      status: 'complete',
      greeting,
      bytes: bytes.length,
    });
  });

  test.each(greetings)('$kind is incomplete until its last byte', (greeting) => {
    const bytes = encodeGreeting(greeting);
    for (let length = 0; length < bytes.length; length += 1) {
      expect(decodeGreeting(bytes.subarray(0, length)).status).toBe('incomplete');
    }
  });

  test('another protocol version is named', () => {
    const bytes = encodeGreeting({ kind: 'hello', hello, target: 1 }, PROTOCOL_VERSION + 1);
    expect(decodeGreeting(bytes)).toEqual({
      status: 'alien',
      reason: `the peer protocol version is ${PROTOCOL_VERSION + 1}, this node speaks ${PROTOCOL_VERSION}`,
      version: PROTOCOL_VERSION + 1,
    });
  });

  test('a refusal cannot write lines of its own into a log, nor be endless', () => {
    const result = decodeGreeting(
      encodeGreeting({ kind: 'refused', reason: `a\nb\u001b${'x'.repeat(9999)}` }),
    );
    expect(result).toMatchObject({ greeting: { reason: expect.stringMatching(/^a\?b\?x{508}$/) } });
  });

  test('damage never throws', () => {
    fc.assert(
      fc.property(fc.nat(4), fc.nat(60), fc.nat(255), (which, offset, byte) => {
        const greeting = greetings[which];
        const bytes = encodeGreeting(
          greeting ?? { kind: 'whoIsThere', clusterId: hello.clusterId },
        );
        bytes[offset] = byte;
        expect(['incomplete', 'complete', 'alien']).toContain(decodeGreeting(bytes).status);
      }),
      { numRuns: 2000 },
    );
  });
});

test.each([
  ['GET / HTTP/1.1\r\n', /HTTP/],
  ['*1\r\n$4\r\nPING\r\n', /Redis/],
  ['PING\r\n', /Redis/],
  ['\x16\x03\x01\x02', /TLS/],
  ['\x00\x00\x00\x00', /does not speak the peer protocol/],
])('a stranger that says %j is recognised', (text, expected) => {
  expect(describeStranger(Buffer.from(text, 'latin1'))).toMatch(expected);
  expect(decodeGreeting(Buffer.from(text, 'latin1')).status).toBe('alien');
});
