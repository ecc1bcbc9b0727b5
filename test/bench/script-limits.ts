/**
 * How long scripts take that go on until a limit ends them, by the operation that they repeat: each
 * in the state machine's Lua alone, with the standard limits.
 *
 *     npm run bench -- script-limits [--only TEXT] [--rounds N]
 *
 * CPU time of the best round, since others may use the machine, too.
 */
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { STANDARD_SETTINGS } from '../../storage/body-settings.ts';
import { TOO_MANY_STEPS, TOO_MUCH_MEMORY } from '../../storage/commands/script/lua/lua-machine.ts';
import type { ScriptHost } from '../../storage/commands/script/lua/redis-library.ts';
import { scriptEngine } from '../../storage/commands/script/script-engine.ts';

const US_PER_MS = 1_000;
const NUMBERS = 'local t = {} for i = 1, 1e4 do t[i] = (i * 7919) % 100003 end';
const TEXTS = "local t = {} for i = 1, 1e3 do t[i] = ('x'):rep(500) .. (i * 7919) % 1003 end";
const LONG = "local s = ('a'):rep(1e5)";
const MILLION = "local s = ('a'):rep(1e6)";

/** By name: code before the loop, and in it. */
const OPERATIONS: Readonly<Record<string, readonly [before: string, repeated: string]>> = {
  nothing: ['', ''],
  'find of a pattern': ['', "string.find(('a'):rep(28), ('a-'):rep(14) .. 'b')"],
  'find of a set': [LONG, "s:find('[b-z0-9%p%u]')"],
  'find of a frontier': [LONG, "s:find('%f[%d]')"],
  'find of a text': [MILLION, "s:find('b', 1, true)"],
  match: [LONG, "s:match('b') s:match('a*b')"],
  gmatch: ["local s = ('a '):rep(5e4)", "for w in s:gmatch('%a+') do end"],
  gsub: ['', "string.gsub(('a'):rep(28), ('a*'):rep(28) .. 'b', '')"],
  rep: ['', "string.rep('x', 1e6)"],
  'rep, short': ['', "string.rep('x', 10)"],
  sub: [MILLION, 's:sub(2)'],
  'format of numbers': ['', "string.format('%.99f', 1e300)"],
  'format of a quoted text': ["local s = ('\\n'):rep(1e4)", "string.format('%q', s)"],
  'table.concat': [TEXTS, 'table.concat(t)'],
  'table.concat of numbers': [NUMBERS, 'table.concat(t)'],
  'table.sort': [NUMBERS, 'table.sort(t)'],
  'table.sort of texts': [TEXTS, 'table.sort(t) t[1], t[900] = t[900], t[1]'],
  'table.insert': [NUMBERS, 'table.insert(t, 1, 0)'],
  unpack: ['local t = {} for i = 1, 7e3 do t[i] = i end', 'unpack(t)'],
  pairs: [NUMBERS, 'for _ in pairs(t) do end'],
  ipairs: [NUMBERS, 'for _ in ipairs(t) do end'],
  'cjson of numbers': [NUMBERS, 'cjson.decode(cjson.encode(t))'],
  'cjson of a text': ["local s = ('\\1'):rep(1e4)", 'cjson.encode(s)'],
  'cjson, short': ['', 'cjson.decode(\'{"a":[1,2,{"b":null}]}\')'],
  cmsgpack: [NUMBERS, 'cmsgpack.unpack(cmsgpack.pack(t))'],
  'cmsgpack, short': ['', 'cmsgpack.unpack(cmsgpack.pack({a = 1, b = {2}}))'],
  struct: ['', "struct.unpack('!8b>i8<dsc0', struct.pack('!8b>i8<dsb', 1, 2, 3, 'x', 0))"],
  bit: ['', 'bit.tohex(255)'],
  sha1hex: ['', "redis.sha1hex('x')"],
  log: ['', "redis.log(3, 'x')"],
  call: ['', "redis.call('ping')"],
  loadstring: [`local s = 'return ' .. ('1+'):rep(1e4) .. '1'`, 'loadstring(s)'],
  'loadstring, short': ['', "loadstring('return 1')"],
  tonumber: ['', "tonumber('12.5')"],
  'tostring of a table': ['', 'tostring({})'],
  tables: ['', 'local t = {{}, {}, {}}'],
  coroutines: ['', 'coroutine.wrap(function() end)()'],
  yield: ['local c = coroutine.wrap(function() while true do coroutine.yield() end end)', 'c()'],
  metatables: [
    'local t = {} for i = 1, 90 do t = setmetatable({}, {__index = t}) end',
    'local x = t.y',
  ],
  'a number in a text': ['', "local s = 'a' .. 1.5"],
  'texts compared': [
    "local a, b = ('x'):rep(511) .. 'a', ('x'):rep(511) .. 'b'",
    'local c = a < b',
  ],
  'long texts compared': [`${MILLION} local a, b = s .. 'a', s .. 'b'`, 'local c = a < b'],
};

/** Of a script that reaches nothing. */
const HOST: ScriptHost = {
  call: (_, out) => {
    out.simple('PONG');
    return undefined;
  },
  refusal: () => undefined,
  log: () => undefined,
  seed: () => 0,
};

export function run(args: string[]): void {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: 'string', default: '' },
      rounds: { type: 'string', default: '5' },
    },
  });
  const chosen = Object.entries(OPERATIONS).filter(([name]) => name.includes(values.only));
  const measured = chosen.map(([name, [before, repeated]]) => {
    const source = `${before} while true do ${repeated} end`;
    const rounds = Array.from({ length: Number(values.rounds) }, () => runOnce(source));
    return { name, ms: Math.min(...rounds.map(({ ms }) => ms)), end: rounds[0]?.end ?? '' };
  });
  measured.sort((a, b) => b.ms - a.ms);
  const table = new Table({ head: ['repeated', 'ms of CPU', 'ends by'] });
  for (const { name, ms, end } of measured) table.push([name, ms.toFixed(0), end]);
  console.log(table.toString());
}

function runOnce(source: string): { ms: number; end: string } {
  const { scriptStepsMax: stepsMax, scriptMemoryBytesMax: memoryBytesMax } = STANDARD_SETTINGS;
  const script = { source, name: () => 'measured', keys: [], args: [] };
  const before = process.cpuUsage();
  let end = 'nothing';
  try {
    scriptEngine().run(script, HOST, { stepsMax, memoryBytesMax });
  } catch (error) {
    if (error === TOO_MANY_STEPS) end = 'steps';
    else if (error === TOO_MUCH_MEMORY) end = 'memory';
    else throw error;
  }
  const { user, system } = process.cpuUsage(before);
  return { ms: (user + system) / US_PER_MS, end };
}
