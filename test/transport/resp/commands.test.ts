import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../../../storage/commands/command-table.ts';
import { redisSlotOf, slotOfText } from '../../../storage/keyspace/slots.ts';
import { diagnosis } from '../../../transport/resp/commands/memory-command.ts';
import type { ClusterNode, MemoryUse } from '../../../transport/resp/gateway-services.ts';
import { LOCAL_COMMANDS } from '../../../transport/resp/local-commands.ts';
import { array, Harness, MEMORY, request } from './harness.ts';
import { StoreCoordinator } from './store-coordinator.ts';

const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`;
const bulks = (...texts: readonly string[]): string =>
  `*${texts.length}\r\n${texts.map(bulk).join('')}`;
const arity = (name: string): string => `-ERR wrong number of arguments for '${name}' command\r\n`;
const SYNTAX = '-ERR syntax error\r\n';
const NOT_AN_INTEGER = '-ERR value is not an integer or out of range\r\n';
const NO_CLUSTER = '-ERR This instance has cluster support disabled\r\n';
const WRONG_PASS = '-WRONGPASS invalid username-password pair or user is disabled.\r\n';

describe('replies that Redis 7 gives too', () => {
  test.each<[string, string]>([
    ['PING', '+PONG\r\n'],
    ['ping hello', bulk('hello')],
    ['PING a b', arity('ping')],
    ['ECHO', arity('echo')],
    ['SELECT 0', '+OK\r\n'],
    ['SELECT 15', '+OK\r\n'],
    ['SELECT 16', '-ERR DB index is out of range\r\n'],
    ['SELECT -1', '-ERR DB index is out of range\r\n'],
    [
      'SELECT 99999999999',
      '-ERR value is out of range, value must between -2147483648 and 2147483647\r\n',
    ],
    ['SELECT abc', NOT_AN_INTEGER],
    [
      'AUTH x',
      '-ERR AUTH <password> called without any password configured for the default user. ' +
        'Are you sure your configuration is correct?\r\n',
    ],
    ['AUTH a b', WRONG_PASS],
    ['AUTH default b', '+OK\r\n'],
    ['AUTH', arity('auth')],
    ['AUTH a b c', SYNTAX],
    ['HELLO 4', '-NOPROTO unsupported protocol version\r\n'],
    ['HELLO x', '-ERR Protocol version is not an integer or out of range\r\n'],
    ['HELLO 2 FOO', "-ERR Syntax error in HELLO option 'FOO'\r\n"],
    ['HELLO 3 AUTH a b', WRONG_PASS],
    ['RESET', '+RESET\r\n'],
    ['FOO a b', "-ERR unknown command 'FOO', with args beginning with: 'a' 'b' \r\n"],
    ['CLIENT', arity('client')],
    ['CLIENT foo', "-ERR unknown subcommand 'foo'. Try CLIENT HELP.\r\n"],
    ['CLIENT ID', ':1\r\n'],
    ['CLIENT ID x', arity('client|id')],
    ['CLIENT GETNAME', '$-1\r\n'],
    ['CLIENT SETNAME bob', '+OK\r\n'],
    ['CLIENT SETINFO LIB-NAME x', '+OK\r\n'],
    ['CLIENT SETINFO LIB-FOO x', "-ERR Unrecognized option 'LIB-FOO'\r\n"],
    ['CLIENT KILL 1.2.3.4:5', '-ERR No such client\r\n'],
    ['CLIENT KILL ID x', '-ERR client-id should be greater than 0\r\n'],
    ['CLIENT KILL FOO 1', SYNTAX],
    ['CLIENT KILL ID 999', ':0\r\n'],
    ['CLIENT KILL TYPE foo', "-ERR Unknown client type 'foo'\r\n"],
    ['CLIENT KILL USER bob', "-ERR No such user 'bob'\r\n"],
    ['CLIENT KILL ID 1 SKIPME maybe', SYNTAX],
    ['CLIENT LIST FOO', SYNTAX],
    ['CLIENT LIST TYPE foo', "-ERR Unknown client type 'foo'\r\n"],
    ['CLIENT LIST ID x', '-ERR Invalid client ID\r\n'],
    ['CLIENT REPLY foo', SYNTAX],
    ['CLIENT NO-EVICT ON', '+OK\r\n'],
    ['CLIENT NO-EVICT x', SYNTAX],
    ['CLIENT NO-TOUCH OFF', '+OK\r\n'],
    ['CLIENT UNBLOCK 3', ':0\r\n'],
    ['CLIENT UNBLOCK x', NOT_AN_INTEGER],
    ['CLIENT UNBLOCK 1 FOO', '-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR\r\n'],
    ['CLIENT GETREDIR', ':-1\r\n'],
    ['CONFIG GET', arity('config|get')],
    ['CONFIG GET nothing here', '*0\r\n'],
    ['CONFIG GET MAXclients', bulks('maxclients', '10000')],
    ['CONFIG GET maxc* databases maxclients', bulks('maxclients', '10000', 'databases', '16')],
    ['CONFIG SET foo bar', "-ERR Unknown option or number of arguments for CONFIG SET - 'foo'\r\n"],
    ['CONFIG SET maxclients', arity('config|set')],
    ['CONFIG SET maxclients 1 timeout', SYNTAX],
    [
      'CONFIG SET maxclients abc',
      "-ERR CONFIG SET failed (possibly related to argument 'maxclients') - " +
        "argument couldn't be parsed into an integer\r\n",
    ],
    [
      'CONFIG SET maxclients 10 maxclients 11',
      "-ERR CONFIG SET failed (possibly related to argument 'maxclients') - duplicate parameter\r\n",
    ],
    [
      'CONFIG SET databases 2',
      "-ERR CONFIG SET failed (possibly related to argument 'databases') - " +
        "can't set immutable config\r\n",
    ],
    ['CONFIG RESETSTAT', '+OK\r\n'],
    ['CONFIG REWRITE', '-ERR The server is running without a config file\r\n'],
    ['CONFIG FOO', "-ERR unknown subcommand 'FOO'. Try CONFIG HELP.\r\n"],
    ['WAIT a b', NOT_AN_INTEGER],
    ['WAIT 0 -1', '-ERR timeout is negative\r\n'],
    ['WAIT 0 x', '-ERR timeout is not an integer or out of range\r\n'],
    ['MODULE LIST', '*0\r\n'],
    ['SLOWLOG GET', '*0\r\n'],
    ['SLOWLOG GET -5', '-ERR count should be greater than or equal to -1\r\n'],
    ['SLOWLOG LEN', ':0\r\n'],
    ['SLOWLOG RESET', '+OK\r\n'],
    ['LATENCY LATEST', '*0\r\n'],
    ['ACL WHOAMI', bulk('default')],
    ['TIME', bulks('1700000001', '123456')],
    ['COMMAND GETKEYS mset a 1 b 2', bulks('a', 'b')],
    ['COMMAND GETKEYS get k', bulks('k')],
    ['COMMAND GETKEYS nope k', '-ERR Invalid command specified\r\n'],
    ['COMMAND GETKEYS ping', '-ERR The command has no key arguments\r\n'],
    ['COMMAND GETKEYS get', '-ERR Invalid number of arguments specified for command\r\n'],
    ['COMMAND COUNT x', arity('command|count')],
    ['COMMAND LIST FILTERBY', SYNTAX],
    ['COMMAND LIST FILTERBY FOO x', SYNTAX],
    ['COMMAND LIST FILTERBY PATTERN getr*', bulks('getrange')],
    ['COMMAND LIST FILTERBY MODULE x', '*0\r\n'],
    ['COMMAND INFO nope', '*1\r\n$-1\r\n'],
    ['WAIT 0 0', ':0\r\n'],
    ['WAIT -1 0', ':0\r\n'],
    ['COMMAND DOCS nope', '*0\r\n'],
    ['COMMAND FOO', "-ERR unknown subcommand 'FOO'. Try COMMAND HELP.\r\n"],
    ['CLUSTER KEYSLOT foo', ':12182\r\n'],
    ['CLUSTER MEET 1.2.3.4 5', NO_CLUSTER],
    ['CLUSTER FAILOVER', NO_CLUSTER],
    ['CLUSTER ADDSLOTS 1', NO_CLUSTER],
    ['CLUSTER FORGET x', NO_CLUSTER],
    ['CLUSTER REPLICATE x', NO_CLUSTER],
    ['CLUSTER RESET', NO_CLUSTER],
    ['CLUSTER SETSLOT 1 STABLE', NO_CLUSTER],
    ['CLUSTER MEET', arity('cluster|meet')],
    ['CLUSTER FOO', "-ERR unknown subcommand 'FOO'. Try CLUSTER HELP.\r\n"],
    ['ASKING', NO_CLUSTER],
    ['ROLE', `*3\r\n${bulk('master')}:4321\r\n*0\r\n`],
    ['ROLE x', arity('role')],
    ['LASTSAVE', ':1700000000\r\n'],
    ['LASTSAVE now', arity('lastsave')],
    ['MEMORY PURGE', '+OK\r\n'],
    ['MEMORY MALLOC-STATS', bulk('Stats not supported for the current allocator')],
    ['MEMORY FOO', "-ERR unknown subcommand 'FOO'. Try MEMORY HELP.\r\n"],
    ['OBJECT', arity('object')],
    ['OBJECT FOO a', "-ERR unknown subcommand 'FOO'. Try OBJECT HELP.\r\n"],
    ['OBJECT ENCODING', arity('object|encoding')],
    ['CONFIG HELP x', arity('config|help')],
  ])('%s', (line, expected) => {
    expect(new Harness().client().ask(request(line))).toBe(expected);
  });

  test('cuts the texts of unknown commands where Redis cuts them', () => {
    const client = new Harness().client();
    expect(client.ask(array('FOO', 'a'.repeat(300), 'b'))).toBe(
      `-ERR unknown command 'FOO', with args beginning with: '${'a'.repeat(128)}' \r\n`,
    );
    expect(client.ask(array('x'.repeat(200)))).toBe(
      `-ERR unknown command '${'x'.repeat(128)}', with args beginning with: \r\n`,
    );
  });
});

describe('errors that repeat what was sent', () => {
  const BAD = '\u001b[31m\u0080\u00ff\u0007';
  const SHOWN = '\\x1b[31m\\x80\\xff\\x07';

  test.each([
    [[BAD, BAD], `unknown command '${SHOWN}', with args beginning with: '${SHOWN}' `],
    [['CLIENT', BAD], `unknown subcommand '${SHOWN}'. Try CLIENT HELP.`],
    [['CLIENT', 'SETINFO', BAD, 'x'], `Unrecognized option '${SHOWN}'`],
    [['CLIENT', 'KILL', 'TYPE', BAD], `Unknown client type '${SHOWN}'`],
    [['CLIENT', 'KILL', 'USER', BAD], `No such user '${SHOWN}'`],
    [['CLIENT', 'LIST', 'TYPE', BAD], `Unknown client type '${SHOWN}'`],
    [
      ['CONFIG', 'SET', BAD, 'x'],
      `Unknown option or number of arguments for CONFIG SET - '${SHOWN}'`,
    ],
    [['HELLO', '3', BAD], `Syntax error in HELLO option '${SHOWN}'`],
    [['ACL', 'CAT', BAD], `Unknown category '${SHOWN}'`],
    [['EXPIRE', 'a', '1', BAD], `Unsupported option ${SHOWN}`],
  ])('show bytes as Redis prints them: %j', (words, expected) => {
    const client = new Harness({}, new StoreCoordinator()).client();
    expect(client.ask(array(...words))).toBe(`-ERR ${expected}\r\n`);
    // They are not as long as what was sent.
    const long = words.map((word) => (word === BAD ? BAD.repeat(10_000) : word));
    expect(client.ask(array(...long)).length).toBeLessThan(4_000);
  });

  test('of the protocol too', () => {
    const client = new Harness().client();
    expect(client.ask('*1\r\n\u00fe\r\n')).toBe(
      "-ERR Protocol error: expected '$', got '\\xfe'\r\n",
    );
  });
});

describe('missing features are refused by name', () => {
  test.each([
    ['CLIENT MAINT_NOTIFICATIONS ON x y', '-ERR CLIENT MAINT_NOTIFICATIONS is not supported\r\n'],
    ['DEBUG SLEEP 0', '-ERR DEBUG command not allowed.\r\n'],
    ['DEBUG', arity('debug')],
  ])('%s', (line, expected) => {
    expect(new Harness().client().ask(request(line))).toBe(expected);
  });
});

describe('HELLO', () => {
  test('answers a map in RESP3, and a flat array in RESP2', () => {
    const client = new Harness().client();
    const fields = (proto: 2 | 3): string =>
      `${bulk('server')}${bulk('redis')}${bulk('version')}${bulk('7.2.0')}` +
      `${bulk('proto')}:${proto}\r\n${bulk('id')}:1\r\n${bulk('mode')}${bulk('standalone')}` +
      `${bulk('role')}${bulk('master')}${bulk('modules')}*0\r\n`;
    expect(client.ask(request('HELLO'))).toBe(`*14\r\n${fields(2)}`);
    expect(client.ask(request('HELLO 3 AUTH default x SETNAME bob'))).toBe(`%7\r\n${fields(3)}`);
    expect(client.ask(request('CLIENT GETNAME', 'GET nokey'))).toBe(`${bulk('bob')}_\r\n`);
    expect(client.ask(request('HELLO'))).toBe(`%7\r\n${fields(3)}`);
    expect(client.ask(request('HELLO 2'))).toBe(`*14\r\n${fields(2)}`);
  });

  test('changes nothing when it fails', () => {
    const client = new Harness().client();
    expect(client.ask(request('HELLO 3 SETNAME bob FOO'))).toMatch(/^-ERR Syntax error/);
    expect(client.ask(request('CLIENT GETNAME'))).toBe('$-1\r\n');
  });
});

describe('CLIENT', () => {
  test('LIST shows all clients, with the fields of Redis', () => {
    const harness = new Harness();
    const [first, second] = [harness.client(), harness.client()];
    first.ask(request('HELLO 3 SETNAME bob', 'CLIENT SETINFO lib-name lib', 'MULTI', 'GET a'));
    harness.nowMs += 5000;
    second.ask(request('SET a 1'));
    const text = second.ask(request('CLIENT LIST'));
    const lines = text.split('\r\n')[1]?.trimEnd().split('\n') ?? [];
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(
      /^id=1 addr=127\.0\.0\.1:40000 laddr=127\.0\.0\.1:6379 fd=-1 name=bob age=5 .* multi=1 /,
    );
    expect(lines[0]).toMatch(/ user=default redir=-1 resp=3 lib-name=lib lib-ver=$/);
    const names = lines[0]?.split(' ').map((field) => field.split('=')[0]);
    expect(names?.join(' ')).toBe(
      'id addr laddr fd name age idle flags db sub psub ssub multi qbuf qbuf-free argv-mem ' +
        'multi-mem rbs rbp obl oll omem tot-mem events cmd user redir resp lib-name lib-ver',
    );
    expect(lines[1]).toMatch(/^id=2 .* name= age=5 idle=0 flags=N db=0 .* cmd=client\|list /);
    expect(second.ask(request('CLIENT LIST ID 1 77'))).toContain('id=1 ');
    expect(second.ask(request('CLIENT INFO'))).toContain('id=2 ');
    expect(second.ask(request('CLIENT LIST TYPE pubsub'))).toBe('$0\r\n\r\n');
  });

  test('LIST shows the flags of a client', () => {
    const harness = new Harness();
    const [first, second] = [harness.client(), harness.client()];
    first.ask(request('CLIENT NO-EVICT ON', 'CLIENT NO-TOUCH ON', 'MULTI'));
    expect(second.ask(request('CLIENT LIST'))).toMatch(/^.*\r\n.* flags=xeT db=0 /);
    expect(second.ask(request('CLIENT INFO'))).toContain(' flags=N db=0 ');
  });

  test.each([
    ['ADDR', 'CLIENT KILL 127.0.0.1:40000', '+OK\r\n'],
    ['ID', 'CLIENT KILL ID 1', ':1\r\n'],
    ['filters', 'CLIENT KILL TYPE normal USER default LADDR 127.0.0.1:6379', ':1\r\n'],
  ])('KILL by %s closes others', (_name, line, expected) => {
    const harness = new Harness();
    const [victim, killer] = [harness.client(), harness.client()];
    expect(killer.ask(request(line))).toBe(expected);
    expect(victim.socket.destroyed).toBe(true);
    expect(killer.ask(request('PING'))).toBe('+PONG\r\n');
    expect(harness.gateway.size).toBe(1);
  });

  test('KILL of oneself answers first', () => {
    const client = new Harness().client();
    expect(client.ask(request('CLIENT KILL ID 1 SKIPME no', 'PING'))).toBe(':1\r\n');
    expect(client.socket.ended).toBe(true);
  });

  test.each([array('CLIENT', 'SETNAME', 'a b'), array('CLIENT', 'SETNAME', 'a\nb')])(
    'refuses the name in %j',
    (input) => {
      expect(new Harness().client().ask(input)).toBe(
        '-ERR Client names cannot contain spaces, newlines or special characters.\r\n',
      );
    },
  );

  test('bounds what names may cost', () => {
    const client = new Harness().client();
    expect(client.ask(array('CLIENT', 'SETNAME', 'x'.repeat(1025)))).toBe(
      '-ERR Client names cannot be longer than 1024 bytes.\r\n',
    );
    expect(client.ask(array('CLIENT', 'SETNAME', ''))).toBe('+OK\r\n');
  });
});

describe('COMMAND', () => {
  test('describes every command of both tables', () => {
    const client = new Harness().client();
    const count = Number(client.ask(request('COMMAND COUNT')).slice(1, -2));
    expect(count).toBeGreaterThan(COMMANDS.length + 20);
    expect(client.ask(request('COMMAND')).startsWith(`*${count}\r\n*10\r\n`)).toBe(true);
    expect(client.ask(request('COMMAND DOCS')).startsWith(`*${2 * count}\r\n`)).toBe(true);
    const containers = LOCAL_COMMANDS.flatMap(({ subcommands = [] }) => subcommands);
    const ofStore = COMMANDS.filter(({ name }) => name.includes('|'));
    const all = count + containers.length + ofStore.length;
    expect(client.ask(request('COMMAND LIST')).startsWith(`*${all}\r\n`)).toBe(true);
  });

  test('knows subcommands by both their names, and where their keys are', () => {
    const client = new Harness().client();
    const info = client.ask(request('COMMAND INFO object|encoding memory|usage client|nosuch'));
    expect(info.startsWith(`*3\r\n*10\r\n${bulk('object|encoding')}:3\r\n*1\r\n`)).toBe(true);
    expect(info).toContain(`*10\r\n${bulk('memory|usage')}:-3\r\n*1\r\n+readonly\r\n:2\r\n:2\r\n`);
    expect(info.endsWith('$-1\r\n')).toBe(true);
    expect(client.ask(request('COMMAND INFO object'))).toContain(
      `*5\r\n*10\r\n${bulk('object|help')}:2\r\n`,
    );
    const both = ['COMMAND GETKEYS object encoding k', 'COMMAND GETKEYS memory usage k'];
    expect(client.ask(request(...both))).toBe(bulks('k').repeat(2));
  });

  test('INFO tells arity, flags and keys', () => {
    const client = new Harness().client();
    client.ask(request('HELLO 3'));
    expect(client.ask(request('COMMAND INFO get'))).toBe(
      `*1\r\n*10\r\n${bulk('get')}:2\r\n~2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n` +
        '~3\r\n+@string\r\n+@read\r\n+@fast\r\n~0\r\n~1\r\n%3\r\n' +
        `${bulk('flags')}~2\r\n+RO\r\n+access\r\n` +
        `${bulk('begin_search')}%2\r\n${bulk('type')}${bulk('index')}` +
        `${bulk('spec')}%1\r\n${bulk('index')}:1\r\n` +
        `${bulk('find_keys')}%2\r\n${bulk('type')}${bulk('range')}` +
        `${bulk('spec')}%3\r\n${bulk('lastkey')}:0\r\n${bulk('keystep')}:1\r\n` +
        `${bulk('limit')}:0\r\n*0\r\n`,
    );
  });
});

describe('MEMORY', () => {
  test('STATS has the fields of Redis, integers and doubles', () => {
    const client = new Harness().client();
    client.ask(request('HELLO 3'));
    const text = client.ask(request('MEMORY STATS'));
    expect(text.startsWith('%27\r\n')).toBe(true);
    expect(text).toContain(`${bulk('total.allocated')}:40000000\r\n`);
    expect(text).toContain(`${bulk('keys.bytes-per-key')}:300000\r\n`);
    expect(text).toContain(`${bulk('peak.percentage')},80\r\n`);
    expect(text).toContain(`${bulk('fragmentation')},1.2\r\n`);
  });

  test.each<[string, Partial<MemoryUse>, number, RegExp]>([
    ['nothing yet', { allocatedBytes: 1000 }, 0, /^This node is empty/],
    ['nothing', {}, 0, /^No memory problem/],
    ['a peak', { peakBytes: 90_000_000 }, 0, /^ \* Peak memory: it took 90000000 bytes/],
    ['a new process', { residentBytes: 140_000_000 }, 0, /^No memory problem/],
    [
      'a large process',
      { residentBytes: 400_000_000 },
      0,
      /^ \* Resident memory: .* 360000000 more/,
    ],
    ['slow readers', {}, 1_000_000, /^ \* Client buffers: 500000 bytes for each/],
  ])('DOCTOR finds %s', (_name, use, clientBytes, expected) => {
    expect(diagnosis({ ...MEMORY, ...use }, clientBytes, 2)).toMatch(expected);
  });

  test('DOCTOR answers one text', () => {
    expect(new Harness().client().ask(request('MEMORY DOCTOR'))).toMatch(/^\$\d+\r\nNo memory/);
  });
});

describe('HELP', () => {
  test.each(LOCAL_COMMANDS.filter(({ subcommands }) => subcommands !== undefined))(
    '$name HELP answers lines',
    ({ name }) => {
      const text = new Harness().client().ask(request(`${name} HELP`));
      expect(text).toContain(
        `\r\n+${name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\r\n`,
      );
      expect(text.endsWith('+HELP\r\n+    Prints this help.\r\n')).toBe(true);
    },
  );
});

describe('WAIT', () => {
  test('speaks of writes that are acknowledged, and of none that failed', () => {
    const harness = new Harness();
    harness.replicas = 2;
    const client = harness.client();
    expect(client.ask(request('SET a 1', 'WAIT 1 100'))).toBe('+OK\r\n:2\r\n');
    harness.coordinator.manual = true;
    client.send(request('SET a 1', 'WAIT 1 100'));
    harness.coordinator.fail(harness.coordinator.parts.at(-1), 'TIMEOUT maybe');
    harness.endTurn();
    expect(client.socket.text).toBe('-TIMEOUT maybe\r\n:0\r\n');
  });
});

describe('HoloStore', () => {
  test('gives its counters and metrics as they are', () => {
    const client = new Harness().client();
    expect(client.ask(request('HOLOSTATS'))).toBe(bulk('fast_path.count=1'));
    expect(client.ask(request('HOLOMETRICS'))).toBe(bulk('holo_up 1\n'));
  });
});

describe('CLUSTER', () => {
  test('hashes keys as Redis Cluster does', () => {
    // From the examples of the cluster specification and of CLUSTER KEYSLOT.
    const slotOf = (key: string) => redisSlotOf(slotOfText(key));
    expect(slotOf('123456789')).toBe(0x31c3);
    expect(slotOf('somekey')).toBe(11058);
    expect(slotOf('foo{hash_tag}')).toBe(2515);
    expect(slotOf('bar{hash_tag}')).toBe(2515);
    expect(slotOf('{}x')).not.toBe(slotOf(''));
  });

  test('shows a range each', () => {
    const harness = new Harness();
    const [self] = harness.nodes as [ClusterNode];
    const slots = [
      { first: 0, last: 99 },
      { first: 100, last: 16_383 },
    ];
    harness.nodes = [{ ...self, slots }];
    const client = harness.client();
    const node = `*4\r\n${bulk('127.0.0.1')}:6379\r\n${bulk(self.id)}*0\r\n`;
    expect(client.ask(request('CLUSTER SLOTS'))).toBe(
      `*2\r\n*3\r\n:0\r\n:99\r\n${node}*3\r\n:100\r\n:16383\r\n${node}`,
    );
    expect(client.ask(request('CLUSTER NODES'))).toContain('connected 0-99 100-16383\n');
    const shards = client.ask(request('CLUSTER SHARDS'));
    expect(shards).toMatch(/^\*1\r\n/);
    expect(shards).toContain('*4\r\n:0\r\n:99\r\n:100\r\n:16383\r\n');
    expect(client.ask(request('CLUSTER INFO'))).toContain('cluster_current_epoch:7\r\n');
  });

  test('shows the nodes', () => {
    const client = new Harness().client();
    const id = 'a'.repeat(40);
    expect(client.ask(request('CLUSTER MYID'))).toBe(bulk(id));
    expect(client.ask(request('CLUSTER SLOTS'))).toBe(
      `*1\r\n*3\r\n:0\r\n:16383\r\n*4\r\n${bulk('127.0.0.1')}:6379\r\n${bulk(id)}*0\r\n`,
    );
    expect(client.ask(request('CLUSTER NODES'))).toBe(
      bulk(`${id} 127.0.0.1:6379@6379 myself,master - 0 0 1 connected 0-16383\n`),
    );
    expect(client.ask(request('CLUSTER INFO'))).toContain('cluster_enabled:0\r\n');
    expect(client.ask(request('CLUSTER SHARDS'))).toContain(bulk('replication-offset'));
  });
});
