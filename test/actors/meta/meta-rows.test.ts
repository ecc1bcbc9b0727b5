/** The state of the meta group as rows of the table, and its rules as storage calls them. */
import { expect, test } from 'vitest';
import type { MetaCommand } from '../../../actors/meta/meta-command.ts';
import {
  encodeCommand,
  formedTopologyOf,
  metaStateOf,
  TOPOLOGY_ROWS,
  TOPOLOGY_RULES,
} from '../../../actors/meta/meta-rows.ts';
import { FORM } from './form-sample.ts';

class Table {
  readonly rows = new Map<string, string>();
  #hlc = 1_000;

  readonly row = (name: string): string | undefined => this.rows.get(name);

  /** The names of the rows that were written, or why nothing was. */
  run(command: MetaCommand | string): string[] | string {
    this.#hlc += 1;
    const text = typeof command === 'string' ? command : encodeCommand(command);
    const at = { hlc: this.#hlc, flags: 2, node: 1, store: 0 };
    const { changes, refused } = TOPOLOGY_RULES(this.row, text, at);
    for (const [name, value] of changes) this.rows.set(name, value ?? '');
    return refused ?? changes.map(([name]) => name).sort();
  }
}

const SPLIT = {
  type: 'Split',
  range: { range: 1, generation: 1 },
  atSlot: 9_000,
  by: 'somebody',
} as const;

test('a command writes the rows that it changes; the first topology stays', () => {
  const table = new Table();
  expect(metaStateOf(table.row)).toBeUndefined();
  expect(table.run(FORM)).toEqual([...TOPOLOGY_ROWS, 'topology-formed'].sort());
  const formed = metaStateOf(table.row)?.topology;
  expect(table.run(SPLIT)).toEqual(['topology']);
  expect(table.run({ type: 'TakeLeases', holder: 1, leaseMs: 500 })).toEqual([
    'topology-controllers',
  ]);
  const name = { range: SPLIT.range, change: 1 };
  expect(table.run({ type: 'Cancel', ...name })).toEqual(['topology', 'topology-jobs']);
  expect(metaStateOf(table.row)).toMatchObject({
    topology: { epoch: 3 },
    leases: [{ holder: 1 }, { holder: 1 }, { holder: 1 }],
    jobs: [{ outcome: 'cancelled' }],
  });
  expect(formedTopologyOf(table.row)).toEqual(formed);
});

test.each(['', 'x', '7', 'null', '[]', '{}', '{"type":"Split"}', '{"type":"Form"}'])(
  'a command that is none, %j, is refused and changes nothing',
  (text) => {
    const table = new Table();
    table.run(FORM);
    const before = JSON.stringify([...table.rows]);
    expect(typeof table.run(text)).toBe('string');
    expect(JSON.stringify([...table.rows])).toBe(before);
  },
);

test('a command is ASCII, whatever a name has in it', () => {
  const text = encodeCommand({ ...SPLIT, by: 'jörg ☂ 😀' });
  expect(text).toMatch(/^[ -~]+$/);
  expect(JSON.parse(text)).toEqual({ ...SPLIT, by: 'jörg ☂ 😀' });
  const table = new Table();
  table.run(FORM);
  expect(table.run(text)).toBe('it is not said who asks');
});
