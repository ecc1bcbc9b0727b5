/** Ways out of the sandbox, by their kinds: none leads anywhere. */
import { describe, expect, test } from 'vitest';
import { Machine } from '../harness.ts';

/** Nothing of these is there. */
const ABSENT = [
  ...['os', 'io', 'package', 'debug', 'require', 'module', 'dofile', 'loadfile', 'print'],
  ...['newproxy', 'getfenv', 'setfenv', 'arg', '__index', 'string.dump', 'os.execute'],
];

describe('a script', () => {
  const machine = new Machine();
  const run = (code: string) => machine.run('EVAL', code, '0');

  test.each(ABSENT)('does not find %s', (name) => {
    const [library, field] = name.split('.');
    const reply = run(`return ${name}`);
    if (field === undefined || library === 'os') {
      expect(reply).toContain(`nonexistent global variable '${library}'`);
    } else {
      expect(reply).toBe(null);
    }
  });

  test.each([
    ['compiled code', "return loadstring('\\27Lua\\81\\0\\1\\4\\8\\4\\8\\0') == nil"],
    [
      'compiled code in pieces',
      "local i = 0 return load(function() i = i + 1 return i == 1 and '\\27Lua' or nil end) == nil",
    ],
    ['a function as text', 'return string.dump == nil'],
    ['globals of a loaded chunk', 'return loadstring(\'return rawget(_G, "os")\')() == nil'],
    ['the globals behind the globals', 'return getmetatable(_G) == false'],
    ['a coroutine', 'return coroutine.wrap(function() return rawget(_G, "io") end)() == nil'],
    ['the caller', "return xpcall(function() error('x') end, function() return 1 end) == false"],
  ])('gets nowhere by %s', (_, code) => {
    expect(run(code)).toBe(1);
  });

  test.each([
    ['a global', 'x = 1'],
    ['a global by rawset', "rawset(_G, 'x', 1)"],
    ['the metatable of globals', 'setmetatable(_G, {})'],
    ['a global of a loaded chunk', "loadstring('y = 1')()"],
  ])('cannot change %s', (_, code) => {
    expect(run(code)).toContain('Attempt to modify a readonly table');
  });

  test.each([
    ['a library', 'string.rep = nil table.insert = nil redis.call = nil'],
    ['the metatable of texts', "getmetatable('').__index = function() return 'changed' end"],
    ['the state of random numbers', 'math.randomseed(7)'],
  ])('leaves no change of %s to the next', (_, code) => {
    run(code);
    const probe = "return {('x'):rep(2), type(table.insert), redis.call('ping').ok}";
    expect(run(probe)).toEqual(['xx', 'function', 'PONG']);
  });

  test.each([
    ['a size of struct', "struct.pack('I' .. ('9'):rep(30), 1)", 'integral size overflow'],
    ['an integer of struct', "struct.pack('i33', 1)", 'larger than limit of 32'],
    ['an alignment of struct', "struct.pack('!' .. 2^31 .. 'i4', 1)", 'integral size overflow'],
    ['a text of struct', "struct.unpack('c' .. 2^31, 'abc')", 'integral size overflow'],
    ['a length in data of struct', "struct.unpack('bc0', '\\127abc')", 'data string too short'],
    ['an offset of struct', "struct.unpack('I4', 'abcdefgh', 2^31)", 'data string too short'],
    ['an offset of struct below 0', "struct.unpack('I4', 'abcd', -2^31)", 'data string too short'],
    ['a text of struct without an end', "struct.unpack('s', 'abc')", 'unfinished string'],
    ['nested JSON', "cjson.decode(('['):rep(1e5) .. (']'):rep(1e5))", 'too many nested'],
    [
      'nested tables',
      'local t = {} for i = 1, 2000 do t = {t} end cjson.encode(t)',
      'excessive nest',
    ],
    ['a table in itself', 'local t = {} t.t = t cjson.encode(t)', 'excessive nesting'],
    ['an index of JSON', 'cjson.encode({[2^31] = 1})', 'excessively sparse array'],
    ['half an escape of JSON', "cjson.decode('\"\\\\u12')", 'invalid unicode escape code'],
    ['nested MessagePack', "cmsgpack.unpack(('\\145'):rep(1e5))", 'Bad data format'],
    ['an array of MessagePack', "cmsgpack.unpack('\\221\\255\\255\\255\\255')", 'Missing bytes'],
    ['a text of MessagePack', "cmsgpack.unpack('\\219\\255\\255\\255\\255a')", 'Missing bytes'],
    ['an offset of MessagePack', "cmsgpack.unpack_one('a', -1)", 'out of range'],
    ['a width of format', "string.format('%999999d', 1)", 'width or precision too long'],
    ['bytes of a text', "string.byte(('x'):rep(1e5), 1, -1)", 'string slice too long'],
    ['captures', "string.find('a', ('('):rep(300) .. 'a' .. (')'):rep(300))", 'too many captures'],
    ['callbacks', "local function f() return ('a'):gsub('a', f) end f()", 'C stack overflow'],
    ['calls', 'local function f() return 1 + f() end f()', 'stack overflow'],
    ['coroutines', 'local function f() return coroutine.wrap(f)() end f()', 'C stack overflow'],
    ['metatables', 'local t = {} setmetatable(t, {__index = t}) t.x = t.x', 'loop in gettable'],
    ['its parentheses', `return ${'('.repeat(300)}1${')'.repeat(300)}`, 'too many syntax levels'],
    ['its variables', 'local a '.repeat(300), 'more than 200 local variables'],
  ])('is refused what would overflow: %s', (_, code, error) => {
    expect(run(code)).toContain(error);
    expect(run("return {('x'):rep(2), redis.call('ping').ok}")).toEqual(['xx', 'PONG']);
  });

  test('finds the same addresses, order and random numbers at the same place', () => {
    const code =
      "local t = {} for i = 1, 30 do t['k' .. i] = {} end local s = '' " +
      'for k, v in pairs(t) do s = s .. k .. tostring(v) end ' +
      "return s .. math.random() .. redis.call('time')[1]";
    const replies = [1, 2].map(() => {
      const fresh = new Machine();
      return fresh.run('EVAL', code, '0');
    });
    expect(replies[0]).toBe(replies[1]);
    run('local t = {} for i = 1, 1000 do t[i] = {i} end');
    expect(new Machine().run('EVAL', code, '0')).toBe(replies[0]);
  });

  test('keeps bytes of every value', () => {
    const bytes = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));
    const code = "redis.call('set', KEYS[1], ARGV[1]) return redis.call('get', KEYS[1])";
    expect(machine.run('EVAL', code, '1', `k${bytes}`, bytes)).toBe(bytes);
  });

  test.each([
    ...['INFO', 'CLIENT ID', 'CONFIG GET maxmemory', 'MEMORY STATS', 'LASTSAVE', 'SLOWLOG GET'],
    ...['LATENCY LATEST', 'COMMAND COUNT', 'ACL WHOAMI', 'PUBSUB CHANNELS', 'ROLE', 'WAIT 0 0'],
  ])('may not call %s, which nodes answer each in its way', (words) => {
    const args = words.split(' ').map((word) => `'${word}'`);
    const reply = run(`return redis.pcall(${args.join(', ')})`);
    expect(reply).toBe('-ERR This Redis command is not allowed from script');
  });

  test('finds nothing about the use of a key that differs from node to node', () => {
    run("redis.call('set', 'used', 'x')");
    expect(run("return redis.call('object', 'idletime', 'used')")).toBe(0);
    const frequency = run("return redis.pcall('object', 'freq', 'used')");
    expect(frequency).toMatch(/^-ERR An LFU maxmemory policy is not selected/);
  });

  test('is told the same memory of a value, whether it is loaded or not', () => {
    const small = new Machine({ cacheBytesMax: 1 });
    const kept = new Machine();
    const script = "return redis.call('memory', 'usage', ARGV[1], 'samples', '5')";
    const members = Array.from({ length: 2_000 }, (_, at) => `member-${at}`);
    for (const each of [small, kept]) {
      each.run('SADD', 'set', ...members);
      each.run('RPUSH', 'list', ...members);
      each.run('XADD', 'stream', '1-1', ...members);
    }
    small.flush();
    for (const key of ['set', 'list', 'stream', 'none']) {
      const told = kept.run('EVAL', script, '0', key);
      expect(small.run('EVAL', script, '0', key)).toBe(told);
      expect(kept.run('MEMORY', 'USAGE', key)).toBe(told);
    }
  });

  test('may not call internal commands', () => {
    expect(run("return redis.call('HOLO.SETTING', 'version', 'a', '1')")).toMatch(/Unknown Redis/);
  });
});
