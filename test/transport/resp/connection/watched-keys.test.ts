/** WATCH and EXEC of one connection against the real state machine. */
import { describe, expect, test } from 'vitest';
import { slotOfText } from '../../../../storage/keyspace/slots.ts';
import { Harness, type HarnessClient, request } from '../harness.ts';
import { StoreCoordinator } from '../store-coordinator.ts';

const QUEUED = '+QUEUED\r\n';
const NIL = '*-1\r\n';

/** Two clients of one node. */
class Pair {
  readonly store = new StoreCoordinator();
  readonly node: Harness;
  readonly one: HarnessClient;
  readonly other: HarnessClient;

  constructor(limits: ConstructorParameters<typeof Harness>[0] = {}) {
    this.node = new Harness(limits, this.store);
    this.one = this.node.client();
    this.other = this.node.client();
  }

  ask(...lines: string[]): string {
    return this.one.ask(request(...lines));
  }

  meanwhile(...lines: string[]): this {
    this.other.ask(request(...lines));
    return this;
  }

  /** The answer of EXEC to a block of one SET. */
  exec(): string {
    return this.ask('MULTI', 'SET done 1', 'EXEC').replace(`+OK\r\n${QUEUED}`, '');
  }
}

const DONE = '*1\r\n+OK\r\n';

describe('a watched key', () => {
  test.each<[string, string[], string[], string]>([
    ['that is not touched', ['SET k 1'], [], DONE],
    ['that is read', ['SET k 1'], ['GET k', 'TYPE k', 'TTL k'], DONE],
    ['that is written', ['SET k 1'], ['SET k 2'], NIL],
    ['that gets the same value again', ['SET k 1'], ['SET k 1'], NIL],
    ['that is removed and written', ['SET k 1'], ['DEL k', 'SET k 1'], NIL],
    ['that gets a deadline', ['SET k 1'], ['EXPIRE k 100'], NIL],
    ['that is moved away', ['SET k 1'], ['MOVE k 3'], NIL],
    ['that is a hash, and a field is set', ['HSET k f 1'], ['HSET k f 2'], NIL],
    ['that is a hash, and a field comes', ['HSET k f 1'], ['HSET k g 2'], NIL],
    ['that is a hash, and a field is read', ['HSET k f 1'], ['HGET k f'], DONE],
    ['that is renamed', ['SET k 1'], ['RENAME k k2'], NIL],
    ['that goes with all others', ['SET k 1'], ['FLUSHALL'], NIL],
    ['that goes with its database', ['SET k 1'], ['FLUSHDB'], NIL],
    ['that stays as another database goes', ['SET k 1'], ['SELECT 1', 'FLUSHDB'], DONE],
    ['that is swapped away', ['SET k 1'], ['SWAPDB 0 1'], NIL],
    ['that is swapped away and back', ['SET k 1'], ['SWAPDB 0 1', 'SWAPDB 1 0'], NIL],
    ['beside databases that are swapped', ['SET k 1'], ['SWAPDB 2 3'], DONE],
    ['of another database', ['SET k 1'], ['SELECT 1', 'SET k 2'], DONE],
    ['that is absent', [], [], DONE],
    ['that is absent and created', [], ['SET k 1'], NIL],
    ['that is absent, created and removed', [], ['SET k 1', 'DEL k'], NIL],
    ['that is absent, created and cleared', [], ['SET k 1', 'FLUSHALL'], NIL],
    ['that is absent while others come', [], ['SET {a}1 1', 'SET {a}2 1'], DONE],
    ['that is absent, and something else is removed', ['SET x 1'], ['DEL x'], DONE],
  ])('%s', (_, before, meanwhile, answer) => {
    const pair = new Pair().meanwhile(...before);
    expect(pair.ask('WATCH k')).toBe('+OK\r\n');
    pair.meanwhile(...meanwhile);
    expect(pair.exec()).toBe(answer);
    expect(pair.ask('SELECT 0', 'EXISTS done')).toBe(`+OK\r\n:${answer === DONE ? 1 : 0}\r\n`);
    // Nothing is watched any more.
    expect(pair.meanwhile('SET k 9').exec()).toBe(DONE);
  });

  test('that is past its deadline: its removal is no change', () => {
    const pair = new Pair().meanwhile('SET k 1 PX 100');
    pair.store.advance(1);
    expect(pair.ask('WATCH k')).toBe('+OK\r\n');
    pair.meanwhile('GET k', 'HOLO.EXPIRE k');
    expect(pair.exec()).toBe(DONE);
  });

  test('that expires before EXEC has changed', () => {
    const pair = new Pair().meanwhile('SET k 1 PX 500');
    pair.ask('WATCH k');
    pair.store.advance(1);
    expect(pair.exec()).toBe(NIL);
  });

  test('may be one of several, in several databases', () => {
    const pair = new Pair().meanwhile('SET a 1', 'SELECT 2', 'SET c 1');
    expect(pair.ask('WATCH a b', 'SELECT 2', 'WATCH c', 'SELECT 5')).toBe('+OK\r\n'.repeat(4));
    expect(pair.exec()).toBe(DONE);
    pair.ask('SELECT 0', 'WATCH a b', 'SELECT 2', 'WATCH c', 'SELECT 5');
    pair.meanwhile('SELECT 2', 'APPEND c x');
    expect(pair.exec()).toBe(NIL);
  });

  test('keeps its first state, however often it is watched', () => {
    const pair = new Pair().meanwhile('SET k 1');
    pair.ask('WATCH k k');
    pair.meanwhile('SET k 2');
    expect(pair.ask('WATCH k')).toBe('+OK\r\n');
    expect(pair.exec()).toBe(NIL);
  });

  test('that the same connection changes has changed', () => {
    const pair = new Pair();
    pair.ask('WATCH k', 'SET k 1');
    expect(pair.exec()).toBe(NIL);
  });
});

