import { describe, expect, test } from 'vitest';
import type { Part } from '../../../../transport/resp/connection/part.ts';
import { array, Harness, type HarnessClient, request } from '../harness.ts';

const ok = (count: number): string => '+OK\r\n'.repeat(count);

describe('pipelines', () => {
  test('answers local and store commands in order', () => {
    const harness = new Harness();
    const client = harness.client();
    const sent = request('PING', 'SET a 1', 'ECHO x', 'GET a', 'NOPE', 'GET', 'PING', 'INCR a');
    expect(client.ask(sent)).toBe(
      '+PONG\r\n+OK\r\n$1\r\nx\r\n$1\r\n1\r\n' +
        "-ERR unknown command 'NOPE', with args beginning with: \r\n" +
        "-ERR wrong number of arguments for 'get' command\r\n" +
        '+PONG\r\n:2\r\n',
    );
  });

  test('sends all commands of a read as one unit', () => {
    const harness = new Harness();
    harness.client().ask(request(...Array.from({ length: 500 }, (_, i) => `SET k${i} v`)));
    expect(harness.coordinator.parts.map((unit) => unit.count)).toEqual([500]);
  });

  test('keeps one unit under way, and gathers what comes meanwhile into the next', () => {
    const harness = new Harness();
    harness.coordinator.manual = true;
    const client = harness.client();
    client.send(request('SET a 1'));
    client.send(request('INCR a', 'PING'));
    client.send(request('INCR a'));
    expect(harness.coordinator.parts).toHaveLength(1);
    harness.coordinator.step();
    expect(harness.coordinator.parts).toHaveLength(2);
    expect(harness.coordinator.parts[1]?.count).toBe(2);
    harness.coordinator.step();
    harness.endTurn();
    expect(client.socket.text).toBe('+OK\r\n:2\r\n+PONG\r\n:3\r\n');
  });

  test('writes once per turn', () => {
    const harness = new Harness();
    const client = harness.client();
    client.send(request('PING', 'SET a 1', 'PING'));
    client.send(request('PING'));
    client.send(request('SET b 1'));
    expect(client.socket.writes).toEqual([]);
    harness.endTurn();
    expect(client.socket.writes).toEqual(['+PONG\r\n+OK\r\n+PONG\r\n+PONG\r\n+OK\r\n']);
  });

  test('cuts units at their limits, in order', () => {
    const harness = new Harness({ unitCommandsMax: 3, unitBytesMax: 200 });
    const client = harness.client();
    expect(client.ask(request(...Array.from({ length: 8 }, () => 'INCR n')))).toBe(
      Array.from({ length: 8 }, (_, i) => `:${i + 1}\r\n`).join(''),
    );
    expect(harness.coordinator.parts.map((unit) => unit.count)).toEqual([3, 3, 2]);
    const long = array('SET', 'k', 'v'.repeat(150));
    client.ask(long + long);
    client.ask(array('SET', 'k', 'v'.repeat(500)));
    expect(harness.coordinator.parts.slice(3).map((unit) => unit.count)).toEqual([1, 1, 1]);
  });

  test('answers all commands of a failed unit, and leaves local replies', () => {
    const harness = new Harness();
    harness.coordinator.manual = true;
    const client = harness.client();
    client.send(request('SET a 1', 'PING', 'SET b 1', 'MULTI', 'GET a', 'GET b', 'EXEC'));
    harness.coordinator.fail(harness.coordinator.parts[0], 'TIMEOUT it may have happened');
    harness.endTurn();
    expect(client.socket.text).toBe(
      '-TIMEOUT it may have happened\r\n+PONG\r\n-TIMEOUT it may have happened\r\n' +
        '+OK\r\n+QUEUED\r\n+QUEUED\r\n-TIMEOUT it may have happened\r\n',
    );
  });

  test('takes no second answer for a unit', () => {
    const harness = new Harness();
    harness.coordinator.manual = true;
    const client = harness.client();
    client.send(request('SET a 1'));
    const { coordinator } = harness;
    const [part] = coordinator.parts;
    coordinator.fail(part, 'BUSY no');
    coordinator.execute(part as Part);
    client.send(request('SET a 2'));
    coordinator.execute(part as Part);
    harness.endTurn();
    expect(client.socket.text).toBe('-BUSY no\r\n');
  });

  test('survives very many units that are answered at once', () => {
    const harness = new Harness({ unitCommandsMax: 1 });
    const client = harness.client();
    const replies = client.ask('INCR n\r\n'.repeat(20_000));
    expect(replies.endsWith(':20000\r\n')).toBe(true);
  });
});

