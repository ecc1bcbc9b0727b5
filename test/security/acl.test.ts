/** Users and permissions at the Redis port, attacked. */
import { describe, expect, test } from 'vitest';
import { AccessControl } from '../../transport/access/access-control.ts';
import { FailureBackoff } from '../../transport/access/failure-backoff.ts';
import { hashOf } from '../../transport/access/passwords.ts';
import { LOOK_AGAIN_MS } from '../../transport/resp/waiting/waiters.ts';
import { resp } from '../storage/harness.ts';
import { array, FakeSocket, Harness, request } from '../transport/resp/harness.ts';
import { StoreCoordinator } from '../transport/resp/store-coordinator.ts';
import { aclNode } from './acl-harness.ts';

const NOAUTH = '-NOAUTH Authentication required.\r\n';
const WRONGPASS = '-WRONGPASS invalid username-password pair or user is disabled.\r\n';
const KEY_DENIED = '-NOPERM No permissions to access a key\r\n';
const CHANNEL_DENIED = '-NOPERM No permissions to access a channel\r\n';
const denied = (user: string, command: string): string =>
  `-NOPERM User ${user} has no permissions to run the '${command}' command\r\n`;

describe('before a login', () => {
  test('nothing runs but what a login needs', () => {
    const { client } = aclNode(hashOf('secret'));
    const stranger = client();
    for (const line of ['GET a', 'SET a 1', 'PING', 'INFO', 'MULTI', 'CONFIG GET *', 'ACL LIST']) {
      expect(stranger.ask(request(line)), line).toBe(NOAUTH);
    }
    expect(stranger.ask(request('SUBSCRIBE news', 'CLUSTER SLOTS', 'HOLOSTATS'))).toBe(
      NOAUTH.repeat(3),
    );
    expect(stranger.ask(request('HELLO 3'))).toContain('-NOAUTH HELLO must be called with the');
    expect(stranger.ask(request('AUTH wrong'))).toBe(WRONGPASS);
    expect(stranger.ask(request('AUTH nobody secret'))).toBe(WRONGPASS);
    expect(stranger.ask(request('AUTH secret', 'PING'))).toBe('+OK\r\n+PONG\r\n');
    expect(client().ask(request('HELLO 3 AUTH default secret SETNAME me'))).toContain('%7');
    expect(client().ask(request('AUTH default secret', 'RESET', 'PING'))).toBe(
      `+OK\r\n+RESET\r\n${NOAUTH}`,
    );
    expect(client().ask(request('QUIT'))).toBe('+OK\r\n');
  });

  test('a request has at most 10 arguments of 16 KiB', () => {
    const { client } = aclNode(hashOf('secret'));
    const long = array('AUTH', 'x'.repeat(16 * 1024 + 1));
    expect(client().ask(long)).toBe('-ERR Protocol error: unauthenticated bulk length\r\n');
    const many = array(...Array<string>(11).fill('AUTH'));
    expect(client().ask(many)).toBe('-ERR Protocol error: unauthenticated multibulk length\r\n');
    // As soon as the lengths are known: nothing is kept.
    expect(client().ask('*1000000\r\n')).toContain('unauthenticated multibulk length');
    expect(client().ask('*2\r\n$4\r\nAUTH\r\n$900000\r\n')).toContain('unauthenticated bulk');
    const user = client();
    const value = array('SET', 'a', 'x'.repeat(20_000));
    expect(user.ask(request('AUTH secret') + value)).toBe('+OK\r\n+OK\r\n');
    expect(user.ask(array('MSET', ...Array<string>(12).fill('k')))).toBe('+OK\r\n');
    expect(user.ask(request('RESET') + value)).toContain('unauthenticated bulk length');
  });

  test('HTTP is told from Redis as before', () => {
    const { client } = aclNode(hashOf('secret'));
    expect(client().ask('POST / HTTP/1.1\r\n')).toContain('SECURITY ATTACK');
  });
});

