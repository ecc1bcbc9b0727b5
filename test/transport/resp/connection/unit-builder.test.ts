/** Commands over several groups: how a connection cuts them, and in what order it submits them. */
import { describe, expect, test } from 'vitest';
import { slotOfText } from '../../../../storage/keyspace/slots.ts';
import type { PipelineOrder } from '../../../../transport/resp/limits.ts';
import { Harness, request } from '../harness.ts';
import { placementOf } from '../placements.ts';

const GROUPS = 3;
const placement = placementOf(GROUPS);

/** A key of this group. */
function key(group: number, other = 0): string {
  for (let i = 0, left = other; ; i += 1) {
    if (placement.groupOf(slotOfText(`k${i}`)) !== group) continue;
    if (left === 0) return `k${i}`;
    left -= 1;
  }
}

const [A, B, C] = [key(0), key(1), key(2)];
const A2 = key(0, 1);

interface Told {
  readonly ranges: number[];
  readonly commands: string;
  readonly layout: readonly number[];
}

function wordsOf(bytes: Uint8Array): string {
  const lines = Buffer.from(bytes).toString('latin1').split('\r\n');
  const words = lines.filter((line) => !/^[$]\d+$/.test(line));
  return words
    .join(' ')
    .replaceAll(/ ?\*\d+ ?/g, '|')
    .replace(/^\|/, '')
    .trim();
}

/** All that a connection submits before the first answer. */
function submitted(harness: Harness): Told[] {
  return harness.coordinator.parts.map(({ groups, bytes, layout }) => ({
    ranges: groups.map(({ range }) => range),
    commands: wordsOf(bytes),
    layout,
  }));
}

function manual(pipelineOrder: PipelineOrder = 'range'): Harness {
  const harness = new Harness({ pipelineOrder }, undefined, placement);
  harness.coordinator.manual = true;
  return harness;
}

describe('commands whose keys only show while they run', () => {
  const script = (key: string): string => `EVAL x ${key}`;

  test('travel together, and with others of their group', () => {
    const harness = manual();
    harness.client().send(request(`SET ${A} 1`, script(`1 ${A}`), script(`1 ${A2}`), `GET ${A}`));
    expect(submitted(harness)).toMatchObject([{ ranges: [1], layout: [4] }]);
  });

  test.each([
    ['another group', [`SET ${B} 1`, script(`1 ${A}`)], 1],
    ['one of another group', [script(`1 ${A}`), script(`1 ${B}`)], 1],
    ['what is of another group', [script(`1 ${A}`), `SET ${B} 1`], 1],
    ['a block', [script(`1 ${A}`), 'MULTI', `SET ${A} 1`, 'EXEC'], 1],
    ['those behind a block', ['MULTI', `SET ${A} 1`, 'EXEC', script(`1 ${A}`)], 1],
  ])('do not travel with %s', (_, lines, count) => {
    const harness = manual();
    harness.client().send(request(...lines));
    expect(submitted(harness)).toHaveLength(count);
    expect(harness.coordinator.parts[0]?.count).toBe(1);
  });
});