describe('the end of a connection', () => {
  test('answers what came before QUIT, and nothing after it', () => {
    const harness = new Harness();
    harness.coordinator.manual = true;
    const client = harness.client();
    client.send(request('SET a 1', 'PING', 'QUIT', 'SET b 1', 'PING'));
    client.send(request('PING'));
    harness.endTurn();
    expect(client.socket.ended).toBe(false);
    harness.coordinator.step();
    harness.endTurn();
    expect(client.socket.text).toBe('+OK\r\n+PONG\r\n+OK\r\n');
    expect(client.socket.ended).toBe(true);
    expect(harness.coordinator.parts).toHaveLength(1);
  });

  test('answers what came before a protocol error, then the error', () => {
    const harness = new Harness();
    const client = harness.client();
    expect(client.ask(`${request('SET a 1', 'PING')}*1\r\nfoo\r\n${request('PING')}`)).toBe(
      "+OK\r\n+PONG\r\n-ERR Protocol error: expected '$', got 'f'\r\n",
    );
    expect(client.socket.ended).toBe(true);
    expect(client.ask(request('PING'))).toBe('');
    expect(harness.gateway.counters.protocolErrors).toBe(1);
  });

  test.each(['\0', '*\0', '$\0'])('ends an endless stream that begins with %j', (garbage) => {
    const harness = new Harness();
    const client = harness.client();
    let replies = client.ask(garbage);
    for (let i = 0; i < 100; i += 1) replies += client.ask('x'.repeat(10_000));
    expect(replies).toMatch(/^-ERR Protocol error: [^\r]*\r\n$/);
    for (let i = 0; i < 6; i += 1) harness.tick(1000);
    expect(client.socket.destroyed).toBe(true);
    expect(harness.gateway.size).toBe(0);
  });

  test.each(['POST / HTTP/1.1\r\n', 'Host: localhost\r\n', request('post x')])(
    'takes %j for an attack over HTTP',
    (input) => {
      const harness = new Harness();
      const client = harness.client();
      expect(client.ask(`${input}SET a 1\r\n`)).toMatch(/^-ERR Possible SECURITY ATTACK detected/);
      expect(client.socket.ended).toBe(true);
      expect(harness.coordinator.parts).toHaveLength(0);
      expect(harness.gateway.counters.securityAttacks).toBe(1);
    },
  );

  test('answers what a client has sent before it closed its side', () => {
    const harness = new Harness();
    harness.coordinator.manual = true;
    const client = harness.client();
    client.send(request('SET a 1'));
    client.send(request('GET a'));
    client.connection.onEnd();
    harness.coordinator.step();
    harness.coordinator.step();
    harness.endTurn();
    expect(client.socket.text).toBe('+OK\r\n$1\r\n1\r\n');
    expect(client.socket.ended).toBe(true);
  });

  test('lets a unit finish whose client has gone', () => {
    const harness = new Harness();
    harness.coordinator.manual = true;
    const client = harness.client();
    client.send(request('SET a 1'));
    client.connection.onClose();
    harness.coordinator.step();
    harness.endTurn();
    expect(harness.coordinator.store.get('a')).toBe('1');
    expect(client.socket.writes).toEqual([]);
    expect(harness.gateway.size).toBe(0);
  });
});