describe('passwords', () => {
  test('any of them, no longer than they are there; as hashes alone', () => {
    const { client, setUser, as, harness } = aclNode();
    setUser('ann', '+@all', '~*', '>two');
    expect(client().ask(request('AUTH ann two'))).toBe('+OK\r\n');
    expect(client().ask(request('AUTH ann ann'))).toBe('+OK\r\n');
    setUser('ann', '<two');
    expect(client().ask(request('AUTH ann two'))).toBe(WRONGPASS);
    setUser('ann', 'off');
    expect(client().ask(request('AUTH ann ann'))).toBe(WRONGPASS);
    setUser('ann', 'on', 'resetpass', `#${hashOf('three')}`);
    expect(client().ask(request('AUTH ann three'))).toBe('+OK\r\n');
    expect(client().ask(request('ACL LIST', 'ACL GETUSER ann'))).not.toMatch(/three/);
    setUser('bob');
    expect(as('bob').ask(request('ACL WHOAMI'))).toContain(denied('bob', 'acl|whoami'));
    // Passwords are in no list that others see.
    expect(client().ask(request('CONFIG SET slowlog-log-slower-than 0'))).toBe('+OK\r\n');
    client().ask(request('AUTH ann three', 'AUTH ann wrong-one'));
    client().ask(request('ACL SETUSER carl >hidden', 'CONFIG SET requirepass hidden'));
    const words = harness.gateway.insight.slowLog.newest(50).flatMap(({ words: all }) => all);
    expect(words.join(' ')).not.toMatch(/three|wrong-one|hidden/);
  });

  test('a user without a password takes any; one that is off none', () => {
    const { client, harness } = aclNode();
    const admin = client();
    expect(admin.ask(request('ACL SETUSER guest on nopass +ping'))).toBe('+OK\r\n');
    expect(client().ask(request('AUTH guest whatever', 'PING'))).toBe('+OK\r\n+PONG\r\n');
    expect(client().ask(request('AUTH pass'))).toContain('-ERR AUTH <password> called without');
    expect(admin.ask(request('CONFIG SET requirepass secret'))).toBe('+OK\r\n');
    expect(client().ask(request('PING'))).toBe(NOAUTH);
    // Connections that were in before stay in, as in Redis.
    expect(admin.ask(request('PING'))).toBe('+PONG\r\n');
    expect(admin.ask(request('CONFIG GET requirepass'))).not.toContain('secret');
    // Now nobody from elsewhere needs to be refused.
    const socket = new FakeSocket(1, '10.0.0.7');
    expect(harness.gateway.attach(socket)).toBeDefined();
    expect(admin.ask(request('CONFIG SET requirepass x hz 10'))).toContain('is set alone');
  });

  test('failures make their address wait, and only the answer to failures', () => {
    const { client, harness } = aclNode(hashOf('secret'));
    const guess = client();
    for (let count = 0; count < 3; count += 1) {
      expect(guess.ask(request('AUTH guess'))).toBe(WRONGPASS);
    }
    expect(guess.ask(request('AUTH guess', 'AUTH secret', 'PING'))).toBe('');
    harness.tick(100);
    expect(guess.socket.text).toBe('');
    // Another connection of the address knows the password, and need not wait.
    expect(client().ask(request('AUTH secret'))).toBe('+OK\r\n');
    harness.tick(150);
    expect(guess.socket.text).toBe(`${WRONGPASS}+OK\r\n+PONG\r\n`);
  });

  test('the wait grows to its maximum, is forgotten, and has a bounded table', () => {
    const backoff = new FailureBackoff();
    const waits = Array.from({ length: 12 }, () => backoff.failed('a', 0));
    expect(waits.slice(0, 5)).toEqual([0, 0, 0, 200, 400]);
    expect(waits.at(-1)).toBe(5_000);
    expect(backoff.failed('b', 0)).toBe(0);
    expect(backoff.failed('a', 60_001)).toBe(0);
    for (let count = 0; count < 4; count += 1) backoff.failed('old', 70_000);
    for (let count = 0; count < 4_096; count += 1) backoff.failed(`${count}`, 70_000);
    expect(backoff.failed('old', 70_000)).toBe(0);
  });
});

