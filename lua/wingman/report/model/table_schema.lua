--- Shapes of tables: what a document may contain, said once and used three times,
--- to check it, to write it as JSON and to take it from JSON. A shape knows what a
--- Lua table does not: whether an empty one is a list or an object, and where a
--- number may be infinite.
local cjson = require "cjson"
local histogram = require "wingman.base.histogram"
local sorted = require "wingman.base.sorted"

local floor, huge = math.floor, math.huge

local M = {}

---@class wingman.report.shape
---@field kind string
---@field check fun(value: any, path: string): string|nil  what is wrong, with its place
---@field fields table<string, wingman.report.shape>|nil  of an object
---@field of wingman.report.shape|nil  of a list's elements, a map's values
---@field variants table<string, wingman.report.shape>|nil
---@field by string|nil  the field that chooses the variant
---@field optional boolean|nil

local function show(value)
  if type(value) == "string" then return ("%q"):format(#value > 40 and value:sub(1, 40) .. "…" or value) end
  if type(value) == "table" then return "a table" end
  return value == nil and "nothing" or tostring(value)
end

local function expected(what, value, path) return ("%s: %s is expected, got %s"):format(path, what, show(value)) end

local function plain(kind, what, good)
  return { kind = kind, check = function(value, path)
    if not good(value) then return expected(what, value, path) end
  end }
end

M.text = plain("text", "a string", function(v) return type(v) == "string" end)
M.scalar = plain("scalar", "a string, a number, true or false", function(v)
  return type(v) == "string" or type(v) == "boolean" or type(v) == "number" and v - v == 0
end)
M.flag = plain("flag", "true or false", function(v) return type(v) == "boolean" end)
--- A count: whole, from 0 to 2^53.
M.whole = plain("whole", "a whole number from 0", function(v)
  return type(v) == "number" and v >= 0 and v <= 2 ^ 53 and floor(v) == v
end)
--- A finite number from 0: a time, a rate, a share.
M.amount = plain("amount", "a finite number from 0", function(v)
  return type(v) == "number" and v >= 0 and v < huge
end)
--- A finite number of any sign.
M.finite = plain("finite", "a finite number", function(v) return type(v) == "number" and v - v == 0 end)
--- Any number. What JSON cannot say is "inf", "-inf" or "nan" there.
M.number = plain("number", "a number", function(v) return type(v) == "number" end)
--- An index from 1, or -1 for none.
M.index = plain("index", "an index from 1, or -1", function(v)
  return type(v) == "number" and (v == -1 or v >= 1 and floor(v) == v and v <= 2 ^ 31)
end)
--- A finite number from 0, or false for none (null in JSON).
M.amount_or_none = plain("none", "a finite number from 0, or false for none", function(v)
  return v == false or type(v) == "number" and v >= 0 and v < huge
end)

--- One of several strings.
function M.one_of(...)
  local names, list = {}, { ... }
  for _, name in ipairs(list) do names[name] = true end
  return plain("text", "one of " .. table.concat(list, ", "), function(v) return type(v) == "string" and names[v] ~= nil end)
end

--- The same shape, where nothing may stand as well.
function M.optional(shape)
  local copy = {}
  for k, v in pairs(shape) do copy[k] = v end
  copy.optional = true
  return copy
end

--- A list; `max` is the most elements it may have.
function M.list(of, max)
  return { kind = "list", of = of, check = function(value, path)
    if type(value) ~= "table" then return expected("a list", value, path) end
    local n = 0
    for _ in pairs(value) do n = n + 1 end
    if n ~= #value then return path .. ": a list without holes is expected" end
    if max and n > max then return ("%s: at most %d elements are expected, got %d"):format(path, max, n) end
    for i = 1, n do
      local wrong = of.check(value[i], ("%s[%d]"):format(path, i))
      if wrong then return wrong end
    end
  end }
end

--- String keys, all values of one shape.
function M.map(of)
  return { kind = "map", of = of, check = function(value, path)
    if type(value) ~= "table" then return expected("an object", value, path) end
    for k, v in pairs(value) do
      if type(k) ~= "string" then return ("%s: names as keys are expected, got %s"):format(path, show(k)) end
      local wrong = of.check(v, path .. "." .. k)
      if wrong then return wrong end
    end
  end }
end

--- An object with these fields. Others may be there: documents grow.
function M.object(fields)
  local names = sorted.keys(fields)
  return { kind = "object", fields = fields, check = function(value, path)
    if type(value) ~= "table" then return expected("an object", value, path) end
    local place = path == "" and "" or path .. "."
    for _, name in ipairs(names) do
      local field, shape = value[name], fields[name]
      if field == nil and not shape.optional then return place .. name .. ": missing" end
      local wrong = field ~= nil and shape.check(field, place .. name)
      if wrong then return wrong end
    end
    for name in pairs(value) do
      if type(name) ~= "string" then return ("%s: names as keys are expected, got %s"):format(path, show(name)) end
    end
  end }
end

--- An object whose field `by` says which shape it has.
function M.variant(by, variants)
  local names = sorted.keys(variants)
  return { kind = "variant", by = by, variants = variants, check = function(value, path)
    if type(value) ~= "table" then return expected("an object", value, path) end
    local chosen = type(value[by]) == "string" and variants[value[by]]
    if not chosen then return expected("one of " .. table.concat(names, ", "), value[by], path .. "." .. by) end
    return chosen.check(value, path)
  end }
end

local histogram_fields = M.object {
  digits = M.whole, lowest = M.whole, limit = M.whole, min = M.whole, max = M.whole, overflows = M.whole,
  counts = M.list(M.whole), unit = M.text,
}
--- What histogram:export() makes, with the unit of one step.
M.histogram = { kind = "object", fields = histogram_fields.fields, check = function(value, path)
  local wrong = histogram_fields.check(value, path)
  if wrong then return wrong end
  local made, err = histogram.import(value)
  if not made then return path .. "." .. err end
  made:close()
end }

local infinite = { inf = huge, ["-inf"] = -huge, nan = 0 / 0 }

--- Turns decoded JSON into a document, in place: null is nothing, or false where
--- a list has places without a value; "inf" is a number where one may stand.
---@param shape wingman.report.shape|nil  nil for fields that no shape names
---@param value any
---@return any
function M.from_json(shape, value)
  local kind = shape and shape.kind
  if value == cjson.null then
    if kind == "none" then return false end
    return nil
  end
  if kind == "number" and infinite[value] then return infinite[value] end
  if type(value) ~= "table" then return value end
  if kind == "variant" then shape = shape.variants[value[shape.by]] end
  for k, v in pairs(value) do
    local inner = shape and (shape.of or shape.fields and shape.fields[k])
    value[k] = M.from_json(inner, v)
  end
  return value
end

return M