describe('MULTI', () => {
  test('sends a block as one, with its place in the pipeline', () => {
    const harness = new Harness();
    const client = harness.client();
    const sent = request('SET a 1', 'MULTI', 'INCR a', 'GET a', 'EXEC', 'GET a');
    expect(client.ask(sent)).toBe(
      '+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:2\r\n$1\r\n2\r\n$1\r\n2\r\n',
    );
    expect(harness.coordinator.parts).toHaveLength(1);
    expect(harness.coordinator.parts[0]?.layout).toEqual([1, 2, 1]);
  });

  test('works over several reads, byte by byte', () => {
    const harness = new Harness();
    const client = harness.client();
    for (const byte of request('MULTI', 'SET a 1', 'INCR a', 'EXEC')) client.send(byte);
    harness.endTurn();
    expect(client.socket.text).toBe('+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n:2\r\n');
    expect(harness.coordinator.parts.map((part) => part.layout)).toEqual([[2]]);
  });

  test('gives local commands their places in the array', () => {
    const harness = new Harness();
    const client = harness.client();
    const sent = ['MULTI', 'PING', 'SET a 1', 'ECHO x', 'PING', 'GET a', 'CLIENT GETNAME', 'EXEC'];
    expect(client.ask(request(...sent))).toBe(
      `+OK\r\n${'+QUEUED\r\n'.repeat(6)}` +
        '*6\r\n+PONG\r\n+OK\r\n$1\r\nx\r\n+PONG\r\n$1\r\n1\r\n$-1\r\n',
    );
  });

  test('needs no store for a block without its commands', () => {
    const harness = new Harness();
    const client = harness.client();
    expect(client.ask(request('MULTI', 'EXEC'))).toBe('+OK\r\n*0\r\n');
    expect(client.ask(request('MULTI', 'PING', 'EXEC'))).toBe('+OK\r\n+QUEUED\r\n*1\r\n+PONG\r\n');
    expect(harness.coordinator.parts).toHaveLength(0);
  });

  test.each([
    [['EXEC'], '-ERR EXEC without MULTI\r\n'],
    [['DISCARD'], '-ERR DISCARD without MULTI\r\n'],
    [
      ['MULTI', 'SET a 1', 'DISCARD', 'EXEC'],
      '+OK\r\n+QUEUED\r\n+OK\r\n-ERR EXEC without MULTI\r\n',
    ],
    [
      ['MULTI', 'MULTI', 'SET a 1', 'EXEC'],
      '+OK\r\n-ERR MULTI calls can not be nested\r\n+QUEUED\r\n*1\r\n+OK\r\n',
    ],
    [['MULTI', 'WATCH a', 'EXEC'], '+OK\r\n-ERR WATCH inside MULTI is not allowed\r\n*0\r\n'],
    [['WATCH', 'UNWATCH'], "-ERR wrong number of arguments for 'watch' command\r\n+OK\r\n"],
    [
      ['MULTI', 'NOPE x', 'SET a 1', 'EXEC', 'GET a'],
      "+OK\r\n-ERR unknown command 'NOPE', with args beginning with: 'x' \r\n+QUEUED\r\n" +
        '-EXECABORT Transaction discarded because of previous errors.\r\n$-1\r\n',
    ],
    [
      ['MULTI', 'SET a', 'EXEC', 'PING'],
      "+OK\r\n-ERR wrong number of arguments for 'set' command\r\n" +
        '-EXECABORT Transaction discarded because of previous errors.\r\n+PONG\r\n',
    ],
    [
      ['MULTI', 'HELLO 3', 'EXEC'],
      '+OK\r\n+QUEUED\r\n*1\r\n-ERR Command not allowed inside a transaction\r\n',
    ],
    [
      ['MULTI', 'SET a 1', 'RESET', 'EXEC'],
      '+OK\r\n+QUEUED\r\n+RESET\r\n-ERR EXEC without MULTI\r\n',
    ],
    [['MULTI', 'QUIT', 'EXEC'], '+OK\r\n+OK\r\n'],
  ])('%j', (lines, expected) => {
    const harness = new Harness();
    expect(harness.client().ask(request(...lines))).toBe(expected);
  });

  test('refuses a block that is too large', () => {
    const harness = new Harness({ multiCommandsMax: 2, multiBytesMax: 100 });
    const client = harness.client();
    const tooLarge = '-ERR MULTI block is too large\r\n';
    const abort = '-EXECABORT Transaction discarded because of previous errors.\r\n';
    expect(client.ask(request('MULTI', 'INCR a', 'PING', 'INCR a', 'EXEC'))).toBe(
      `+OK\r\n+QUEUED\r\n+QUEUED\r\n${tooLarge}${abort}`,
    );
    expect(
      client.ask(request('MULTI') + array('SET', 'a', 'v'.repeat(100)) + request('EXEC')),
    ).toBe(`+OK\r\n${tooLarge}${abort}`);
    expect(harness.coordinator.parts).toHaveLength(0);
  });

  test('refuses more keys than one unit may name, alone and in a block', () => {
    const harness = new Harness({ transactionKeysMax: 3 });
    const client = harness.client();
    const why = 'it names more than 3 keys (--transaction-keys-max)';
    const tooMany = `-TOOLARGE refused, nothing was done: ${why}\r\n`;
    const abort = '-EXECABORT Transaction discarded because of previous errors.\r\n';
    for (const line of ['MSET a 1 b 2 c 3 d 4', 'DEL a b c d', 'MGET a b c d']) {
      expect(client.ask(request(line))).toBe(tooMany);
    }
    expect(client.ask(request('MULTI', 'DEL a b', 'SET c 1', 'GET d', 'EXEC'))).toBe(
      `+OK\r\n+QUEUED\r\n+QUEUED\r\n${tooMany}${abort}`,
    );
    expect(harness.coordinator.parts).toHaveLength(0);
    client.ask(request('DEL a b c', 'MULTI', 'DEL a b', 'SET c 1', 'PING', 'EXEC'));
    expect(harness.coordinator.parts.map((unit) => unit.count)).toEqual([1, 2]);
  });

  test('ends a unit before the keys of its commands are too many', () => {
    const harness = new Harness({ transactionKeysMax: 3 });
    const client = harness.client();
    client.ask(request('DEL a b', 'GET c', 'GET d', 'DEL a b c', 'PING', 'MULTI', 'GET a', 'EXEC'));
    expect(harness.coordinator.parts.map((unit) => unit.participants.length)).toEqual([3, 1, 3, 1]);
  });

  test('sends KEYS as a unit by itself, but not out of a block', () => {
    const harness = new Harness();
    harness.client().ask(request('INCR n', 'KEYS *', 'KEYS a', 'INCR n', 'INCR n'));
    expect(harness.coordinator.parts.map((unit) => unit.count)).toEqual([1, 1, 1, 2]);
    harness.client().ask(request('MULTI', 'INCR n', 'KEYS *', 'EXEC'));
    expect(harness.coordinator.parts.at(-1)?.count).toBe(2);
  });

  test('does not split a block over units', () => {
    const harness = new Harness({ unitCommandsMax: 4 });
    const client = harness.client();
    const block = ['MULTI', ...Array.from({ length: 6 }, () => 'INCR n'), 'EXEC'];
    client.ask(request('INCR n', 'INCR n', ...block, 'INCR n'));
    expect(harness.coordinator.parts.map((unit) => unit.count)).toEqual([2, 6, 1]);
  });
});

