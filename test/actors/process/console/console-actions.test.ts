/** Actions are done once they are confirmed, and leave a line of audit. */
import { expect, test } from 'vitest';
import { ConsoleActions } from '../../../../actors/process/console/console-actions.ts';

class Bench {
  readonly ran: string[] = [];
  readonly audit: string[] = [];
  dumped: string | undefined = '/data/traces/1.jsonl';
  readonly actions = new ConsoleActions({
    run: (user, commands) => {
      this.ran.push(...commands.map((words) => `${user}: ${words.join(' ')}`));
      return Promise.resolve(commands.map(() => 'OK'));
    },
    dumpTrace: () => this.dumped,
    changeTopology: async ({ what, slot, range, controller }, user) => {
      if (slot === 0) return { code: 400, text: 'no range can be split there' };
      this.ran.push(`${user}: ${what} ${slot ?? range ?? controller}`);
      return { code: 200, text: 'change 1' };
    },
    audit: (user, what) => this.audit.push(`${user}: ${what}`),
  });
}

const DELETE = { action: 'key.delete', key: 'k\xc3\xa4', database: 2 };

test('a dry run says what would be done, and does nothing', async () => {
  const bench = new Bench();
  expect(await bench.actions.act({ ...DELETE, dryRun: true }, 'ada')).toEqual({
    what: 'DEL kä in database 2, in the whole cluster.',
    confirm: 'kä',
  });
  expect([...bench.ran, ...bench.audit]).toEqual([]);
});

test.each([undefined, '', 'k', 'KÄ'])('without its word, %j, nothing is done', async (confirm) => {
  const bench = new Bench();
  const args = { ...DELETE, ...(confirm === undefined ? {} : { confirm }) };
  await expect(bench.actions.act(args, 'ada')).rejects.toThrow('not done: type "kä"');
  expect([...bench.ran, ...bench.audit]).toEqual([]);
});

test('confirmed, it is done as the user, and told', async () => {
  const bench = new Bench();
  await bench.actions.act({ ...DELETE, confirm: 'kä' }, 'ada');
  expect(bench.ran).toEqual(['ada: SELECT 2', 'ada: DEL k\xc3\xa4']);
  expect(bench.audit).toEqual(['ada: DEL kä in database 2, in the whole cluster.']);
});

test.each([
  [{ action: 'key.set', key: 'k', value: 'v', confirm: 'k' }, 'SET k v KEEPTTL'],
  [{ action: 'key.expire', key: 'k', ttlMs: 5_000, confirm: 'k' }, 'PEXPIRE k 5000'],
  [{ action: 'key.expire', key: 'k', ttlMs: 0, confirm: 'k' }, 'PERSIST k'],
  [{ action: 'client.kill', id: '7', confirm: '7' }, 'CLIENT KILL ID 7'],
])('%j', async (args, command) => {
  const bench = new Bench();
  await bench.actions.act(args, 'ada');
  expect(bench.ran.at(-1)).toBe(`ada: ${command}`);
});

test('a key that is no text is named by its bytes, and changed as it is', async () => {
  const bench = new Bench();
  const args = { ...DELETE, key: '\xff\n' };
  await bench.actions.act({ ...args, confirm: '\\xff\\x0a' }, 'ada');
  expect(bench.ran.at(-1)).toBe('ada: DEL \xff\n');
  expect(bench.audit[0]).toContain('DEL \\xff\\x0a in database 2');
});

test.each([
  [{ action: 'client.kill', id: '7 TYPE normal' }, 'named by its number'],
  [{ action: 'key.delete' }, 'no key is named'],
  [{ action: 'flush', key: 'k' }, 'there is no action "flush"'],
  [{ action: 'range.merge', range: 1, key: 'k' }, 'there is no action "range.merge"'],
])('%j is refused', async (args, reason) => {
  await expect(new Bench().actions.act({ ...args, confirm: 'k' }, 'ada')).rejects.toThrow(reason);
});

test('a dump of the trace tells its file, or that there is none', async () => {
  const bench = new Bench();
  const dump = () => bench.actions.act({ action: 'trace.dump', confirm: 'dump' }, 'ada');
  expect(await dump()).toMatchObject({ result: 'It is in /data/traces/1.jsonl.' });
  bench.dumped = undefined;
  await expect(dump()).rejects.toThrow('could not be written');
});

test.each([
  [{ action: 'range.pause', range: 3 }, 'pause 3', 'pause 3'],
  [{ action: 'range.resume', range: 3 }, 'resume 3', 'resume 3'],
  [{ action: 'range.cancel', range: 3 }, 'cancel 3', 'cancel 3'],
  [{ action: 'controller.pause', controller: 'ranges' }, 'pause ranges', 'pause-controller ranges'],
  [{ action: 'controller.resume', controller: 'all' }, 'resume all', 'resume-controller all'],
])('%j is of administrators, and confirmed by "%s"', async (args, confirm, request) => {
  const bench = new Bench();
  await expect(bench.actions.act({ ...args, confirm }, 'ada', 'operator')).rejects.toThrow('admin');
  const dry = await bench.actions.act({ ...args, dryRun: true }, 'ada', 'admin');
  expect(dry).toMatchObject({ confirm, what: expect.stringContaining('in the whole cluster') });
  expect(bench.ran).toEqual([]);
  await bench.actions.act({ ...args, confirm }, 'ada', 'admin');
  expect(bench.ran).toEqual([`ada: ${request}`]);
});

test('a range is split by an administrator alone, where it can be', async () => {
  const bench = new Bench();
  const split = (slot: number, role: string) =>
    bench.actions.act({ action: 'range.split', slot, confirm: `split ${slot}` }, 'ada', role);
  await expect(split(8_192, 'operator')).rejects.toThrow('needs the role of admin');
  await expect(split(0, 'admin')).rejects.toThrow('no range can be split there');
  await split(8_192, 'admin');
  expect(bench.ran).toEqual(['ada: split 8192']);
});