describe('permissions', () => {
  test('of commands, with their subcommands, categories and first arguments', () => {
    const { as, setUser } = aclNode();
    setUser('ann', '~*', '+@read', '-mget', '+config|get', '+select|1', '+acl|whoami');
    const ann = as('ann');
    expect(ann.ask(request('GET a', 'MGET a', 'SET a 1'))).toBe(
      `$-1\r\n${denied('ann', 'mget')}${denied('ann', 'set')}`,
    );
    expect(ann.ask(request('CONFIG SET hz 10'))).toBe(denied('ann', 'config|set'));
    expect(ann.ask(request('CONFIG GET hz'))).toContain('hz');
    expect(ann.ask(request('SELECT 2', 'SELECT 1', 'ACL WHOAMI'))).toBe(
      `${denied('ann', 'select')}+OK\r\n$3\r\nann\r\n`,
    );
    // Renamed in any way, it is the same command.
    expect(ann.ask(request('sEt a 1'))).toBe(denied('ann', 'set'));
    expect(ann.ask('SET a 1\r\n')).toBe(denied('ann', 'set'));
  });

  test('of keys, read and written apart, in every place of the arguments', () => {
    const { as, setUser, client } = aclNode();
    client().ask(request('MSET r:1 v mine:1 v other v'));
    setUser('ann', '+@all', '%R~r:*', '%W~w:*', '~mine:*');
    const ann = as('ann');
    for (const line of [
      ...['GET other', 'SET r:1 x', 'GET w:1', 'SET w:1 x GET', 'APPEND r:1 x', 'MGET r:1 other'],
      ...['MSET mine:1 x other x', 'RENAME mine:1 other', 'RENAME r:1 w:1', 'COPY other mine:1'],
      ...['COPY mine:1 r:2', 'DEL r:1', 'GETDEL w:1', 'SINTERSTORE r:1 mine:1', 'SMOVE r:1 w:1 x'],
      ...['SUNIONSTORE mine:1 other', 'ZUNIONSTORE mine:1 2 r:1 other', 'LMPOP 1 other LEFT'],
      ...['OBJECT ENCODING other', 'EXISTS other', 'WATCH other', 'MEMORY USAGE other'],
      ...['SORT mine:1 STORE r:2', 'SORT other', 'EXPIRE r:1 5', 'SET other 1', 'TYPE other'],
    ]) {
      expect(ann.ask(request(line)), line).toBe(KEY_DENIED);
    }
    for (const line of [
      'GET r:1',
      'SET w:1 x',
      'RENAME mine:1 w:2',
      'COPY r:1 w:3',
      'EXISTS w:1',
    ]) {
      expect(ann.ask(request(line)), line).not.toContain('NOPERM');
    }
    expect(client().ask(request('GET other'))).toBe('$1\r\nv\r\n');
  });

  test('of scripts: ACL LOG tells what was denied, and not what was only asked', () => {
    const { as, client, setUser } = aclNode();
    setUser('ann', '+@all', '-set', '~app:*', 'resetchannels');
    const ann = as('ann');
    const run = (code: string): string => ann.ask(resp(['EVAL', code, '0']));
    run("redis.acl_check_cmd('get', 'asked')");
    expect(client().ask(request('ACL LOG'))).toBe('*0\r\n');
    run("for i = 1, 3 do redis.pcall('get', 'other') end");
    run("redis.pcall('publish', 'news', 'x') return redis.call('set', 'app:a', 'x')");
    const log = client().ask(request('ACL LOG'));
    const entry = (count: number, reason: string, object: string): string =>
      ['count', `:${count}`, 'reason', reason, 'context', 'lua', 'object', object].join(' ');
    const plain = log.replace(/\$\d+\r\n/g, '').replaceAll('\r\n', ' ');
    for (const [count, reason, object] of [
      [3, 'key', 'other'],
      [1, 'channel', 'news'],
      [1, 'command', 'set'],
    ] as const) {
      expect(plain).toContain(`${entry(count, reason, object)} username ann`);
    }
    expect(log.startsWith('*3\r\n')).toBe(true);
  });

  test('of scripts and functions: each command, key and channel is judged as it is called', () => {
    const { as, client, setUser } = aclNode();
    const library =
      "#!lua name=lib\nredis.register_function('f', function(k) return redis.call('get', k[1]) end)";
    client().ask(resp(['FUNCTION', 'LOAD', library]));
    setUser(
      'ann',
      '+@all',
      '-set',
      '~app:*',
      '%R~read:*',
      'resetchannels',
      '&news',
      '(+set ~set:*)',
    );
    const ann = as('ann');
    const run = (code: string): string => ann.ask(resp(['EVAL', code, '0']));
    const failure = (why: string): string =>
      expect.stringContaining(`ERR ACL failure in script: ${why}`) as string;
    const [noKey, noChannel] = ['key', 'channel'].map((what) =>
      failure(`No permissions to access a ${what}`),
    );
    const noSet = failure("User ann has no permissions to run the 'set' command");
    expect(run("return redis.call('set', 'set:a', 'x')")).toBe('+OK\r\n');
    expect(run("return redis.call('append', 'app:a', 'x')")).toBe(':1\r\n');
    expect(run("return redis.call('set', 'app:a', 'x')")).toEqual(noKey);
    expect(run("return redis.pcall('append', 'other', 'x')")).toEqual(noKey);
    expect(run("return redis.call('append', 'read:a', 'x')")).toEqual(noKey);
    expect(run("return redis.call('get', 'read:a')")).toBe('$-1\r\n');
    expect(run("return redis.call('publish', 'news', 'x')")).toBe(':0\r\n');
    expect(run("return redis.call('publish', 'other', 'x')")).toEqual(noChannel);
    expect(run("return redis.acl_check_cmd('get', 'other')")).toBe('$-1\r\n');
    expect(run("return redis.acl_check_cmd('get', 'app:b')")).toBe(':1\r\n');
    expect(run("return redis.call('sort', 'app:l', 'by', 'w_*')")).toContain(
      '-ERR BY option of SORT',
    );
    expect(ann.ask(resp(['FCALL', 'f', '1', 'app:a']))).toBe('$1\r\nx\r\n');
    expect(ann.ask(resp(['FCALL', 'f', '1', 'other']))).toBe(KEY_DENIED);
    setUser('bob', '+@all', '-@write', '-select', '~*', '&*');
    expect(as('bob').ask(resp(['EVAL', "return redis.call('set', 'a', 'x')", '0']))).not.toEqual(
      noSet,
    );
    expect(as('bob').ask(resp(['EVAL', "return redis.call('set', 'a', 'x')", '0']))).toContain(
      'ACL failure',
    );
    expect(as('bob').ask(resp(['EVAL', "return redis.call('select', '1')", '0']))).toContain(
      'ACL failure',
    );
    expect(as('bob').ask(resp(['EVAL', "return redis.call('ping')", '0']))).toBe('+PONG\r\n');
  });

  test('of keys that only a run finds: SORT with BY and GET', () => {
    const { as, setUser } = aclNode();
    setUser('ann', '+@all', '~list', '~w_*');
    const ann = as('ann');
    const option = (word: string): string =>
      `-ERR ${word} option of SORT denied due to insufficient ACL permissions\r\n`;
    expect(ann.ask(request('SORT list BY w_*'))).toBe(option('BY'));
    expect(ann.ask(request('SORT list GET secret_*'))).toBe(option('GET'));
    expect(ann.ask(request('SORT_RO list LIMIT 0 1 GET secret_*'))).toBe(option('GET'));
    expect(ann.ask(request('MULTI', 'SORT list BY w_*', 'EXEC'))).toContain('-EXECABORT');
    expect(ann.ask(request('SORT list BY nosort', 'SORT list'))).toBe('*0\r\n*0\r\n');
    setUser('bob', '+@all', '%R~*', '~list');
    expect(as('bob').ask(request('SORT list BY w_*'))).toBe('*0\r\n');
    setUser('carl', '+@all', '~list', '(%R~*', '+sort)');
    expect(as('carl').ask(request('SORT list BY w_*'))).toBe('*0\r\n');
  });

  test('of channels: names, patterns and messages', () => {
    const { as, setUser } = aclNode();
    setUser('ann', '+@all', '~*', 'resetchannels', '&news:*');
    const ann = as('ann');
    for (const line of [
      ...['SUBSCRIBE other', 'SUBSCRIBE news:1 other', 'PSUBSCRIBE *', 'PSUBSCRIBE news:1*'],
      ...['PUBLISH other x', 'SPUBLISH other x', 'SSUBSCRIBE other'],
    ]) {
      expect(ann.ask(request(line)), line).toBe(CHANNEL_DENIED);
    }
    expect(ann.ask(request('PUBLISH news:1 x'))).toBe(':0\r\n');
    expect(ann.ask(request('PSUBSCRIBE news:*'))).toContain('psubscribe');
  });

  test('of one selector, never of two together', () => {
    const { as, setUser } = aclNode();
    setUser('ann', '+get', '~a*', '(+set', '~b*)', '(+@all', '~c*', '&*)');
    const ann = as('ann');
    expect(ann.ask(request('GET a1', 'SET b1 x', 'INCR c1'))).toBe('$-1\r\n+OK\r\n:1\r\n');
    expect(ann.ask(request('SET a1 x', 'GET b1', 'MGET a1 c1'))).toBe(KEY_DENIED.repeat(3));
    expect(ann.ask(request('PUBLISH x y'))).toBe(':0\r\n');
  });

  test('hold for blocks: queued, and at EXEC', () => {
    const { as, setUser, client } = aclNode();
    setUser('ann', '+@all', '~a*');
    const ann = as('ann');
    expect(ann.ask(request('MULTI', 'SET a 1', 'SET b 1', 'EXEC'))).toBe(
      `+OK\r\n+QUEUED\r\n${KEY_DENIED}-EXECABORT Transaction discarded because of previous errors.\r\n`,
    );
    expect(client().ask(request('EXISTS a b'))).toBe(':0\r\n');
    // The permissions change between the two.
    expect(ann.ask(request('MULTI', 'SET a 1'))).toBe('+OK\r\n+QUEUED\r\n');
    setUser('ann', 'resetkeys', '~b*');
    expect(ann.ask(request('EXEC'))).toBe(
      '-EXECABORT Transaction discarded because the permissions of its user changed.\r\n',
    );
    expect(ann.ask(request('MULTI', 'SET b 1', 'EXEC'))).toBe('+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n');
    expect(client().ask(request('EXISTS a b'))).toBe(':1\r\n');
    // Another user logs in inside of the block.
    setUser('bob', '+@all', '~*');
    const both = as('bob');
    expect(both.ask(request('MULTI', 'SET z 1', 'AUTH ann ann', 'SET z 2', 'EXEC'))).toContain(
      '+OK',
    );
    expect(both.ask(request('SET z 3'))).toBe(KEY_DENIED);
  });

  test('are judged before a command is coordinated: replicas know of no users', () => {
    const { as, setUser, client, store, harness } = aclNode();
    // Another replica, which knows neither this user nor that it has lost its rights.
    const other = new StoreCoordinator();
    const rows = request('MSET a1 x w_1 2 w_2 1', 'RPUSH a2 1 2');
    const replica = new Harness({}, other).client();
    expect(client().ask(rows)).toBe(replica.ask(rows));
    setUser('ann', '+@all', '~a*', '%R~*');
    const ann = as('ann');
    store.isHeld = true;
    ann.send(request('MULTI', 'SET a1 y', 'SORT a2 BY w_* GET w_* STORE a3', 'EXEC'));
    harness.endTurn();
    const [part] = store.held;
    store.isHeld = false;
    setUser('ann', '-@all', 'resetkeys');
    if (part === undefined) throw new Error('nothing is under way');
    other.submit(part);
    store.step();
    harness.endTurn();
    expect(ann.socket.text).toMatch(/\*2\r\n\+OK\r\n:2\r\n$/);
    const look = request('MGET a1 w_1', 'LRANGE a3 0 -1');
    expect(client().ask(look)).toBe(`${array('y', '2')}${array('1', '2')}`);
    expect(replica.ask(look)).toBe(client().ask(look));
    expect(ann.ask(request('GET a1'))).toBe(denied('ann', 'get'));
  });

  test('hold for a command that waits: judged again, as new, when there is something', () => {
    const { as, setUser, client, harness } = aclNode();
    setUser('ann', '+@all', '~a*');
    setUser('bob', '+@all', '~a*');
    const [ann, bob] = [as('ann'), as('bob')];
    expect([ann.ask(request('BLPOP a 0')), bob.ask(request('BLPOP a 0'))]).toEqual(['', '']);
    setUser('ann', 'resetkeys', '~b*');
    expect(client().ask(request('RPUSH a 1'))).toBe(':1\r\n');
    harness.tick(LOOK_AGAIN_MS);
    harness.tick(LOOK_AGAIN_MS);
    expect(ann.socket.text).toBe(KEY_DENIED);
    expect(bob.socket.text).toBe('*2\r\n$1\r\na\r\n$1\r\n1\r\n');
    expect(ann.ask(request('GET b'))).toBe('$-1\r\n');
    // Nor without a lease.
    expect(bob.ask(request('BLPOP a 0'))).toBe('');
    harness.hasLease = false;
    expect(client().ask(request('RPUSH a 2'))).toBe(':1\r\n');
    harness.endTurn();
    expect(bob.socket.text).toContain('-NOQUORUM refused');
    expect(client().ask(request('LRANGE a 0 -1'))).toBe('*1\r\n$1\r\n2\r\n');
  });

  test('are the newest ones for every connection, and a removed user is gone', () => {
    const { as, setUser, client, harness } = aclNode();
    setUser('ann', '+@all', '~*', '&*');
    const [ann, waiting, listening] = [as('ann'), as('ann'), as('ann')];
    expect(listening.ask(request('SUBSCRIBE news'))).toContain('subscribe');
    expect(ann.ask(request('SET a 1'))).toBe('+OK\r\n');
    setUser('ann', '-set', 'resetchannels');
    expect(ann.ask(request('SET a 1'))).toBe(denied('ann', 'set'));
    harness.tick(100);
    expect(listening.socket.destroyed).toBe(true);
    expect(client().ask(request('ACL DELUSER ann nobody'))).toBe(':1\r\n');
    harness.tick(100);
    expect([ann.socket.destroyed, waiting.socket.destroyed]).toEqual([true, true]);
    expect(client().ask(request('AUTH ann ann'))).toBe(WRONGPASS);
    expect(client().ask(request('ACL DELUSER default'))).toContain("'default' user cannot be");
  });

  test('of clients that wait: the keys are judged again when their user changes', () => {
    const { as, setUser, client, harness, store } = aclNode();
    setUser('ann', '+@all', '~*', '&*');
    const [lost, kept, moved, woken] = [as('ann'), as('ann'), as('ann'), as('ann')];
    lost.ask(request('BLPOP b 0'));
    kept.ask(request('BLPOP a 0'));
    moved.ask(request('BLMOVE a b LEFT LEFT 0'));
    setUser('ann', 'resetkeys', '~a');
    harness.tick(100);
    const answers = [lost, kept, moved].map(({ socket }) => socket.text);
    expect(answers).toEqual([KEY_DENIED, '', KEY_DENIED]);
    expect(client().ask(request('RPUSH a 1', 'RPUSH b 2'))).toBe(':1\r\n:1\r\n');
    expect(kept.socket.text).toBe('*2\r\n$1\r\na\r\n$1\r\n1\r\n');
    // Not even what comes before the node looks at its clients.
    woken.ask(request('BLPOP a 0'));
    store.isHeld = true;
    client().send(request('RPUSH a 3'));
    store.isHeld = false;
    setUser('ann', 'resetkeys', '~c');
    store.step();
    harness.endTurn();
    expect(woken.socket.text).toBe(KEY_DENIED);
    expect(client().ask(request('LRANGE a 0 -1', 'INFO clients'))).toMatch(
      /^\*1\r\n\$1\r\n3\r\n[\s\S]*blocked_clients:0\r/,
    );
  });

  test('of ordinary users reach neither users, nor keys of others by what tells of them', () => {
    const { as, setUser } = aclNode();
    setUser('ann', '+@all', '-@admin', '-@dangerous', '~a*', '&*');
    const ann = as('ann');
    for (const line of [
      ...[
        'ACL SETUSER ann +@all',
        'ACL LIST',
        'ACL GETUSER ann',
        'ACL LOG',
        'ACL SAVE',
        'ACL LOAD',
      ],
      ...['CONFIG SET maxmemory 0', 'CONFIG GET *', 'CONFIG SET requirepass x', 'CLIENT KILL ID 1'],
      ...['CLIENT LIST', 'FLUSHALL', 'FLUSHDB', 'SWAPDB 0 1', 'KEYS *', 'SLOWLOG GET', 'INFO'],
      ...['HOLOHOTKEYS', 'HOLOSTATS', 'HOLOMETRICS', 'DEBUG SLEEP 1', 'ROLE', 'LATENCY LATEST'],
      ...['CLUSTER MEET a 1', 'CLUSTER RESET', 'SORT a'],
    ]) {
      expect(ann.ask(request(line)), line).toMatch(/^-NOPERM User ann has no permissions to run/);
    }
    // Commands of this node's own are none that a client may send.
    for (const line of ['HOLO.USERS version 0 user:ann x', 'HOLO.SETTING version a b']) {
      expect(ann.ask(request(line)), line).toMatch(/^-ERR unknown command/);
    }
    expect(ann.ask(request('SET a 1'))).toBe('+OK\r\n');
  });
});