describe('back-pressure', () => {
  test('keeps a unit that the coordinator has no room for, and stops reading', () => {
    const harness = new Harness();
    harness.coordinator.full = true;
    const [first, second] = [harness.client(), harness.client()];
    first.send(request('INCR n'));
    second.send(request('INCR n'));
    expect([first.socket.paused, second.socket.paused]).toEqual([true, true]);
    harness.gateway.retry();
    expect(harness.gateway.refusedUnits).toBe(2);
    harness.coordinator.full = false;
    harness.gateway.retry();
    harness.endTurn();
    expect([first.socket.text, second.socket.text]).toEqual([':1\r\n', ':2\r\n']);
    expect([first.socket.paused, second.socket.paused]).toEqual([false, false]);
    expect(harness.gateway.refusedUnits).toBe(0);
  });

  test('drops a refused unit with its client: nothing has happened', () => {
    const harness = new Harness();
    harness.coordinator.full = true;
    const client = harness.client();
    client.send(request('INCR n'));
    client.connection.onClose();
    harness.coordinator.full = false;
    harness.tick(100);
    expect(harness.coordinator.parts).toHaveLength(0);
    expect(harness.gateway.refusedUnits).toBe(0);
  });

  test('stops reading when too much waits behind a unit, and goes on after it', () => {
    const harness = new Harness({ pendingBytesMax: 100 });
    harness.coordinator.manual = true;
    const client = harness.client();
    client.send(request('INCR n'));
    client.send(request('INCR n', 'INCR n'));
    expect(client.socket.paused).toBe(false);
    client.send(request('INCR n', 'INCR n', 'INCR n'));
    expect(client.socket.paused).toBe(true);
    harness.coordinator.step();
    expect(client.socket.paused).toBe(false);
    harness.coordinator.step();
    harness.endTurn();
    expect(client.socket.text).toBe([1, 2, 3, 4, 5, 6].map((n) => `:${n}\r\n`).join(''));
  });

  test('stops reading and executing while the client does not read', () => {
    const harness = new Harness();
    const client = harness.client();
    client.socket.slow = true;
    client.ask(request('INCR n'));
    expect(client.socket.paused).toBe(true);
    client.send(request('INCR n'));
    expect(harness.coordinator.parts).toHaveLength(1);
    client.socket.slow = false;
    client.connection.onDrain();
    harness.endTurn();
    expect(client.socket.text).toBe(':2\r\n');
    expect(client.socket.paused).toBe(false);
  });

  test('disconnects a client whose replies exceed the output limit', () => {
    const harness = new Harness({ outputBytesMax: 1000 });
    const [greedy, other] = [harness.client(), harness.client()];
    other.ask(array('SET', 'big', 'v'.repeat(600)));
    greedy.ask(request('GET big'));
    expect(greedy.socket.destroyed).toBe(false);
    greedy.ask(request('GET big', 'GET big'));
    expect(greedy.socket.destroyed).toBe(true);
    expect(harness.gateway.counters.outputLimitDisconnects).toBe(1);
    expect(other.ask(request('PING'))).toBe('+PONG\r\n');
  });

  test('owes a client that reads no two long units at once', () => {
    const harness = new Harness({
      outputBytesMax: 1000,
      localReplyBytesMax: 100,
      unitCommandsMax: 1,
    });
    const client = harness.client();
    client.ask(array('SET', 'big', 'v'.repeat(900)));
    client.send(request('GET big', 'GET big', 'GET big'));
    for (let turn = 0; turn < 3; turn += 1) harness.endTurn();
    expect(client.socket.destroyed).toBe(false);
    expect(client.socket.text).toBe(`$900\r\n${'v'.repeat(900)}\r\n`.repeat(3));
  });

  test('counts what the socket still holds', () => {
    const harness = new Harness({ outputBytesMax: 1000 });
    const client = harness.client();
    client.socket.bufferedBytes = 990;
    client.ask(request('ECHO abc'));
    expect(client.socket.destroyed).toBe(false);
    client.ask(request('ECHO 12345678'));
    expect(client.socket.destroyed).toBe(true);
  });

  test('runs no more of a MULTI block than its client may be owed', () => {
    const harness = new Harness({ outputBytesMax: 2000 });
    const client = harness.client();
    const block = (count: number): string[] => [
      'MULTI',
      ...Array.from({ length: count }, () => 'HOLOSTATS'),
      'EXEC',
    ];
    client.ask(request(...block(50)));
    expect(client.socket.destroyed).toBe(false);
    client.ask(request(...block(150)));
    expect(client.socket.destroyed).toBe(true);
    expect(harness.statsCalls).toBeLessThan(150);
    expect(harness.gateway.counters.outputLimitDisconnects).toBe(1);
  });

  test('spreads large local replies over turns', () => {
    const harness = new Harness({ localReplyBytesMax: 1000 });
    const client = harness.client();
    const text = 'x'.repeat(300);
    client.send(array('ECHO', text).repeat(20));
    expect(client.connection.outputBytes).toBeLessThan(1700);
    harness.endTurn();
    expect(client.socket.text).toBe(`$300\r\n${text}\r\n`.repeat(20));
  });
});

