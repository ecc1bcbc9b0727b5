/**
 * Streams of commands over all types, in both protocols, against a real redis-server. Replies must
 * be equal once the order that they do not promise is taken away; `differences.ts` names the rest.
 * `HOLO_DIFFERENTIAL_RUNS` makes it run longer.
 */
import type { ChildProcess } from 'node:child_process';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Arguments } from '../../storage/arguments.ts';
import { ReplyWriter } from '../../transport/resp/codec/encoder.ts';
import { anyTypeCommand } from './differential/any-type.ts';
import { Differences } from './differential/differences.ts';
import type { Words } from './differential/generators.ts';
import { hashCommand } from './differential/hash.ts';
import {
  connectTo,
  HAS_REDIS,
  type RedisConnection,
  startServer,
} from './differential/redis-server.ts';
import { normalised, parseReply, type Value } from './differential/replies.ts';
import { setCommand } from './differential/set.ts';
import { body, Machine, versionAt } from './harness.ts';

const PORT = 26_381;
const RUNS = Number(process.env['HOLO_DIFFERENTIAL_RUNS'] ?? 100);
const RANDOM = ['SRANDMEMBER', 'HRANDFIELD'];

const command = fc.oneof(
  { weight: 3, arbitrary: hashCommand },
  { weight: 3, arbitrary: setCommand },
  { weight: 2, arbitrary: anyTypeCommand },
);

/** Meets the listed differences, each once. */
const DIFFERENT: Words[] = [
  ['SADD', 'a', 'x'],
  ['OBJECT', 'ENCODING', 'a'],
  ['SET', 'b', 'x'],
  ['APPEND', 'b', 'y'],
  ['OBJECT', 'ENCODING', 'b'],
  ['SRANDMEMBER', 'none', '-2000000'],
  ['HRANDFIELD', 'none', '-2000000'],
];

const args = new Arguments();

/** Our reply, in the protocol. */
function reply(machine: Machine, words: readonly string[], protocol: 2 | 3): Value {
  const writer = new ReplyWriter(protocol);
  const bytes = body(words);
  machine.machine.begin(versionAt(++machine.nowUs));
  args.next(bytes, 0);
  machine.machine.run(args, writer);
  machine.machine.commit(machine.machine.appliedSequence + 1);
  const parsed = parseReply(Buffer.from(writer.take()).toString('latin1'), 0);
  if (parsed === undefined) throw new Error(`no whole reply to ${words.join(' ')}`);
  return parsed.value;
}

/** Members that were popped here: the other server is told to remove them. */
function poppedBy([name]: Words, ours: Value): readonly string[] {
  if (name !== 'SPOP' || ours === null || isError(ours)) return [];
  if (typeof ours === 'string') return [ours];
  return ((ours as { set?: unknown }).set ?? ours) as string[];
}

function isError(reply: Value): boolean {
  return (reply as { error?: unknown } | null)?.error !== undefined;
}

function comparable(words: Words, reply: Value): Value {
  const isRandom = RANDOM.includes(words[0] ?? '') && reply !== null && !isError(reply);
  // Which ones are picked is up to the server; how many, and in which form, is not.
  if (!isRandom) return normalised(words, reply);
  return typeof reply === 'string' ? 'one' : formOf(reply);
}

function formOf(reply: Value): Value {
  return Array.isArray(reply) ? reply.map(formOf) : typeof reply;
}

describe.skipIf(!HAS_REDIS)('against redis-server', () => {
  let server: ChildProcess;
  const connections = new Map<2 | 3, RedisConnection>();
  const differences = new Differences();

  beforeAll(async () => {
    server = startServer(PORT);
    for (const protocol of [2, 3] as const) {
      connections.set(protocol, await connectTo(PORT, protocol));
    }
  });

  afterAll(() => {
    for (const connection of connections.values()) connection.close();
    server?.kill('SIGKILL');
  });

  test.each([2, 3] as const)('answers alike over all types, in RESP%i', async (protocol) => {
    const redis = connections.get(protocol) as RedisConnection;
    const sequences = fc.array(command, { minLength: 1, maxLength: 80 });
    await fc.assert(
      fc.asyncProperty(sequences, fc.boolean(), async (commands, evicts) => {
        const machine = new Machine({
          startMs: Date.now(),
          cacheBytesMax: evicts ? 0 : 1_000_000,
        });
        const ours: Value[] = [];
        const twins: Words[] = [];
        for (const words of commands) {
          const own = reply(machine, words, protocol);
          const popped = poppedBy(words, own);
          ours.push(popped.length === 0 ? own : popped.length);
          twins.push(popped.length === 0 ? words : ['SREM', words[1] ?? '', ...popped]);
          if (evicts && twins.length % 8 === 0) machine.flush();
        }
        const [, ...theirs] = await redis.run([['FLUSHALL'], ...twins]);
        for (const [i, words] of commands.entries()) {
          const own = comparable(words, ours[i] ?? null);
          const other = comparable(words, theirs[i] ?? null);
          if (JSON.stringify(own) === JSON.stringify(other)) continue;
          if (!differences.allow(words, own, other)) expect([words, own]).toEqual([words, other]);
        }
      }),
      { numRuns: RUNS, examples: [[DIFFERENT, false]] },
    );
  });

  test('met every difference that is listed', () => {
    expect(differences.unused).toEqual([]);
  });
});
