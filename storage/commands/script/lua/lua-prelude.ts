/**
 * The part of running scripts and functions that is written in Lua. It takes the table of functions
 * that only the host has, and one that takes registered functions; it returns the globals of
 * scripts, and the functions that compile a script, run it, load a library, and call a function.
 */

/** The name of the trusted chunk: errors never name a place in it. */
export const PRELUDE_NAME = '=prelude';
/** Where the registry has the globals of scripts. */
export const SCOPE = 'scope';

export const PRELUDE = `
local redis, registered = ...
local getinfo, loadstring, setfenv, xpcall, pcall, tostring, type, error, concat =
  debug.getinfo, loadstring, setfenv, xpcall, pcall, tostring, type, error, table.concat
local setmetatable, getmetatable, select, next = setmetatable, getmetatable, select, next

local READONLY = 'Attempt to modify a readonly table'

local known = {}
for name in ([[_VERSION assert bit cjson cmsgpack collectgarbage coroutine error gcinfo getmetatable
  ipairs loadstring math next pairs pcall rawequal rawget rawset select setmetatable string struct
  table tonumber tostring type unpack xpcall]]):gmatch('%S+') do
  known[name] = _G[name]
end
known.redis = redis

known.load = function(reader, name)
  local pieces = {}
  while true do
    local piece = reader()
    if piece == nil or piece == '' then break end
    if type(piece) ~= 'string' then error('reader function must return a string') end
    pieces[#pieces + 1] = piece
  end
  return known.loadstring(concat(pieces), name or '=(load)')
end

local scope = setmetatable({}, {
  __index = known,
  __newindex = function() error(READONLY, 2) end,
  __metatable = false,
})
setmetatable(known, {
  __index = function(_, name)
    local text = "Script attempted to access nonexistent global variable '"
    error(text .. tostring(name) .. "'", 2)
  end,
})
known._G = scope

for name in pairs(known) do
  local compiled = known[name]
  if type(compiled) == 'function' and getinfo(compiled, 'S').what ~= 'C' then
    setfenv(compiled, scope)
  end
end

-- As Redis has it: an error becomes a table that tells where it was raised.
local function handler(err)
  local level = 2
  local info = getinfo(level, 'Sl')
  while info and (info.what == 'C' or info.source == '=prelude') do
    level = level + 1
    info = getinfo(level, 'Sl')
  end
  if type(err) ~= 'table' then err = { err = 'ERR ' .. tostring(err) } end
  if info then
    err.source = info.source
    err.line = info.currentline
  end
  return err
end

known.__redis__err__handler = handler

local function compile(source)
  return known.loadstring(source, '@user_script')
end

local function run(script, keys, argv)
  known.KEYS = keys
  known.ARGV = argv
  return xpcall(script, handler)
end

-- What the library that is loaded has registered.
local callbacks = {}

local function refuse(text) error({ err = text }, 0) end

local FLAGS = {
  ['no-writes'] = true, ['allow-oom'] = true, ['allow-stale'] = true, ['no-cluster'] = true,
  ['allow-cross-slot-keys'] = true,
}

local function isText(value) return type(value) == 'string' or type(value) == 'number' end

local function flagsOf(given)
  if type(given) ~= 'table' then
    refuse('flags argument to redis.register_function must be a table representing function flags')
  end
  local flags = {}
  for i = 1, #given do
    if not FLAGS[given[i]] then refuse('unknown flag given') end
    flags[i] = given[i]
  end
  return concat(flags, ' ')
end

local function textOf(given, name)
  if not isText(given) then
    refuse(name .. ' argument given to redis.register_function must be a string')
  end
  return tostring(given)
end

local function callbackOf(given)
  if type(given) ~= 'function' then
    refuse('callback argument given to redis.register_function must be a function')
  end
  return given
end

local ARGUMENTS = {
  function_name = textOf, description = textOf, callback = callbackOf, flags = flagsOf,
}

local function namedOf(given)
  if type(given) ~= 'table' then
    refuse('calling redis.register_function with a single argument is only applicable to Lua ' ..
      'table (representing named arguments).')
  end
  local found = {}
  for key, value in next, given do
    if not isText(key) then
      refuse('named argument key given to redis.register_function is not a string')
    end
    local name = tostring(key):lower()
    local take = ARGUMENTS[name]
    if not take then refuse('unknown argument given to redis.register_function') end
    found[name] = take(value, name)
  end
  if not found.function_name then
    refuse('redis.register_function must get a function name argument')
  end
  if not found.callback then
    refuse('redis.register_function must get a callback argument')
  end
  return found
end

local function positionalOf(name, callback)
  if not isText(name) then
    refuse('first argument to redis.register_function must be a string')
  end
  if type(callback) ~= 'function' then
    refuse('second argument to redis.register_function must be a function')
  end
  return { function_name = tostring(name), callback = callback }
end

local function register(...)
  local count = select('#', ...)
  if count < 1 or count > 2 then
    refuse('wrong number of arguments to redis.register_function')
  end
  local found = count == 1 and namedOf(...) or positionalOf(...)
  local name = found.function_name
  if not name:find('^[%w_]+$') then
    refuse('Library names can only contain letters, numbers, or underscores(_) and must be at ' ..
      'least one character long')
  end
  if callbacks[name] then refuse('Function already exists in the library') end
  callbacks[name] = found.callback
  registered(name, found.flags or '', found.description)
end

-- Of a library while it is loaded: it runs no command.
local loading = setmetatable({ register_function = register }, getmetatable(known))
for _, name in next, {'log', 'LOG_DEBUG', 'LOG_VERBOSE', 'LOG_NOTICE', 'LOG_WARNING',
    'REDIS_VERSION', 'REDIS_VERSION_NUM'} do
  loading[name] = redis[name]
end

local function load(source)
  local script, problem = known.loadstring(source, '@user_function')
  if not script then return 'unreadable', problem end
  known.redis = loading
  local ok, result = pcall(script)
  known.redis = redis
  return ok and 'done' or 'failed', result
end

local function call(name, keys, argv)
  return xpcall(function() return callbacks[name](keys, argv) end, handler)
end

return scope, compile, run, load, call
`;
