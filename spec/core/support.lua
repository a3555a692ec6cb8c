--- What the specs of the core share: the vectors, hexadecimal, comparison,
--- random values, and an independent look at MessagePack bytes.
local ffi = require "ffi"
local dkjson = require "dkjson"
local core = require "wingman.core"

local char, byte, concat = string.char, string.byte, table.concat
local floor, random = math.floor, math.random

local M = {}

local here = debug.getinfo(1, "S").source:match "^@(.*)support%.lua$"

function M.hex(bytes)
  return (bytes:gsub(".", function(c) return ("%02x"):format(byte(c)) end))
end

function M.unhex(text)
  return (text:gsub("%x%x", function(pair) return char(tonumber(pair, 16)) end))
end

local array_meta, object_meta = {}, {}

--- A file of spec/vectors. Null is core.null; lists and objects can be told
--- apart by is_list, also when empty.
function M.vectors(name)
  local file = assert(io.open(here .. "../vectors/" .. name, "rb"))
  local text = file:read "*a"
  file:close()
  local value, _, err = dkjson.decode(text, 1, core.null, object_meta, array_meta)
  return assert(value, err)
end

function M.is_list(json) return getmetatable(json) == array_meta end

--- The seed of this run's random tests; WINGMAN_SEED repeats one. It belongs in
--- the name of each test that uses it.
M.seed = tonumber(os.getenv "WINGMAN_SEED") or os.time() % 1000000

--- 64-bit integers from decimal text: a number up to 2^53, else cdata.
function M.integer(text)
  local number = tonumber(text)
  if number >= -2 ^ 53 and number <= 2 ^ 53 and not text:match "9007199254740993" then return number end
  local magnitude = 0ULL
  for digit in text:gmatch "%d" do magnitude = magnitude * 10 + tonumber(digit) end
  if text:sub(1, 1) == "-" then return -ffi.cast("int64_t", magnitude) end
  if magnitude <= 0x7fffffffffffffffULL then return ffi.cast("int64_t", magnitude) end
  return magnitude
end

--- Where two values differ, as text; nil when they do not. Marks do not count,
--- NaN equals NaN, 64-bit integers equal only their like.
function M.difference(a, b, path)
  path = path or "value"
  if type(a) ~= type(b) then return ("%s: %s (%s) against %s (%s)"):format(path, tostring(a), type(a), tostring(b), type(b)) end
  if type(a) == "cdata" then
    if tostring(a) == tostring(b) then return nil end
  elseif type(a) ~= "table" then
    if a == b or (a ~= a and b ~= b) then return nil end
  else
    for k, v in pairs(a) do
      local found = M.difference(v, b[k], path .. "." .. tostring(k))
      if found then return found end
    end
    for k in pairs(b) do
      if a[k] == nil then return path .. "." .. tostring(k) .. ": only in the second" end
    end
    return nil
  end
  return ("%s: %s against %s"):format(path, tostring(a), tostring(b))
end

-- The lengths of MessagePack values, written from the specification, not from
-- core/base/msgpack.c.
local fixed = { [0xc0] = 0, [0xc2] = 0, [0xc3] = 0, [0xca] = 4, [0xcb] = 8, [0xcc] = 1, [0xcd] = 2, [0xce] = 4,
  [0xcf] = 8, [0xd0] = 1, [0xd1] = 2, [0xd2] = 4, [0xd3] = 8, [0xd4] = 2, [0xd5] = 3, [0xd6] = 5, [0xd7] = 9,
  [0xd8] = 17 }
local sized = { [0xc4] = 1, [0xc5] = 2, [0xc6] = 4, [0xd9] = 1, [0xda] = 2, [0xdb] = 4 }

local function big_endian(bytes, pos, width)
  local value = 0
  for i = 0, width - 1 do value = value * 256 + byte(bytes, pos + i) end
  return value
end

local function map_header(count)
  if count < 16 then return char(0x80 + count) end
  if count < 65536 then return char(0xde, floor(count / 256), count % 256) end
  return char(0xdf, floor(count / 2 ^ 24), floor(count / 65536) % 256, floor(count / 256) % 256, count % 256)
end