describe('deadlines', () => {
  test('closes a connection whose request stays incomplete', () => {
    const harness = new Harness();
    const [half, whole] = [harness.client(), harness.client()];
    half.ask('*2\r\n$3\r\nGET\r\n$1\r\n');
    whole.ask(request('PING'));
    harness.tick(100);
    harness.tick(29_000);
    expect(half.socket.destroyed).toBe(false);
    harness.tick(1000);
    expect(half.socket.destroyed).toBe(true);
    expect(whole.socket.destroyed).toBe(false);
    expect(harness.gateway.counters.partialDisconnects).toBe(1);
  });

  test('gives each request its own time', () => {
    const harness = new Harness();
    const client = harness.client();
    for (let i = 0; i < 10; i += 1) {
      client.ask('*1\r\n$4\r\nPI');
      harness.tick(20_000);
      expect(client.ask('NG\r\n')).toBe('+PONG\r\n');
    }
    expect(client.socket.destroyed).toBe(false);
  });

  test('waits for a client that still reads its last replies, and for no other', () => {
    const harness = new Harness();
    const [reader, sleeper] = [harness.client(), harness.client()];
    for (const client of [reader, sleeper]) {
      client.socket.slow = true;
      client.ask(request('ECHO 0123456789', 'QUIT'));
      expect(client.socket.ended).toBe(true);
    }
    for (let second = 0; second < 10; second += 1) {
      reader.socket.bufferedBytes -= 1;
      harness.tick(1000);
    }
    expect([reader.socket.destroyed, sleeper.socket.destroyed]).toEqual([false, true]);
    for (let second = 0; second < 6; second += 1) harness.tick(1000);
    expect(reader.socket.destroyed).toBe(true);
  });

  test('closes idle clients only where that is asked for', () => {
    const harness = new Harness();
    const client = harness.client();
    harness.tick(1_000_000_000);
    expect(client.socket.destroyed).toBe(false);
    expect(client.ask(request('CONFIG SET timeout 60'))).toBe('+OK\r\n');
    harness.tick(1000);
    harness.tick(59_000);
    expect(client.socket.destroyed).toBe(false);
    harness.tick(1000);
    expect(client.socket.destroyed).toBe(true);
    expect(harness.gateway.counters.idleDisconnects).toBe(1);
  });
});

