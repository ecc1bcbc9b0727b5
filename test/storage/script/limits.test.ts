/** Scripts that would never end, or take all memory: each ends at a limit, and nothing is left. */
import { createHash } from 'node:crypto';
import { describe, expect, test, vi } from 'vitest';
import {
  type BodySettings,
  STANDARD_SETTINGS,
  settingsHead,
} from '../../../storage/body-settings.ts';
import { LuaMachine } from '../../../storage/commands/script/lua/lua-machine.ts';
import { bodyOf } from '../../../storage/transaction-body.ts';
import { body, Machine, type Reply, START_MS, versionAt } from '../harness.ts';

const STEPS =
  '-TOOLARGE refused, nothing was done: the script needs more steps than script-steps-max';
const MEMORY =
  '-TOOLARGE refused, nothing was done: the script needs more memory than script-memory-bytes-max';

/** Each writes before it comes to its limit. */
const BOMBS: readonly (readonly [name: string, code: string, outcome: string])[] = [
  ['a loop', 'while true do end', STEPS],
  ['a loop that catches errors', 'while true do pcall(error) end', STEPS],
  ['a pattern', "string.find(('a'):rep(28), ('a-'):rep(14) .. 'b')", STEPS],
  ['a gsub', "string.gsub(('a'):rep(28), ('a*'):rep(28) .. 'b', '')", STEPS],
  ['a billion repetitions', "string.rep('x', 1e9)", STEPS],
  ['a billion repetitions of nothing', "string.rep('', 1e9)", STEPS],
  ['long repetitions', "string.rep(('x'):rep(1e6), 1e4)", MEMORY],
  ['a text that doubles', "local s = 'x' while true do s = s .. s end", MEMORY],
  ['long texts that are joined', bigTexts('c = a .. b'), STEPS],
  ['long texts that are compared', bigTexts('c = a < b'), STEPS],
  ['a table of everything', 'local t = {} for i = 1, 1e9 do t[i] = {i} end', STEPS],
  ['texts', "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1e3):rep(100) .. i end", MEMORY],
  [
    'many values at once',
    `local t = {} for i = 1, 7e3 do t[i] = i end ${loop('unpack(t)')}`,
    STEPS,
  ],
  ['an order of its own', `${numbers(1e5)} table.sort(t, function(a, b) return a < b end) `, STEPS],
  ['a table that is moved', `${numbers(1e4)} ${loop('table.insert(t, 1, 0)')}`, STEPS],
  [
    'a table of texts',
    `local t = {} for i = 1, 1e3 do t[i] = ('x'):rep(1e4) end ${joined()}`,
    STEPS,
  ],
  [
    'an empty table that was large',
    `${numbers(2e4)} for i = 1, 2e4 do t[i] = nil end ${searched()}`,
    STEPS,
  ],
  [
    'an emptied table, from a key in it',
    `${numbers(2e4)} for i = 2, 2e4 do t[i] = nil end ${loop('next(t, 1)')}`,
    STEPS,
  ],
  [
    'an emptied table as JSON',
    `${numbers(2e4)} for i = 1, 2e4 do t[i] = nil end ${loop('cjson.encode(t)')}`,
    STEPS,
  ],
  [
    'an emptied table as MessagePack',
    `${numbers(2e4)} for i = 1, 2e4 do t[i] = nil end ${loop('cmsgpack.pack(t)')}`,
    STEPS,
  ],
  [
    'structs',
    loop("struct.unpack('!8b>i8<dsc0', struct.pack('!8b>i8<dsb', 1, 2, 3, 'x', 0))"),
    STEPS,
  ],
  ['coroutines', loop('coroutine.wrap(function() end)()'), STEPS],
  ['formats', loop("string.format('%99s', 'x')"), STEPS],
  ['a long number', `local s = ('1'):rep(1e5) ${loop('tonumber(s)')}`, STEPS],
  ['a reply that contains itself', 'local t = {} t[1] = t t[2] = t return t', STEPS],
  ['JSON', `${numbers(1e4)} ${loop('cjson.decode(cjson.encode(t))')}`, STEPS],
  ['MessagePack', `${numbers(1e4)} ${loop('cmsgpack.unpack(cmsgpack.pack(t))')}`, STEPS],
  ['commands', loop("redis.call('ping')"), STEPS],
  [
    'a chain of metatables',
    `local t = {} for i = 1, 90 do t = setmetatable({}, {__index = t}) end ${loop('t.x = t.y')}`,
    STEPS,
  ],
];

function loop(code: string): string {
  return `while true do ${code} end`;
}

function bigTexts(code: string): string {
  return `local a, b, c = ('x'):rep(1e6) .. 'a', ('x'):rep(1e6) .. 'b' ${loop(code)}`;
}

function numbers(count: number): string {
  return `local t = {} for i = 1, ${count} do t[i] = (i * 7919) % 100003 end`;
}

function joined(): string {
  return loop('local x = table.concat(t)');
}

function searched(): string {
  return loop('next(t)');
}

