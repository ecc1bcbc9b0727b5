/**
 * The part of running a script that is written in Lua. It takes the table of functions that only
 * the host has, and returns the globals of scripts and the function that runs one.
 */

/** The name of the trusted chunk: errors never name a place in it. */
export const PRELUDE_NAME = '=prelude';
/** Where the registry has the globals of scripts. */
export const SCOPE = 'scope';

export const PRELUDE = `
local redis = ...
local getinfo, loadstring, setfenv, xpcall, tostring, type, error, setmetatable, concat =
  debug.getinfo, loadstring, setfenv, xpcall, tostring, type, error, setmetatable, table.concat

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

local function run(source, keys, argv)
  local script, problem = known.loadstring(source, '@user_script')
  if not script then return 'unreadable', problem end
  if not keys then return 'readable', nil end
  known.KEYS = keys
  known.ARGV = argv
  local ok, result = xpcall(script, handler)
  return ok and 'done' or 'failed', result
end

return scope, run
`;