describe('a pipeline over several groups', () => {
  test('is one part per group, submitted together', () => {
    const harness = manual();
    harness.client().send(request(`SET ${A} 1`, `SET ${B} 2`, `GET ${A}`, `GET ${A2}`, `GET ${B}`));
    expect(submitted(harness)).toEqual([
      { ranges: [1], commands: `SET ${A} 1|GET ${A}|GET ${A2}`, layout: [1, 2] },
      { ranges: [2], commands: `SET ${B} 2|GET ${B}`, layout: [1, 1] },
    ]);
    expect(harness.coordinator.parts.map(({ unit, part }) => [unit.sequence, part])).toEqual([
      [1, 0],
      [1, 1],
    ]);
  });

  test('only reads in the parts that only read', () => {
    const harness = manual();
    harness.client().send(request(`SET ${A} 1`, `GET ${B}`));
    expect(harness.coordinator.parts.map(({ readOnly }) => readOnly)).toEqual([false, true]);
  });

  test.each([[[0, 1, 2]], [[2, 1, 0]], [[1, 2, 0]]])(
    'is answered in order, whatever part is answered first: %j',
    (order) => {
      const harness = manual();
      const client = harness.client();
      client.send(
        request(`SET ${A} 1`, `SET ${B} 2`, 'PING', `GET ${A}`, `SET ${C} 3`, `GET ${B}`, 'ECHO x'),
      );
      const { parts } = harness.coordinator;
      expect(parts).toHaveLength(3);
      for (const index of order) harness.coordinator.execute(parts[index] ?? fail());
      harness.endTurn();
      expect(client.socket.text).toBe(
        '+OK\r\n+OK\r\n+PONG\r\n$1\r\n1\r\n+OK\r\n$1\r\n2\r\n$1\r\nx\r\n',
      );
    },
  );

  test('gets errors for the part that fails alone', () => {
    const harness = manual();
    const client = harness.client();
    client.send(request(`SET ${A} 1`, `SET ${B} 2`, `GET ${A}`, 'PING', `GET ${B}`));
    const { coordinator } = harness;
    coordinator.fail(coordinator.parts[1], 'TIMEOUT maybe');
    // As when a deadline passes while the executor answers.
    coordinator.execute(coordinator.parts[0] ?? fail());
    harness.endTurn();
    expect(client.socket.text).toBe(
      '+OK\r\n-TIMEOUT maybe\r\n$1\r\n1\r\n+PONG\r\n-TIMEOUT maybe\r\n',
    );
  });

  test('takes the first answer of each part, while another part is under way', () => {
    const harness = manual();
    const client = harness.client();
    client.send(request(`SET ${A} 1`, `SET ${B} 2`));
    const { coordinator } = harness;
    coordinator.execute(coordinator.parts[0] ?? fail());
    coordinator.fail(coordinator.parts[0], 'TIMEOUT maybe');
    coordinator.execute(coordinator.parts[0] ?? fail());
    coordinator.execute(coordinator.parts[1] ?? fail());
    harness.endTurn();
    expect(client.socket.text).toBe('+OK\r\n+OK\r\n');
  });

  test('offers again only the parts that the coordinator had no room for', () => {
    const harness = manual();
    const client = harness.client();
    const submit = harness.coordinator.submit;
    let room = 1;
    const limited = new Harness(
      {},
      {
        submit: (part) => {
          if (room === 0) return false;
          room -= 1;
          return submit(part);
        },
        set answer(answer: typeof harness.coordinator.answer) {
          harness.coordinator.answer = answer;
        },
      },
      placement,
    );
    const other = limited.client();
    other.send(request(`SET ${A} 1`, `SET ${B} 2`));
    expect(submitted(harness)).toHaveLength(1);
    expect(limited.gateway.refusedUnits).toBe(1);
    room = 5;
    limited.gateway.retry();
    expect(submitted(harness).map(({ ranges }) => ranges)).toEqual([[1], [2]]);
    harness.coordinator.step();
    harness.coordinator.step();
    limited.endTurn();
    expect(other.socket.text).toBe('+OK\r\n+OK\r\n');
    expect(client.socket.text).toBe('');
  });
});

describe('units that span groups', () => {
  test.each([
    ['a command', [`MSET ${A} 1 ${B} 2`], [1, 2]],
    ['the whole store', ['DBSIZE'], [1, 2, 3]],
    ['a block', ['MULTI', `SET ${B} 1`, `SET ${C} 2`, 'EXEC'], [2, 3]],
  ])('is one part that names its groups, and a fence: %s', (_name, spanning, ranges) => {
    const harness = manual();
    const client = harness.client();
    client.send(request(`SET ${A} 1`, `SET ${B} 1`, ...spanning, `GET ${A}`, `GET ${B}`));
    const told = (): number[][] => submitted(harness).map((part) => part.ranges);
    expect(told()).toEqual([[1], [2]]);
    harness.coordinator.step();
    expect(told()).toHaveLength(2);
    harness.coordinator.step();
    expect(told()).toEqual([[1], [2], ranges]);
    harness.coordinator.step();
    expect(told()).toEqual([[1], [2], ranges, [1], [2]]);
    harness.coordinator.step();
    harness.coordinator.step();
    harness.endTurn();
    expect(client.socket.text.match(/OK/g)?.length).toBeGreaterThan(1);
    expect(client.socket.destroyed).toBe(false);
  });

  test('does not take a block along that names one group', () => {
    const harness = manual();
    harness.client().send(request('MULTI', `SET ${A} 1`, `GET ${A2}`, 'EXEC', `SET ${A} 2`));
    expect(submitted(harness)).toEqual([
      { ranges: [1], commands: `SET ${A} 1|GET ${A2}|SET ${A} 2`, layout: [2, 1] },
    ]);
    expect(harness.coordinator.parts[0]?.readOnly).toBe(false);
  });
});

test('in the order of the connection, parts of several groups wait for each other', () => {
  const harness = manual('connection');
  const client = harness.client();
  const block = ['MULTI', `SET ${B} 2`, 'EXEC'];
  client.send(request(`SET ${A} 1`, `GET ${A2}`, `SET ${B} 1`, ...block, `GET ${A}`, 'PING'));
  const told = (): number[][] => submitted(harness).map((part) => part.ranges);
  for (const expected of [[[1]], [[1], [2]], [[1], [2], [1]]]) {
    expect(told()).toEqual(expected);
    harness.coordinator.step();
  }
  harness.endTurn();
  expect(client.socket.text).toMatch(/\+PONG\r\n$/);
});

test('with one group nothing is cut', () => {
  const harness = new Harness();
  harness.coordinator.manual = true;
  harness.client().send(request(`SET ${A} 1`, `MSET ${A} 1 ${B} 2`, 'DBSIZE', `GET ${C}`));
  expect(submitted(harness).map(({ ranges, layout }) => ({ ranges, layout }))).toEqual([
    { ranges: [1], layout: [4] },
  ]);
});

function fail(): never {
  throw new Error('there is no such part');
}
