/** A command whose keys are where its arguments say: how it is routed and described. */
import { describe, expect, test } from 'vitest';
import { type Command, command, type Words } from '../../../storage/commands/command.ts';
import { COMMANDS } from '../../../storage/commands/command-table.ts';
import { slotOfText } from '../../../storage/keyspace/slots.ts';
import { Harness, request } from './harness.ts';

/** `UNION STORE destination numkeys key [key ...] option`, like ZUNIONSTORE. */
function unionKeys(args: Words): readonly number[] {
  const count = Number(args.text(2));
  if (!Number.isInteger(count) || count < 1 || count > args.count - 3) return [];
  return [1, ...Array.from({ length: count }, (_, i) => 3 + i)];
}

const union = (name: string, flags: string): Command =>
  command({
    name,
    arity: -4,
    group: 'generic',
    flags,
    keys: unionKeys,
    summary: 'A command for this test',
    since: '1.0.0',
    complexity: 'O(1)',
    run: (_keyspace, _args, out) => out.integer(0),
  });

function harness(): Harness {
  const commands = [...COMMANDS, union('UNIONSTORE', 'write'), union('UNIONREAD', 'readonly')];
  return new Harness({}, undefined, undefined, commands);
}

function partOf(line: string) {
  const gateway = harness();
  gateway.client().ask(request(line));
  return gateway.coordinator.parts[0];
}

describe('keys that a function finds', () => {
  test('are the participants of a command, and options are not', () => {
    expect(partOf('UNIONSTORE d 2 a b a-option')).toMatchObject({
      readOnly: false,
      wholeStore: false,
      participants: ['d', 'a', 'b'].map(slotOfText),
    });
    expect(partOf('UNIONREAD d 1 a')).toMatchObject({ readOnly: false });
  });

  test('none: the command has a slot all the same, and with it a place in the order', () => {
    const without = { participants: [0], wholeStore: false };
    expect(partOf('UNIONSTORE d 9 a b')).toMatchObject(without);
    expect(partOf('UNIONSTORE d x a b')).toMatchObject(without);
    expect(partOf('EVAL x 0')).toMatchObject(without);
  });

  test('that show while a command runs: others travel with it, and a block takes all keys', () => {
    const gateway = harness();
    const client = gateway.client();
    client.send('SET a 1\r\nSORT l BY w* STORE d\r\nSET b 2\r\n');
    const { parts } = gateway.coordinator;
    expect(parts.map(({ count, readOnly }) => [count, readOnly])).toEqual([[3, false]]);
    expect(parts[0]?.participants).toEqual(['a', 'l', 'd', 'b'].map(slotOfText));
    client.send('MULTI\r\nSORT_RO l BY w*\r\nEXEC\r\n');
    expect(parts.at(-1)).toMatchObject({ wholeStore: true, readOnly: false });
    expect(partOf('SORT_RO l BY nosort')).toMatchObject({ readOnly: true, wholeStore: false });
    expect(partOf('SORT_RO l BY w*')).toMatchObject({ readOnly: false, wholeStore: false });
  });

  test('are told by COMMAND GETKEYS', () => {
    const client = harness().client();
    const bulks = (...keys: string[]) =>
      `*${keys.length}\r\n${keys.map((key) => `$${key.length}\r\n${key}\r\n`).join('')}`;
    expect(client.ask(request('COMMAND GETKEYS unionstore d 2 a b o'))).toBe(bulks('d', 'a', 'b'));
    expect(client.ask(request('COMMAND GETKEYS unionread d 1 a b o'))).toBe(bulks('d', 'a'));
    expect(client.ask(request('COMMAND GETKEYS unionstore d 3 a b'))).toBe(
      '-ERR Invalid arguments specified for command\r\n',
    );
  });

  test('are movable for COMMAND INFO', () => {
    const info = harness().client().ask(request('COMMAND INFO unionstore')).split('\r\n');
    const flags = info.indexOf('*2');
    expect(info.slice(flags, flags + 6)).toEqual([
      '*2',
      '+write',
      '+movablekeys',
      ':0',
      ':0',
      ':0',
    ]);
    expect(info).toContain('+incomplete');
    expect(info.filter((line) => line === 'unknown')).toHaveLength(2);
  });
});