local function canonical(bytes, pos)
  local lead = assert(byte(bytes, pos), "too short")
  if lead < 0x80 or lead >= 0xe0 then return char(lead), pos + 1 end
  if fixed[lead] then return bytes:sub(pos, pos + fixed[lead]), pos + 1 + fixed[lead] end
  if lead >= 0xa0 and lead < 0xc0 then return bytes:sub(pos, pos + lead - 0xa0), pos + 1 + lead - 0xa0 end
  if sized[lead] then
    local stop = pos + sized[lead] + big_endian(bytes, pos + 1, sized[lead])
    return bytes:sub(pos, stop), stop + 1
  end
  local is_map, header, count
  if lead < 0xa0 then
    is_map, header, count = lead < 0x90, 1, lead % 16
  elseif lead >= 0xdc and lead <= 0xdf then
    local width = lead % 2 == 0 and 2 or 4
    is_map, header, count = lead >= 0xde, 1 + width, big_endian(bytes, pos + 1, width)
  else
    error(("extension at %d"):format(pos))
  end
  local parts, part = { bytes:sub(pos, pos + header - 1) }
  pos = pos + header
  if is_map then
    parts = {}
    for i = 1, count do
      local key
      key, pos = canonical(bytes, pos)
      part, pos = canonical(bytes, pos)
      parts[i] = key .. part
    end
    table.sort(parts)
    return map_header(count) .. concat(parts), pos
  end
  for i = 1, count do parts[i + 1], pos = canonical(bytes, pos) end
  return concat(parts), pos
end

--- The same value with what two right encoders may do differently taken out:
--- map headers in their shortest form, pairs in the order of their bytes.
function M.canonical(bytes)
  local result, next_pos = canonical(bytes, 1)
  assert(next_pos == #bytes + 1, "bytes after the value")
  return result
end

-- Random values ----------------------------------------------------------------

function M.random_bytes(len)
  local bytes = {}
  for i = 1, len do bytes[i] = char(random(0, 255)) end
  return concat(bytes)
end

local letters = { "a", "Z", "0", " ", "\0", "\127", "\194\128", "\195\169", "\230\151\165", "\239\191\191",
  "\240\144\128\128", "\240\159\152\128", "\244\143\191\191" }

function M.random_text(len)
  local text = {}
  for i = 1, len do text[i] = letters[random(#letters)] end
  return concat(text)
end

local lengths = { 0, 1, 2, 15, 16, 31, 32, 33, 255, 256, 257 }
local edges = { 0, 127, 128, 255, 256, 65535, 65536, 2 ^ 31 - 1, 2 ^ 31, 2 ^ 32 - 1, 2 ^ 32, 2 ^ 53 - 1, 2 ^ 53 }

function M.random_number()
  local choice = random(5)
  if choice == 1 then return (edges[random(#edges)] + random(-2, 2)) * (random(2) == 1 and 1 or -1) end
  if choice == 2 then return random() * 2 ^ random(-1000, 1000) end
  if choice == 3 then return random(-100, 300) end
  if choice == 4 then return ({ 1 / 0, -1 / 0, 0.5, -1.25 })[random(4)] end
  return random(0, 2 ^ 31 - 1) * 2 ^ random(0, 21)
end

--- A random value; `wide` also has 64-bit integers and strings of any bytes.
function M.random_value(depth, wide)
  local choice = random(depth > 0 and 10 or 6)
  if choice == 1 then return core.null end
  if choice == 2 then return random(2) == 1 end
  if choice == 3 or choice == 4 then return M.random_number() end
  if choice == 5 then return M.random_text(lengths[random(#lengths)]) end
  if choice == 6 then
    if not wide then return M.random_text(random(0, 8)) end
    if random(2) == 1 then return M.random_bytes(lengths[random(#lengths)]) end
    local bits = ffi.cast("uint64_t", random(0, 2 ^ 32 - 1)) * 0x100000000ULL + random(0, 2 ^ 32 - 1)
    if bits <= 0x20000000000000ULL then return tonumber(bits) end
    if bits > 0x7fffffffffffffffULL and random(2) == 1 then
      local negative = ffi.cast("int64_t", bits)
      return negative >= -0x20000000000000LL and tonumber(negative) or negative
    end
    return bits > 0x7fffffffffffffffULL and bits or ffi.cast("int64_t", bits)
  end
  local count = random(0, 20)
  local value = {}
  if choice <= 8 then
    for i = 1, count do value[i] = M.random_value(depth - 1, wide) end
    return count == 0 and setmetatable(value, core.array_mark) or value
  end
  for _ = 1, count do value[M.random_text(random(0, 12))] = M.random_value(depth - 1, wide) end
  return value
end

return M
