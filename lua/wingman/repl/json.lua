--- Values as JSON, exactly: numbers have the digits that bring back the same number, 64-bit
--- integers all of theirs, and keys their order. cjson, which writes 14 digits at most and
--- no 64-bit integers, does the strings.
local cjson = require "cjson"
local core = require "wingman.core"
local utf8_text = require "wingman.text.utf8"

local M = {}

local MAX_DEPTH = 128
--- Integers up to here are exact as a double.
local EXACT = 2 ^ 53

local function refuse(format, ...) error({ refused = format:format(...) }, 0) end

local function number(n)
  if n ~= n or n == math.huge or n == -math.huge then refuse("%s is no number of JSON", tostring(n)) end
  if n % 1 == 0 and math.abs(n) <= EXACT then return n == 0 and 1 / n < 0 and "-0" or ("%.0f"):format(n) end
  for _, form in ipairs { "%.14g", "%.15g", "%.16g" } do
    local text = form:format(n)
    if tonumber(text) == n then return text end
  end
  return ("%.17g"):format(n)
end

local function text(value) return cjson.encode(utf8_text.clean(value)) end

-- How many elements, when it is an array: marked as one, or with the keys 1 to n.
local function length_of_array(value)
  if getmetatable(value) == core.array_mark then return tonumber(rawget(value, "n")) or #value end
  local count, most = 0, 0
  for key in next, value do
    if type(key) ~= "number" or key < 1 or key % 1 ~= 0 then return nil end
    count, most = count + 1, math.max(most, key)
  end
  return count > 0 and count == most and count or nil
end

local encode

local function array(value, n, path, depth)
  local parts = {}
  for i = 1, n do
    local element = rawget(value, i)
    parts[i] = element == nil and "null" or encode(element, path, depth + 1)
  end
  return "[" .. table.concat(parts, ",") .. "]"
end

local function object(value, path, depth)
  local names, parts = {}, {}
  local by_name = {}
  for key, element in next, value do
    if type(key) ~= "string" and type(key) ~= "number" then refuse("a key is a %s", type(key)) end
    local name = type(key) == "number" and number(key) or key
    names[#names + 1], by_name[name] = name, element
  end
  table.sort(names)
  for i, name in ipairs(names) do parts[i] = text(name) .. ":" .. encode(by_name[name], path, depth + 1) end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function of_table(value, path, depth)
  if getmetatable(value) == core.bin_mark then return text(value.bytes) end
  if path[value] then refuse "a table holds itself" end
  if depth > MAX_DEPTH then refuse("tables are nested deeper than %d levels", MAX_DEPTH) end
  path[value] = true
  local n = length_of_array(value)
  local result
  if n then result = array(value, n, path, depth) else result = object(value, path, depth) end
  path[value] = nil
  return result
end

function encode(value, path, depth)
  local kind = type(value)
  if value == nil or value == core.null then return "null" end
  if kind == "boolean" then return tostring(value) end
  if kind == "number" then return number(value) end
  if kind == "string" then return text(value) end
  if kind == "table" then return of_table(value, path, depth) end
  local digits = kind == "cdata" and tostring(value):match "^(%-?%d+)U?LL$"
  return digits or refuse("a %s has no JSON form", kind)
end

--- One value on one line; nil and why not for what has no JSON form. Bytes that are not
--- UTF-8 become U+FFFD, which JSON has no other form for.
---@param value any
---@return string|nil json, string|nil err
function M.encode(value)
  local ok, result = pcall(encode, value, {}, 1)
  if ok then return result end
  if type(result) == "table" then return nil, result.refused end
  error(result, 0)
end

return M