describe('watching ends', () => {
  test.each(['UNWATCH', 'DISCARD', 'RESET'])('with %s', (line) => {
    const pair = new Pair();
    pair.ask('WATCH k');
    pair.meanwhile('SET k 1');
    pair.ask(...(line === 'DISCARD' ? ['MULTI', line] : [line]));
    expect(pair.exec()).toBe(DONE);
  });

  test('with an EXEC that is refused', () => {
    const pair = new Pair();
    pair.ask('WATCH k');
    pair.meanwhile('SET k 1');
    expect(pair.ask('MULTI', 'NOSUCH', 'EXEC')).toContain('-EXECABORT');
    expect(pair.exec()).toBe(DONE);
  });

  test('not with UNWATCH in a block that does not run', () => {
    const pair = new Pair();
    pair.ask('WATCH k');
    pair.meanwhile('SET k 1');
    expect(pair.ask('MULTI', 'UNWATCH', 'EXEC')).toBe(`+OK\r\n${QUEUED}${NIL}`);
  });

  test('not with WATCH inside MULTI, which is refused and spoils nothing', () => {
    const pair = new Pair();
    pair.ask('WATCH k');
    expect(pair.ask('MULTI', 'WATCH x', 'SET a 1', 'EXEC')).toBe(
      `+OK\r\n-ERR WATCH inside MULTI is not allowed\r\n${QUEUED}${DONE}`,
    );
  });
});

