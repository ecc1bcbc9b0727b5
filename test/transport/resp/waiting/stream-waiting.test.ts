/** XREAD and XREADGROUP that wait, as clients of one gateway see them, with the real machine. */
import { expect, test } from 'vitest';
import { Harness, type HarnessClient, request } from '../harness.ts';
import { StoreCoordinator } from '../store-coordinator.ts';

class World {
  readonly coordinator = new StoreCoordinator();
  readonly harness = new Harness({}, this.coordinator);
  readonly writer = this.harness.client();

  /** Clients that wait with this request. */
  waiting(line: string, count = 1): HarnessClient[] {
    return Array.from({ length: count }, () => {
      const client = this.harness.client();
      expect(client.ask(request(line))).toBe('');
      return client;
    });
  }

  run(...lines: string[]): string {
    const reply = this.writer.ask(request(...lines));
    this.harness.endTurn();
    return reply;
  }

  attempts(): number {
    const text = this.writer.ask(request('INFO all'));
    return Number(/blocking_attempts:(.*)\r/.exec(text)?.[1]);
  }
}

/** The ids of entries in a reply. */
function idsIn({ socket }: HarnessClient): string[] {
  return [...socket.text.matchAll(/\r\n(\d+-\d+)\r\n/g)].map(([, id = '']) => id);
}

test('all readers get the entries behind the id that was the last one when they came', () => {
  const world = new World();
  world.run('XADD s 1-0 a 1');
  const readers = world.waiting('XREAD COUNT 5 BLOCK 0 STREAMS s none $ $', 3);
  const [behind] = world.waiting('XREAD BLOCK 0 STREAMS s 2-5');
  world.run('XADD s 2-0 a 2');
  expect(readers.map(idsIn)).toEqual([['2-0'], ['2-0'], ['2-0']]);
  expect(behind?.socket.text).toBe('');
  // Trimming leaves as many entries as before.
  world.run('XADD s MAXLEN 2 3-0 a 3');
  expect(behind && idsIn(behind)).toEqual(['3-0']);
});

test('a reader is tried again when an entry has come, and only then', () => {
  const world = new World();
  world.run('XADD s 1-0 a 1', 'XADD s 2-0 a 1', 'XGROUP CREATE s g 0');
  const [reader] = world.waiting('XREAD BLOCK 0 STREAMS s $');
  const before = world.attempts();
  world.run('XREADGROUP GROUP g c STREAMS s >', 'XACK s g 1-0', 'XDEL s 1-0', 'PEXPIRE s 90000');
  for (let ms = 0; ms < 500; ms += 50) world.harness.tick(50);
  expect(world.attempts()).toBe(before);
  world.run('XADD s 3-0 a 1');
  expect(reader && idsIn(reader)).toEqual(['3-0']);
  expect(world.attempts()).toBe(before + 1);
});

test('each entry goes to one client of each group', () => {
  const world = new World();
  world.run('XGROUP CREATE s g 0 MKSTREAM', 'XGROUP CREATE s h 0');
  const g = world.waiting('XREADGROUP GROUP g c COUNT 1 BLOCK 0 STREAMS s >', 3);
  const h = world.waiting('XREADGROUP GROUP h c COUNT 1 BLOCK 0 STREAMS s >', 1);
  world.run('XADD s 1-0 a 1');
  world.run('XADD s MAXLEN 1 2-0 a 2');
  expect(g.map(idsIn)).toEqual([['1-0'], ['2-0'], []]);
  expect(h.map(idsIn)).toEqual([['1-0']]);
  const before = world.attempts();
  for (let ms = 0; ms < 500; ms += 50) world.harness.tick(50);
  expect(world.attempts()).toBe(before);
  // The group is set back, so an entry is new for it again.
  world.run('XGROUP SETID s g 0');
  expect(g.map(idsIn)).toEqual([[], [], ['2-0']]);
});

test.each([
  ['XGROUP DESTROY s g', '-NOGROUP'],
  ['DEL s', '-NOGROUP'],
  ['RENAME s t', '-NOGROUP'],
  ['FLUSHALL', '-NOGROUP'],
  ['SET s text', '-WRONGTYPE'],
])('%s ends the waits of a group with an error', (line, error) => {
  const world = new World();
  world.run('XADD s 1-0 a 1', 'XGROUP CREATE s g $');
  const clients = world.waiting('XREADGROUP GROUP g c BLOCK 0 STREAMS s >', 3);
  const [reader] = world.waiting('XREAD BLOCK 0 STREAMS s $');
  world.run(line);
  world.harness.tick(50);
  for (const { socket } of clients) expect(socket.text.startsWith(error)).toBe(true);
  const isRefused = error === '-WRONGTYPE' || line === 'FLUSHALL';
  if (!isRefused) expect(reader?.socket.text).toBe('');
});

test('times out with null, is unblocked, and never waits in a block or for its history', () => {
  const world = new World();
  world.run('XGROUP CREATE s g 0 MKSTREAM');
  const [read] = world.waiting('XREAD BLOCK 100 STREAMS s $');
  const [group] = world.waiting('XREADGROUP GROUP g c BLOCK 100 STREAMS s >');
  world.harness.tick(99);
  expect([read?.socket.text, group?.socket.text]).toEqual(['', '']);
  world.harness.tick(1);
  expect([read?.socket.text, group?.socket.text]).toEqual(['*-1\r\n', '*-1\r\n']);
  const client = world.harness.client();
  const [, id = ''] = /:(\d+)/.exec(client.ask(request('CLIENT ID'))) ?? [];
  const told = client.ask(request('XREAD BLOCK 0 STREAMS s $'));
  expect(world.run(`CLIENT UNBLOCK ${id} ERROR`)).toBe(':1\r\n');
  expect(client.socket.text.slice(told.length)).toMatch(/-UNBLOCKED /);
  const block = world.run('MULTI', 'XREAD BLOCK 0 STREAMS s $', 'EXEC');
  expect(block.endsWith('*1\r\n*-1\r\n')).toBe(true);
  const history = world.run('XREADGROUP GROUP g c BLOCK 0 STREAMS s 0');
  expect(history).toBe('*1\r\n*2\r\n$1\r\ns\r\n*0\r\n');
  expect(world.run('XREAD BLOCK -1 STREAMS s $')).toBe('-ERR timeout is negative\r\n');
  expect(world.run('XREAD BLOCK x STREAMS s $')).toMatch(/^-ERR timeout is not an integer/);
});
