/** Commands on functions whose replies are compared with those of servers of reference. */

type Words = readonly string[];

function load(code: string, ...options: Words): Words {
  return ['FUNCTION', 'LOAD', ...options, code];
}

function register(...functions: Words): string {
  return functions
    .map((name) => `redis.register_function('${name}', function(k, a) return '${name}' end)`)
    .join('\n');
}

const CALLS = `#!lua name=calls
local function written(keys, args)
  redis.call('set', keys[1], args[1])
  return redis.call('get', keys[1])
end
redis.register_function('written', written)
redis.register_function{function_name='Read', callback=function(keys) return redis.call('get', keys[1]) end,
  flags={'no-writes', 'allow-stale'}, description='It reads.'}
redis.register_function{function_name='sly', callback=written, flags={'no-writes'}}
redis.register_function('given', function(k, a) return {k, a, #k, #a} end)
redis.register_function('keys', function(k, a) return KEYS end)
redis.register_function('global', function(k, a) x = 1 end)
redis.register_function('fails', function(k, a) redis.call('set', k[1], 'kept') error('told') end)
redis.register_function('table_error', function(k, a) error({err = 'MY own'}) end)
redis.register_function('status', function(k, a) return redis.status_reply('fine') end)
redis.register_function('failure', function(k, a) return redis.error_reply('MY code') end)
redis.register_function('unknown', function(k, a) return redis.call('nosuch') end)
redis.register_function('caught', function(k, a) return redis.pcall('nosuch') end)
redis.register_function('registers', function(k, a) return redis.register_function end)
redis.register_function('libraries', function(k, a)
  return {type(cjson.encode), type(bit.band), type(string.rep), type(redis.call), tostring(1 / 3)}
end)
redis.register_function('map', function(k, a) redis.setresp(3) return {map = {a = 1}} end)
redis.register_function('double', function(k, a) return {double = 1.5} end)
`;

/** Of `CALLS`, with their numbers of keys. */
const NAMES = [
  ...['written', 'read', 'Read', 'READ', 'sly', 'given', 'keys', 'global', 'fails', 'table_error'],
  ...['status', 'failure', 'unknown', 'caught', 'registers', 'libraries', 'map', 'double', 'none'],
];

const FIRST_LINES = [
  ...['return 1', '#!lua\n', '#!lua name=x', '#!js name=x\n', '#!lua name=x foo=b\n', '#!\n'],
  ...['#!lua name=x name=y\n', '#!lua name=a-b\n', '#!lua name=\n', '#! lua name=x\n'],
  ...['#!lua name="x\n', '', '#!lua name= x\n'],
];

const BODIES = [
  ...['x = 1', "redis.call('ping')", 'redis.register_function()', "redis.register_function('f')"],
  ...[
    'return 1',
    'local x = 1 +',
    'redis.register_function(1, 2, 3)',
    "redis.register_function('f', 1)",
  ],
  ...['redis.register_function({}, function() end)', "redis.register_function{function_name='f'}"],
  ...['redis.register_function{callback=function() end}', 'redis.register_function{}'],
  "redis.register_function{function_name='a b', callback=function() end}",
  `${register('f')} ${register('f')}`,
  "redis.register_function{function_name='f', callback=function() end, flags={'bad'}}",
  "redis.register_function{function_name='f', callback=function() end, flags='no-writes'}",
  "redis.register_function{function_name='f', callback=function() end, other=1}",
  'redis.register_function{function_name={}, callback=function() end}',
  "redis.register_function{function_name='f', callback=function() end, description={}}",
  "redis.register_function{function_name='f', callback=1}",
];

/** In this order, on an empty server. */
export const COMPARED_FUNCTIONS: readonly Words[] = [
  ['FUNCTION', 'LIST'],
  ['FUNCTION', 'STATS'],
  ['FCALL', 'none', '0'],
  load(CALLS),
  load(CALLS),
  load(CALLS, 'REPLACE'),
  load(CALLS, 'replace', 'REPLACE'),
  load(CALLS, 'OTHER'),
  ...NAMES.flatMap((name) => [
    ['FCALL', name, '1', 'a', 'x'],
    ['FCALL_RO', name, '1', 'a', 'y'],
    ['GET', 'a'],
  ]),
  ...['x', '-1', '2', '1'].map((keys) => ['FCALL', 'given', keys, 'a']),
  ...['x', '-1', '2', '1'].map((keys) => ['FCALL', 'none', keys, 'a']),
  ...FIRST_LINES.map((line) => load(`${line}${register('f')}`)),
  ...BODIES.map((body) => load(`#!lua name=f\n${body}`)),
  load(`#!LUA NAME='quoted'\n${register('q')}`),
  load(`#!lua name=other\n${register('o', 'Given')}`),
  load(`#!lua name=other\n${register('o', 'p')}`),
  ['FUNCTION', 'LIST'],
  ['FUNCTION', 'LIST', 'LIBRARYNAME', 'O*'],
  ['FUNCTION', 'LIST', 'WITHCODE', 'libraryname', 'quoted'],
  ['FUNCTION', 'LIST', 'LIBRARYNAME'],
  ['FUNCTION', 'LIST', 'x'],
  ['FUNCTION', 'LIST', 'WITHCODE', 'WITHCODE'],
  ['FUNCTION', 'STATS'],
  ['FUNCTION', 'KILL'],
  ['FUNCTION', 'DELETE', 'nosuch'],
  ['FUNCTION', 'DELETE', 'other'],
  ['FUNCTION', 'DELETE', 'other'],
  ['FCALL', 'o', '0'],
  load(`#!lua name=calls\n${register('q')}`, 'REPLACE'),
  load(`#!lua name=calls\n${register('other')}`, 'REPLACE'),
  ['FCALL', 'written', '1', 'a', 'x'],
  ['FCALL', 'other', '0'],
  ['FUNCTION', 'RESTORE', 'x'],
  ['FUNCTION', 'RESTORE', 'x', 'y'],
  ['FUNCTION', 'RESTORE', 'x', 'y', 'z'],
  ['FUNCTION', 'FLUSH', 'x'],
  ['FUNCTION', 'FLUSH', 'ASYNC', 'x'],
  ['FUNCTION', 'FLUSH', 'async'],
  ['FUNCTION', 'LIST'],
  ['FUNCTION', 'FLUSH'],
  ['FUNCTION'],
  ['FUNCTION', 'nosuch'],
  ['FUNCTION', 'LOAD'],
];

/** Libraries to be moved between servers: one is long enough to be packed. */
export const MOVED_LIBRARIES: readonly Words[] = [
  load(CALLS),
  load(`#!lua name=long\n${register(...Array.from({ length: 200 }, (_, i) => `f${i}`))}`),
  load(
    `#!lua name=bytes\n-- ${String.fromCharCode(...Array.from({ length: 255 }, (_, i) => i + 1)).replace(/[\r\n]/g, '')}\n${register('bytes')}`,
  ),
];
