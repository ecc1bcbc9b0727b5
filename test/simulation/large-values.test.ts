/** The largest values that a whole node takes: whatever is stored can be read whole. */
import { describe, expect, test } from 'vitest';
import { VALUE_BYTES_MAX } from '../../storage/limits.ts';
import { Scenario } from './scenario.ts';

const LAST_OFFSET = String(VALUE_BYTES_MAX - 1);
const TOO_LONG = { error: 'ERR string exceeds maximum allowed size (proto-max-bulk-len)' };

/** Not with `toEqual`, which would print 64 MiB. */
function isWhole(reply: unknown): boolean {
  return typeof reply === 'string' && reply.length === VALUE_BYTES_MAX && reply.endsWith('x');
}

describe('a value of the largest size', () => {
  test('made by SETRANGE is read by GET and inside of a MULTI block', () => {
    const scenario = new Scenario(1);
    expect(scenario.answerTo(1, 'SETRANGE', 'big', LAST_OFFSET, 'x')).toBe(VALUE_BYTES_MAX);
    expect(isWhole(scenario.answerTo(1, 'GET', 'big'))).toBe(true);
    const block = [
      ['SET', 'other', '1'],
      ['GET', 'big'],
      ['GET', 'other'],
    ] as const;
    const [replies] = scenario.repliesTo(1, block, true) as [unknown[]];
    expect([replies[0], isWhole(replies[1]), replies[2]]).toEqual(['OK', true, '1']);
  });

  test('cannot be made longer, by whatever command', () => {
    const scenario = new Scenario(1);
    scenario.answerTo(1, 'SETRANGE', 'big', LAST_OFFSET, 'x');
    expect(scenario.answerTo(1, 'APPEND', 'big', 'y')).toEqual(TOO_LONG);
    expect(scenario.answerTo(1, 'SETRANGE', 'big', String(VALUE_BYTES_MAX), 'y')).toEqual(TOO_LONG);
    expect(isWhole(scenario.answerTo(1, 'GET', 'big'))).toBe(true);
  });
});

describe('a block that asks for much memory', () => {
  const SMALL = { unitWriteBytesMax: 5_000, unflushedBytesMax: 20_000, flushEveryMs: 60_000 };
  const block = Array.from({ length: 9 }, (_, i) => ['SETRANGE', `amp${i}`, '998', 'x']);
  const OOM = { error: "OOM command not allowed when used memory > 'maxmemory'." };
  const inTime = [999, 999, 999, 999, OOM, OOM, OOM, OOM, OOM];

  test('ends where a unit ends on every replica, and no node dies of it, nor at its restart', () => {
    const scenario = new Scenario(3, SMALL);
    const mate = scenario.ask(1, 'SET', 'mate', 'v');
    expect(scenario.repliesTo(1, block, true)).toEqual([inTime]);
    expect(mate.reply).toBe('OK');
    for (const node of scenario.cluster.nodes) node.crash('power');
    for (const node of scenario.cluster.nodes) node.start();
    scenario.run(1_000);
    scenario.converge();
    for (const id of [1, 2, 3]) {
      expect(scenario.answerTo(id, 'GET', 'amp3')).toHaveLength(999);
      expect(scenario.answerTo(id, 'EXISTS', 'amp4')).toBe(0);
    }
    expect(scenario.cluster.violations).toEqual([]);
  });

  /** The most that a node has held unflushed, in as many small steps as something moves. */
  function mostUnflushed(scenario: Scenario, id: number, done: () => boolean): number {
    let most = 0;
    for (let steps = 0; steps < 200_000 && !done(); steps += 1) {
      scenario.cluster.scheduler.step();
      most = Math.max(most, scenario.node(id).machines?.unflushedBytes ?? 0);
    }
    expect(done()).toBe(true);
    return most;
  }

  test('waits for the flush, between two units of one transaction too, and again at replay', () => {
    const scenario = new Scenario(3, SMALL);
    const asked = Array.from({ length: 40 }, (_, client) =>
      scenario.ask(1, 'SETRANGE', `big${client}`, '3999', 'x'),
    );
    const most = SMALL.unflushedBytesMax + 2 * SMALL.unitWriteBytesMax;
    const answered = (): boolean => asked.every(({ answer }) => answer !== undefined);
    expect(mostUnflushed(scenario, 2, answered)).toBeLessThanOrEqual(most);
    expect(asked.map(({ reply }) => reply)).toEqual(asked.map(() => 4_000));
    scenario.node(2).crash('power');
    scenario.node(2).start();
    const replayed = (): boolean => scenario.node(2).machines?.size === 40;
    expect(mostUnflushed(scenario, 2, replayed)).toBeLessThanOrEqual(most);
    scenario.converge();
    expect(scenario.cluster.violations).toEqual([]);
  });
});