test('the first users of the table are not served without a lease', () => {
  const table = new Map([['user:alice', 'on nopass ~* &* +@all']]);
  const options = { commands: [], passwordHash: '', table: () => table, hasLease: () => false };
  const access = new AccessControl(options);
  const standard = access.users.defaultUser;
  expect(access.refresh()).toBe(true);
  const alice = access.users.find('alice');
  expect(alice && access.leaseRefusal(alice)).toContain('NOQUORUM');
  expect(access.leaseRefusal(standard)).toBeUndefined();
});

describe('ACL', () => {
  test('shows users as Redis 7.2 does', () => {
    const { client, setUser } = aclNode();
    const admin = client();
    setUser('ann', '+@all', '-@dangerous', '+get', '-get', '~x', '%R~y', '&c', '(+set', '~z)');
    const hash = hashOf('ann');
    const rules = `on #${hash} ~x %R~y resetchannels &c +@all -@dangerous -get (~z resetchannels -@all +set)`;
    expect(admin.ask(request('ACL LIST'))).toBe(
      array(`user ann ${rules}`, 'user default on nopass ~* &* +@all'),
    );
    expect(admin.ask(request('ACL USERS'))).toBe(array('ann', 'default'));
    expect(admin.ask(request('ACL GETUSER ann'))).toContain('+@all -@dangerous -get');
    expect(admin.ask(request('ACL GETUSER nobody'))).toBe('$-1\r\n');
    expect(admin.ask(request('ACL WHOAMI'))).toBe('$7\r\ndefault\r\n');
    expect(admin.ask(request('CLIENT LIST'))).toContain('user=default');
    expect(admin.ask(request('ACL GENPASS 5'))).toMatch(/^\$2\r\n[0-9a-f]{2}\r\n$/);
    expect(admin.ask(request('ACL GENPASS'))).toMatch(/^\$64\r\n[0-9a-f]{64}\r\n$/);
    expect(admin.ask(request('ACL GENPASS 0'))).toContain('-ERR ACL GENPASS argument must be');
    expect(admin.ask(request('ACL CAT nope'))).toContain("-ERR Unknown category 'nope'");
  });

  test('DRYRUN tells what would be denied, with the key', () => {
    const { client, setUser } = aclNode();
    setUser('ann', '+get', '~a');
    const admin = client();
    const ask = (line: string): string => admin.ask(request(`ACL DRYRUN ${line}`));
    expect(ask('ann GET a')).toBe('+OK\r\n');
    expect(ask('ann GET b')).toContain("User ann has no permissions to access the 'b' key");
    expect(ask('ann SET a 1')).toContain("User ann has no permissions to run the 'set' command");
    expect(ask('nobody GET a')).toBe("-ERR User 'nobody' not found\r\n");
    expect(ask('ann NOPE')).toBe("-ERR Command 'NOPE' not found\r\n");
    expect(ask('ann GET')).toContain("-ERR wrong number of arguments for 'get' command");
  });

  test('LOG keeps denials of a kind in one entry, and has a maximum', () => {
    const { client, as, setUser } = aclNode();
    setUser('ann', '+get', '~a');
    const [admin, ann] = [client(), as('ann')];
    ann.ask(request('GET b', 'GET b', 'SET a 1', 'MULTI'));
    client().ask(request('AUTH ann wrong'));
    const log = admin.ask(request('ACL LOG'));
    expect(log).toMatch(/^\*4\r\n/);
    expect(log).toMatch(/count\r\n:2\r\n\$6\r\nreason\r\n\$3\r\nkey[\s\S]*object\r\n\$1\r\nb/);
    expect(log).toMatch(/reason\r\n\$4\r\nauth[\s\S]*username\r\n\$3\r\nann/);
    expect(log).not.toContain('wrong');
    expect(admin.ask(request('ACL LOG 1'))).toMatch(/^\*1\r\n/);
    expect(admin.ask(request('CONFIG SET acllog-max-len 2'))).toBe('+OK\r\n');
    ann.ask(request('GET c', 'GET d', 'GET e'));
    expect(admin.ask(request('ACL LOG 100'))).toMatch(/^\*2\r\n/);
    expect(admin.ask(request('ACL LOG RESET', 'ACL LOG'))).toBe('+OK\r\n*0\r\n');
  });

  test('SAVE and LOAD: a file as one change, all or nothing', () => {
    const { client, setUser, harness, as } = aclNode();
    setUser('ann', '+get', '~a');
    setUser('bob', '+@all', '~*');
    const [admin, bob] = [client(), as('bob')];
    expect(admin.ask(request('ACL SAVE'))).toBe('+OK\r\n');
    const { aclFile } = harness;
    expect(aclFile.text).toContain(`user ann on #${hashOf('ann')} ~a resetchannels -@all +get\n`);
    const before = admin.ask(request('ACL LIST'));
    for (const [text, reason] of [
      ['user ann +nope\n', 'line 1: Error in ACL SETUSER modifier'],
      ['user ann +get\nuser ann +set\n', "line 2: Duplicate user 'ann'"],
      ['ann +get\n', "line 1: should start with 'user NAME'"],
      ['user ann (+get\n', 'line 1: Unmatched parenthesis'],
    ] as const) {
      aclFile.text = text;
      expect(admin.ask(request('ACL LOAD'))).toContain(reason);
      expect(admin.ask(request('ACL LIST'))).toBe(before);
    }
    aclFile.text = '# ours\n\nuser ann on nopass +set ~b\nuser default on nopass ~* &* +@all\n';
    expect(admin.ask(request('ACL LOAD'))).toBe('+OK\r\n');
    expect(admin.ask(request('ACL USERS'))).toBe(array('ann', 'default'));
    harness.tick(100);
    expect(bob.socket.destroyed).toBe(true);
  });

  test.each([
    ['+foo', "modifier '+foo': Unknown command or category name in ACL"],
    ['+@foo', "modifier '+@foo': Unknown command or category name in ACL"],
    ['+config|nope', "modifier '+config|nope': Unknown command"],
    ['-select|0', "modifier '-select|0': Unknown command"],
    ['%Q~a', "modifier '%Q~a': Syntax error"],
    ['what', "modifier 'what': Syntax error"],
    ['~* ~a', "modifier '~a': Adding a pattern after the * pattern (or the 'allkeys' flag)"],
    ['&* &a', "modifier '&a': Adding a pattern after the * pattern (or the 'allchannels' flag)"],
    ['<nope', "modifier '<nope': The password you are trying to remove from the user does not"],
    ['#abc', "modifier '#abc': The password hash must be exactly 64 characters"],
    ['(+get', "Unmatched parenthesis in acl selector starting at '(+get'"],
  ])('SETUSER ann %s is refused, and changes nothing', (rules, reason) => {
    const { client, store } = aclNode();
    const admin = client();
    expect(admin.ask(request(`ACL SETUSER ann +get ${rules}`))).toContain(reason);
    expect(admin.ask(request('ACL USERS'))).toBe(array('default'));
    expect(store.table.settings.version).toBe(0);
  });

  test('a change that another one has overtaken is refused', () => {
    const { client, harness, store } = aclNode();
    const admin = client();
    harness.clusterVersion = () => store.table.settings.version - 1;
    expect(admin.ask(request('ACL SETUSER ann +get'))).toContain('-TRYAGAIN refused, nothing was');
    expect(store.table.settings.values.size).toBe(0);
  });

  test('a node without a lease serves no user of the table, and others as ever', () => {
    const { harness, as, setUser, client } = aclNode();
    setUser('ann', '+@all', '~*', '&*');
    const ann = as('ann');
    harness.hasLease = false;
    expect(ann.ask(request('GET a', 'INFO', 'PUBLISH a b'))).toMatch(
      /^(-NOQUORUM refused, .*\r\n){3}$/,
    );
    expect(ann.ask(request('MULTI'))).toContain('-NOQUORUM');
    expect(client().ask(request('PING'))).toBe('+PONG\r\n');
    harness.hasLease = true;
    expect(ann.ask(request('GET a'))).toBe('$-1\r\n');
  });

  test('changes are not for blocks', () => {
    const { client } = aclNode();
    expect(client().ask(request('MULTI', 'ACL SETUSER ann on', 'EXEC'))).toContain(
      '-ERR Command not allowed inside a transaction',
    );
  });
});