describe('CLIENT REPLY', () => {
  test('OFF silences all, ON ends it, SKIP silences one', () => {
    const harness = new Harness();
    const client = harness.client();
    const lines = [
      'PING',
      'CLIENT REPLY OFF',
      'PING',
      'SET a 1',
      'NOPE',
      'CLIENT REPLY ON',
      'GET a',
    ];
    expect(client.ask(request(...lines))).toBe('+PONG\r\n+OK\r\n$1\r\n1\r\n');
    expect(client.ask(request('CLIENT REPLY SKIP', 'PING', 'PING'))).toBe('+PONG\r\n');
    expect(client.ask(request('CLIENT REPLY SKIP', 'NOPE', 'PING'))).toBe('+PONG\r\n');
    const skipped = request('SET b 1', 'CLIENT REPLY SKIP', 'INCR b', 'INCR b', 'GET b');
    expect(client.ask(skipped)).toBe(`${ok(1)}:3\r\n$1\r\n3\r\n`);
  });
});

describe('HELLO in a pipeline', () => {
  test('changes only the replies behind it', () => {
    const harness = new Harness();
    harness.coordinator.manual = true;
    const client = harness.client();
    client.send(request('GET x', 'HELLO 3', 'GET x', 'HELLO 2', 'GET x'));
    while (harness.coordinator.waiting.length > 0) harness.coordinator.step();
    harness.endTurn();
    const text = client.socket.text;
    expect(text.startsWith('$-1\r\n%7\r\n')).toBe(true);
    expect(text).toContain('modules\r\n*0\r\n_\r\n*14\r\n');
    expect(text.endsWith('modules\r\n*0\r\n$-1\r\n')).toBe(true);
    expect(harness.coordinator.parts.map((unit) => unit.protocol)).toEqual([2, 3, 2]);
  });
});

