import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { isLoopback, isLoopbackEndpoint } from '../../transport/access/loopback.ts';
import { DENIED, ProtectedMode } from '../../transport/access/protected-mode.ts';
import { findProgram } from '../cluster/program.ts';
import { FakeSocket, Harness, request } from '../transport/resp/harness.ts';
import { noNetworkOfOwn, runElsewhere } from './own-network.ts';

test.each([
  ['127.0.0.1', true],
  ['127.8.9.1', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['localhost', true],
  ['10.0.0.1', false],
  ['::ffff:10.127.0.1', false],
  ['1270.0.0.1', false],
  ['localhost.example.org', false],
  ['?', false],
  ['', false],
])('%s is loopback: %s', (address, expected) => {
  expect(isLoopback(address)).toBe(expected);
  const endpoint = address.includes(':') ? `[${address}]:6379` : `${address}:6379`;
  expect(isLoopbackEndpoint(endpoint)).toBe(expected);
});

describe('protected mode of the Redis port', () => {
  function answerTo(harness: Harness, host: string): string {
    const socket = new FakeSocket(1, host);
    const connection = harness.gateway.attach(socket);
    expect(socket.ended).toBe(connection === undefined);
    return socket.text;
  }

  test('turns away who does not come from the loopback, in the words of Redis', () => {
    const harness = new Harness();
    expect(answerTo(harness, '10.0.0.7')).toBe(`-${DENIED}\r\n`);
    expect(DENIED).toMatch(
      /^DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user\. In this mode connections are only accepted from the loopback interface\./,
    );
    expect(answerTo(harness, '[2001:db8::1]')).toContain('DENIED');
    expect(harness.protectedMode.refused).toBe(2);
    expect(harness.gateway.counters.connectionsRejected).toBe(2);
    expect(answerTo(harness, '127.0.0.1')).toBe('');
    expect(answerTo(harness, '[::ffff:127.0.0.1]')).toBe('');
  });

  test('is turned off by the operator, and not by a client', () => {
    const harness = new Harness();
    const client = harness.client();
    expect(client.ask(request('CONFIG SET protected-mode no'))).toContain('-ERR CONFIG SET failed');
    expect(answerTo(harness, '10.0.0.7')).toContain('DENIED');
    const { settings } = harness.gateway.services;
    expect(settings.setAll([['protected-mode', 'maybe']], 'operator')).toContain("'yes' or 'no'");
    expect(settings.setAll([['protected-mode', 'no']], 'operator')).toBeUndefined();
    expect(answerTo(harness, '10.0.0.7')).toBe('');
    expect(settings.find('protected-mode')?.get()).toBe('no');
  });

  test('a mode that is off counts nothing', () => {
    const mode = new ProtectedMode(false);
    expect(mode.refuses('10.0.0.7:1')).toBe(false);
    expect(mode.refused).toBe(0);
  });
});

const isMissing = noNetworkOfOwn() !== undefined;

/** $1: the node's interpreter, $2: its program, $3: holoctl, $4: an empty directory, $5: yes or no. */
const SCRIPT = `
"$1" "$2" node --node-id=1 --listen-redis=0.0.0.0:6379 --listen-peer=127.0.0.1:7001 \
  --listen-admin=0.0.0.0:8001 --data-dir="$4" --initial-members=1@127.0.0.1:7001 --bootstrap \
  --engine=memory --log-format=json --protected-mode="$5" > "$4.log" 2>&1 &
for i in $(seq 300); do
  redis-cli -h 127.0.0.1 ping 2>/dev/null | grep -q PONG && break
  sleep 0.1
done
echo "home: $(redis-cli -h 127.0.0.1 ping)"
echo "away: $(redis-cli -h 10.77.0.1 ping)"
for host in 127.0.0.1 10.77.0.1; do
  for what in "GET /status" "POST /config?name=maxclients&value=5"; do
    "$1" -e '
      const [host, method, path] = process.argv.slice(1).join(" ").split(" ");
      const headers = { "x-holo-operator": "1" };
      fetch("http://" + host + ":8001" + path, { method, headers }).then(async (answer) => {
        console.log(host, method, answer.status, (await answer.text()).slice(0, 60).trim());
      });
    ' "$host" "$what"
  done
done
echo "doctor: $("$1" "$3" doctor --node 127.0.0.1:8001)"
# A node that forms its cluster begins again, and says it twice.
grep -o '"msg":"SECURITY.*' "$4.log" | sort -u | wc -l
`;

describe.skipIf(isMissing)('protected mode of a node', () => {
  const directory = mkdtempSync(join(tmpdir(), 'holo-protected-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  function run(mode: 'yes' | 'no'): string {
    const { main, holoctl } = findProgram();
    return runElsewhere(SCRIPT, process.execPath, main, holoctl, join(directory, mode), mode);
  }

  test('on: neither port serves another machine', () => {
    const out = run('yes');
    expect(out).toContain('home: PONG');
    expect(out).toContain('away: DENIED Redis is running in protected mode');
    expect(out).toContain('127.0.0.1 GET 200 {');
    expect(out).toContain('127.0.0.1 POST 200 ok');
    expect(out).toContain('10.77.0.1 GET 403 DENIED');
    expect(out).toContain('10.77.0.1 POST 403 DENIED');
    expect(out).toContain('nothing is wrong');
    expect(out.trim().split('\n').at(-1)).toBe('0');
  });

  test('off: both do, and the log and holoctl doctor say so', () => {
    const out = run('no');
    expect(out).toContain('away: PONG');
    expect(out).toContain('10.77.0.1 GET 200 {');
    // Settings are changed from the machine of the node alone.
    expect(out).toContain('10.77.0.1 POST 403 this needs the role of admin');
    expect(out).toContain('wrong: 127.0.0.1:8001: whoever reaches the Redis port 0.0.0.0:6379');
    expect(out).toContain(
      'wrong: 127.0.0.1:8001: whoever reaches the admin port 0.0.0.0:8001 may read',
    );
    expect(out.trim().split('\n').at(-1)).toBe('1');
  });
});