describe('a limit ends', () => {
  test.each(BOMBS)('%s', (_, code, outcome) => {
    const machine = new Machine();
    machine.run('SET', 'a', 'before');
    const digest = machine.machine.digest();
    const script = `redis.call('set', KEYS[1], 'x') redis.call('rpush', KEYS[2], 'y') ${code}`;
    expect(machine.run('EVAL', script, '2', 'a', 'list')).toBe(outcome);
    expect(machine.machine.digest()).toBe(digest);
    expect(machine.run('EVAL', 'return 1', '0')).toBe(1);
  });

  // As a node executes again behind a restart what its engine does not hold.
  test('some of them alike on a node that has begun anew, and in another machine', async () => {
    const names = ['a loop', 'a pattern', 'a billion repetitions', 'a text that doubles'];
    const some = BOMBS.filter(([name]) => names.includes(name));
    const scripts = some.map(([, code]) => `redis.call('rpush', KEYS[1], 'y') ${code}`);
    const bodies = scripts.map((script) => body(['EVAL', script, '1', 'list']));
    const first = new Machine();
    first.run('RPUSH', 'list', 'x');
    first.flush();
    const restarted = first.restarted();
    vi.resetModules();
    const { Machine: Anew } = await import('../harness.ts');
    const other = new Anew();
    other.run('RPUSH', 'list', 'x');
    const told = [first, restarted, other].map((machine) => {
      const replies = bodies.map((bytes, at) =>
        machine.execute(bytes, versionAt(START_MS * 1_000 + at + 9)),
      );
      return [...replies.flat(), machine.run('LRANGE', 'list', '0', '-1')];
    });
    expect(told[1]).toEqual(told[0]);
    expect(told[2]).toEqual(told[0]);
    expect(restarted.machine.digest()).toBe(first.machine.digest());
  }, 60_000);

  test('none that is raised by the script itself', () => {
    const machine = new Machine();
    const script = "redis.call('set', KEYS[1], 'x') error('told')";
    expect(machine.run('EVAL', script, '1', 'a')).toMatch(/^-ERR user_script:1: told script: /);
    expect(machine.run('GET', 'a')).toBe('x');
  });

  test('no walk through a large table', () => {
    const machine = new Machine();
    const walk = (start: string): string =>
      `local t = {} for i = 1, 5e4 do ${start} end local n = 0 ` +
      'for k, v in pairs(t) do t[k] = nil n = n + 1 end return n';
    expect(machine.run('EVAL', walk('t[i] = i'), '0')).toBe(50_000);
    expect(machine.run('EVAL', walk("t['k' .. i] = i"), '0')).toBe(50_000);
    const nested =
      'local t = {} for i = 1, 200 do t[i] = i end local n = 0 ' +
      'for _ in pairs(t) do for _ in pairs(t) do n = n + 1 end end return n';
    expect(machine.run('EVAL', nested, '0')).toBe(40_000);
  });

  test('deep nesting with an error', () => {
    const machine = new Machine();
    const nested = `return ${'('.repeat(1_000)}1${')'.repeat(1_000)}`;
    const reply = machine.run('EVAL', nested, '0');
    expect(reply).toMatch(/^-ERR Error compiling script .*chunk has too many syntax levels/);
    const calls = 'local function f() return pcall(f) end return tostring(f())';
    expect(machine.run('EVAL', calls, '0')).toBe('true');
  });

  test('as settings that the transaction names', () => {
    const machine = new Machine();
    const count = "for i = 1, 1e4 do end return 'done'";
    const evalWith = (settings: Partial<BodySettings>, code: string): Reply | undefined => {
      const head = settingsHead({ ...STANDARD_SETTINGS, ...settings });
      return machine.execute(Buffer.from(bodyOf([body(['EVAL', code, '0'])], head)))[0];
    };
    expect(evalWith({}, count)).toBe('done');
    expect(evalWith({ scriptStepsMax: 1_000 }, count)).toBe(STEPS);
    const few = { scriptStepsMax: 100_000_000, scriptMemoryBytesMax: 1_048_576 };
    expect(evalWith(few, "return #('x'):rep(2e6)")).toBe(MEMORY);
    expect(evalWith({}, count)).toBe('done');
  });
});

/** Of all memory of the machine but the stack of C, as each run finds it. */
function memoryOf({ api, bytes }: LuaMachine): string {
  let end = bytes.length;
  while (bytes[end - 1] === 0) end -= 1;
  const hash = createHash('sha1').update(bytes.subarray(0, api.emscripten_stack_get_end()));
  return hash.update(bytes.subarray(api.emscripten_stack_get_base(), end)).digest('hex');
}

test('every run of a script begins with the same memory, whatever ran before', () => {
  let found = '';
  const { begin } = LuaMachine.prototype;
  const spy = vi.spyOn(LuaMachine.prototype, 'begin').mockImplementation(function (
    this: LuaMachine,
    ...args
  ) {
    begin.apply(this, args);
    found = memoryOf(this);
  });
  try {
    const machine = new Machine();
    const looked = (): string => {
      machine.run('EVAL', "return redis.call('get', KEYS[1])", '1', 'a');
      return found;
    };
    machine.run('SET', 'a', 'x'.repeat(20_000));
    looked();
    const first = looked();
    const names = ['a pattern', 'a text that doubles', 'a table of everything', 'coroutines'];
    const ended = BOMBS.filter(([name]) => names.includes(name)).map(([, code]) => code);
    const done = ["return #('x'):rep(2e6)", 'local t = {} for i = 1, 1e4 do t[i] = {i} end'];
    const long = `return '${'x'.repeat(30_000)}'`;
    const longer = `local t = {${"'x', ".repeat(12_000)}} return #t`;
    for (const code of [...ended, ...done, long, longer]) {
      machine.run('EVAL', code, '0');
      expect(looked()).toBe(first);
    }
  } finally {
    spy.mockRestore();
  }
});