describe('long replies', () => {
  /** Answers the part as the executor does: what fits the window, the rest by credit. */
  function tell(harness: Harness, from: number, to: number, text: string): void {
    const part = harness.coordinator.parts.at(-1) as Part;
    harness.gateway.answered({
      type: 'PartReplies',
      unit: part.unit,
      part: 0,
      from,
      replies: Buffer.from(text.slice(from, to)),
      ends: [],
      errors: [],
      answered: part.count,
      last: to === text.length,
    });
  }

  function waiting(): { harness: Harness; client: HarnessClient } {
    const harness = new Harness({ replyWindowBytes: 5 });
    harness.coordinator.manual = true;
    const client = harness.client();
    client.send(request('GET a'));
    return { harness, client };
  }

  const REPLY = '$6\r\nabcdef\r\n';

  test('are written as they come, and credit is given when the client has taken them', () => {
    const { harness, client } = waiting();
    expect(harness.coordinator.parts[0]?.window).toBe(5);
    tell(harness, 0, 5, REPLY);
    expect(harness.flows).toEqual([]);
    harness.endTurn();
    expect(client.socket.text).toBe('$6\r\na');
    expect(harness.flows).toMatchObject([{ type: 'ReplyCredit', part: 0, upTo: 10 }]);
    tell(harness, 5, REPLY.length, REPLY);
    harness.endTurn();
    expect(client.socket.text).toBe('bcdef\r\n');
    expect(harness.flows).toHaveLength(1);
  });

  test('wait for a client that does not read', () => {
    const { harness, client } = waiting();
    client.socket.slow = true;
    tell(harness, 0, 5, REPLY);
    harness.endTurn();
    harness.tick(1000);
    expect(harness.flows).toEqual([]);
    client.socket.slow = false;
    client.connection.onDrain();
    expect(harness.flows).toMatchObject([{ type: 'ReplyCredit', upTo: 10 }]);
  });

  test.each([
    ['its client goes', ({ client }: ReturnType<typeof waiting>) => client.connection.onClose()],
    ['the gateway ends', ({ harness }: ReturnType<typeof waiting>) => harness.gateway.close()],
  ])('are abandoned when %s', (_name, end) => {
    const world = waiting();
    tell(world.harness, 0, 5, REPLY);
    end(world);
    expect(world.harness.flows).toMatchObject([{ type: 'RepliesAbandoned', part: 0 }]);
  });

  test('are abandoned when they come after another answer, or to a client that has gone', () => {
    const { harness, client } = waiting();
    harness.coordinator.fail(harness.coordinator.parts[0], 'TIMEOUT maybe');
    tell(harness, 0, 5, REPLY);
    harness.endTurn();
    expect(client.socket.text).toBe('-TIMEOUT maybe\r\n');
    client.connection.onClose();
    tell(harness, 0, 5, REPLY);
    expect(harness.flows.map(({ type }) => type)).toEqual(Array(2).fill('RepliesAbandoned'));
  });

  test('that are lost half way close the connection', () => {
    const { harness, client } = waiting();
    tell(harness, 0, 5, REPLY);
    const { unit, part } = harness.coordinator.parts[0] as Part;
    harness.gateway.answered({ type: 'RepliesLost', unit, part });
    expect(client.socket.destroyed).toBe(true);
    expect(harness.gateway.counters.outputLimitDisconnects).toBe(1);
  });

  test('are not cut by what is pushed meanwhile', () => {
    const { harness, client } = waiting();
    tell(harness, 0, 5, REPLY);
    client.connection.push(Buffer.from('>1\r\n+p\r\n'));
    harness.endTurn();
    expect(client.socket.text).toBe('$6\r\na');
    tell(harness, 5, REPLY.length, REPLY);
    harness.endTurn();
    expect(client.socket.text).toBe('bcdef\r\n>1\r\n+p\r\n');
  });
});