describe('a block with watched keys', () => {
  test('without commands of the store depends on them too', () => {
    const pair = new Pair();
    pair.ask('WATCH k');
    expect(pair.ask('MULTI', 'EXEC')).toBe('+OK\r\n*0\r\n');
    pair.ask('WATCH k');
    pair.meanwhile('SET k 1');
    expect(pair.ask('MULTI', 'PING', 'EXEC')).toBe(`+OK\r\n${QUEUED}${NIL}`);
  });

  test('runs the commands of the gateway in their places, or none of them', () => {
    const pair = new Pair();
    pair.ask('WATCH k');
    const block = [
      'MULTI',
      'CLIENT SETNAME me',
      'SET a 1',
      'SELECT 2',
      'ECHO x',
      'SET b 2',
      'EXEC',
    ];
    expect(pair.ask(...block, 'CLIENT GETNAME', 'GET b')).toBe(
      `+OK\r\n${QUEUED.repeat(5)}*5\r\n+OK\r\n+OK\r\n+OK\r\n$1\r\nx\r\n+OK\r\n` +
        '$2\r\nme\r\n$1\r\n2\r\n',
    );
    pair.ask('SELECT 0', 'CLIENT SETNAME old', 'WATCH k');
    pair.meanwhile('SET k 1');
    expect(pair.ask(...block, 'CLIENT GETNAME', 'GET b')).toBe(
      `+OK\r\n${QUEUED.repeat(5)}${NIL}$3\r\nold\r\n$-1\r\n`,
    );
  });

  test('answers null in RESP3', () => {
    const pair = new Pair();
    pair.ask('HELLO 3', 'WATCH k');
    pair.meanwhile('SET k 1');
    expect(pair.ask('MULTI', 'SET a 1', 'EXEC')).toBe(`+OK\r\n${QUEUED}_\r\n`);
  });

  test('is one with what comes before and behind it in a pipeline', () => {
    const pair = new Pair();
    expect(pair.ask('SET k 1', 'WATCH k', 'GET k', 'MULTI', 'INCR k', 'EXEC', 'GET k')).toBe(
      `+OK\r\n+OK\r\n$1\r\n1\r\n+OK\r\n${QUEUED}*1\r\n:2\r\n$1\r\n2\r\n`,
    );
  });

  test('has the watched keys in its footprint', () => {
    const node = new Harness();
    const client = node.client();
    node.coordinator.manual = true;
    client.send(request('WATCH watched'));
    const [question] = node.coordinator.parts;
    expect(question).toMatchObject({ readOnly: true, participants: [slotOfText('watched')] });
    node.gateway.answered({
      ...{ type: 'PartReplies', unit: question?.unit as never, part: 0, from: 0 },
      ...{ replies: Buffer.from('+=1/0\r\n'), ends: [], errors: [], answered: 1, last: true },
    });
    client.send(request('MULTI', 'SET other 1', 'EXEC'));
    expect(node.coordinator.parts[1]).toMatchObject({
      readOnly: false,
      participants: [slotOfText('watched'), slotOfText('other')],
      layout: [1, 1],
    });
  });
});

describe('WATCH', () => {
  test('that fails says why, and watches nothing', () => {
    const node = new Harness();
    node.coordinator.manual = true;
    const client = node.client();
    client.send(request('WATCH k', 'PING'));
    node.coordinator.fail(node.coordinator.parts[0], 'NOQUORUM refused, nothing was done');
    node.endTurn();
    expect(client.socket.text).toBe('-NOQUORUM refused, nothing was done\r\n+PONG\r\n');
    client.send(request('MULTI', 'EXEC'));
    node.endTurn();
    expect(client.socket.text).toBe('+OK\r\n*0\r\n');
  });

  test('asks again about a key that the same transaction may change again', () => {
    const node = new Harness();
    node.coordinator.manual = true;
    const client = node.client();
    client.send(request('WATCH k'));
    for (let tries = 0; tries < 8; tries += 1) {
      const part = node.coordinator.parts[tries];
      expect(part?.count).toBe(1);
      node.gateway.answered({
        ...{ type: 'PartReplies', unit: part?.unit as never, part: 0, from: 0 },
        ...{ replies: Buffer.from('+?\r\n'), ends: [], errors: [], answered: 1, last: true },
      });
    }
    node.endTurn();
    expect(client.socket.text).toBe('+OK\r\n');
    expect(node.coordinator.parts).toHaveLength(8);
  });

  test('is bounded by the number of keys and by their bytes', () => {
    const pair = new Pair({ watchedKeysMax: 3, multiBytesMax: 1_000 });
    const tooMany = '-ERR too many keys are watched\r\n';
    expect(pair.ask('WATCH a b c d')).toBe(tooMany);
    expect(pair.ask('WATCH a b', 'WATCH b c', 'WATCH d')).toBe(`+OK\r\n+OK\r\n${tooMany}`);
    expect(pair.ask('UNWATCH', `WATCH ${'x'.repeat(900)}`)).toBe(`+OK\r\n${tooMany}`);
    expect(pair.exec()).toBe(DONE);
  });

  test('the commands behind it are not for clients', () => {
    const pair = new Pair();
    expect(pair.ask('HOLO.VERSION k')).toContain('-ERR unknown command');
    expect(pair.ask('HOLO.UNCHANGED 0 k x')).toContain('-ERR unknown command');
  });
});
