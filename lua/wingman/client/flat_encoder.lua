--- The fast way of a value into its operation. Most values of a map have one shape:
--- a flat table with the same few string keys. For such a shape a function is
--- generated that reads the fields by name and writes MessagePack through the FFI
--- straight into the operation's place in the log; LuaJIT compiles it whole.
--- Everything else (other shapes, nested tables, marks, big integers) goes the
--- general way through the core, with the same result.
local M = {}

local C = require "wingman.cluster.client_ffi"
if not C then return M end

local ffi = require "ffi"
-- The fork of LuaJIT that set-up installs counts a table's keys in one compiled call.
local has_nkeys, nkeys = pcall(require, "table.nkeys")

--- Fields of a shape at most; what is larger goes the general way.
local MAX_FIELDS = 16
--- Strings longer than this go the general way (their length takes more bytes).
local MAX_STRING = 65535
--- Shapes per map; a map whose values keep changing shape goes the general way.
local MAX_SHAPES = 8

-- In C: in Lua each size of a number or a text would be another trace, and a loop whose
-- values outgrow the size that it was compiled for would stay slow.
local put_number, put_str = C.wm_mp_put_number, C.wm_mp_put_str

-- A string's room by its length, 9 for a number, 1 for a boolean; a negative
-- number for what goes the general way, big enough to outweigh the rest.
local NOT_FLAT = -1e9
-- Only valid UTF-8 is a MessagePack string. In C: a loop here would keep LuaJIT from
-- compiling the caller's loop.
local C_utf8_valid = C.wm_utf8_valid
local function utf8_valid(s) return C_utf8_valid(s, #s) end

local function room(v)
  local t = type(v)
  if t == "number" then return 9 end
  if t == "string" then return #v <= MAX_STRING and utf8_valid(v) and #v + 3 or NOT_FLAT end
  if t == "boolean" then return 1 end
  return NOT_FLAT
end

local function write_scalar(p, pos, v)
  local t = type(v)
  if t == "number" then return pos + put_number(p + pos, v) end
  if t == "string" then return pos + put_str(p + pos, v, #v) end
  p[pos] = v and 0xc3 or 0xc2
  return pos + 1
end

-- The keys of a value, sorted; nil when it has not the form of a shape.
local function shape_of(value)
  local keys = {}
  for k, v in pairs(value) do
    if type(k) ~= "string" or #k > 31 or not utf8_valid(k) then return nil end
    if room(v) < 0 then return nil end
    keys[#keys + 1] = k
    if #keys > MAX_FIELDS then return nil end
  end
  if #keys == 0 then return nil end
  table.sort(keys)
  return keys
end

-- The generated function: size(value) -> room needed or a negative number,
-- write(p, value) -> length. Each key is a constant with its MessagePack bytes.
local function compile(keys)
  local lines = { "local room, write_scalar, copy, nkeys = ...", "local next = next" }
  local function add(text, ...) lines[#lines + 1] = text:format(...) end
  for i, key in ipairs(keys) do
    add("local k%d = %q", i, string.char(0xa0 + #key) .. key)
  end
  add "local function size(v)"
  if has_nkeys then
    add("  if nkeys(v) ~= %d then return -1 end", #keys)
  else -- without a loop, which LuaJIT could not compile within the caller's
    add "  local k = next(v)"
    for _ = 1, #keys do
      add "  if k == nil then return -1 end"
      add "  k = next(v, k)"
    end
    add "  if k ~= nil then return -1 end"
  end
  local sum = { "1" }
  for i, key in ipairs(keys) do
    add("  local f%d = v[%q]", i, key)
    sum[#sum + 1] = ("room(f%d) + %d"):format(i, #key + 1)
  end
  add("  return %s", table.concat(sum, " + "))
  add "end"
  add "local function write(p, v)"
  add("  p[0] = %d", #keys < 16 and 0x80 + #keys or 0xde)
  add("  local pos = %d", #keys < 16 and 1 or 3)
  if #keys >= 16 then add("  p[1], p[2] = 0, %d", #keys) end
  for i, key in ipairs(keys) do
    add("  copy(p + pos, k%d, %d)", i, #key + 1)
    add("  pos = write_scalar(p, pos + %d, v[%q])", #key + 1, key)
  end
  add "  return pos"
  add "end"
  add "return size, write"
  local chunk = assert(loadstring(table.concat(lines, "\n"), "=shape"))
  return chunk(room, write_scalar, ffi.copy, nkeys)
end

--- A setter for one map: set(key, value) -> seq, or nil when the value is to go
--- the general way, or nil and a status below 0 when the write was refused.
---@param pointer userdata  the map's address, from core map:pointer()
---@return fun(key: string, value: table): number|nil, number|nil
function M.setter(pointer)
  local map = ffi.cast("wm_map *", pointer)
  local begin, commit, status = C.wm_map_begin_set, C.wm_map_commit_set, C.wm_map_status
  local shapes, count = {}, 0
  local last_size, last_write -- of the shape that was met last

  local function learn(value)
    if getmetatable(value) ~= nil or count >= MAX_SHAPES then return false end
    local keys = shape_of(value)
    if not keys then return false end
    local name = table.concat(keys, "\0")
    local shape = shapes[name]
    if not shape then
      count = count + 1
      local size, write = compile(keys)
      shape = { size = size, write = write }
      shapes[name] = shape
    end
    last_size, last_write = shape.size, shape.write
    return true
  end

  return function(key, value)
    local size, write = last_size, last_write
    local need = size and size(value) or -1
    if need < 0 or getmetatable(value) ~= nil then
      if not learn(value) then return nil end
      size, write = last_size, last_write
      need = size(value)
      if need < 0 then return nil end
    end
    local p = begin(map, key, #key, need + 1)
    if p == nil then return nil, status(map) end
    local seq = commit(map, write(p, value))
    if seq < 0 then return nil, seq end
    return seq
  end
end

return M