describe('a push', () => {
  const PUSH = '>1\r\n+p\r\n';

  test('goes out at the end of the turn, behind the replies so far', () => {
    const harness = new Harness();
    const client = harness.client();
    client.send(request('SET a 1', 'PING'));
    client.connection.push(Buffer.from(PUSH));
    client.send(request('GET a'));
    expect(client.socket.writes).toEqual([]);
    harness.endTurn();
    expect(client.socket.writes).toEqual([`+OK\r\n+PONG\r\n${PUSH}$1\r\n1\r\n`]);
  });

  test('does not wait for the unit under way', () => {
    const harness = new Harness();
    harness.coordinator.manual = true;
    const client = harness.client();
    client.send(request('PING', 'SET a 1', 'PING'));
    client.connection.push(Buffer.from(PUSH));
    harness.endTurn();
    expect(client.socket.text).toBe(`+PONG\r\n${PUSH}`);
    harness.coordinator.step();
    harness.endTurn();
    expect(client.socket.text).toBe('+OK\r\n+PONG\r\n');
  });

  test('is no reply: CLIENT REPLY does not silence it', () => {
    const harness = new Harness();
    const client = harness.client();
    client.ask(request('CLIENT REPLY OFF'));
    client.connection.push(Buffer.from(PUSH));
    expect(client.ask(request('GET a'))).toBe(PUSH);
  });

  test('is written before the end of a connection that closes, and not after', () => {
    const harness = new Harness();
    harness.coordinator.manual = true;
    const client = harness.client();
    client.send(request('SET a 1', 'QUIT'));
    client.connection.push(Buffer.from(PUSH));
    harness.coordinator.step();
    harness.endTurn();
    expect(client.socket.text).toBe(`${PUSH}+OK\r\n+OK\r\n`);
    client.connection.push(Buffer.from(PUSH));
    harness.endTurn();
    expect(client.socket.text).toBe('');
    client.connection.onClose();
    client.connection.push(Buffer.from(PUSH));
    harness.endTurn();
    expect(client.socket.text).toBe('');
  });

  test('beyond the output limit disconnects, also while it waits for the end of a reply', () => {
    const harness = new Harness({ outputBytesMax: 100 });
    const [reader, sleeper] = [harness.client(), harness.client()];
    sleeper.socket.slow = true;
    for (let i = 0; i < 10; i += 1) {
      for (const { connection } of [reader, sleeper]) connection.push(Buffer.from(PUSH.repeat(2)));
      harness.endTurn();
    }
    expect([reader.socket.destroyed, sleeper.socket.destroyed]).toEqual([false, true]);
    expect(harness.gateway.counters.outputLimitDisconnects).toBe(1);
  });
});
