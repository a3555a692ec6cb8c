--- The document as JSON, and back. Keys are sorted and numbers are written so that
--- they read back as they were: the same document is the same bytes.
local cjson = require "cjson"
local schema = require "wingman.report.model.schema"
local shape = require "wingman.report.model.table_schema"
local sorted = require "wingman.base.sorted"
local utf8_text = require "wingman.text.utf8"
local validate = require "wingman.report.model.validate"

local huge = math.huge

local M = {}

-- A codec of its own: settings of the shared one are the script's.
local codec = cjson.new()
codec.decode_max_depth(32)
codec.decode_invalid_numbers(false)

-- The shortest decimal form that reads back as the same number.
local function decimal(n)
  if n ~= n then return '"nan"' end
  if n == huge then return '"inf"' end
  if n == -huge then return '"-inf"' end
  for digits = 15, 16 do
    local text = ("%." .. digits .. "g"):format(n)
    if tonumber(text) == n then return text end
  end
  return ("%.17g"):format(n)
end

local encode

local function encode_list(rule, value, depth)
  local parts = {}
  for i = 1, #value do parts[i] = encode(rule and rule.of, value[i], depth + 1) end
  -- Lists of objects have a line for each, so that grep and diff are of use.
  if depth <= 2 and type(value[1]) == "table" then
    return "[\n" .. table.concat(parts, ",\n") .. "]"
  end
  return "[" .. table.concat(parts, ",") .. "]"
end

local function encode_object(rule, value, depth)
  local parts = {}
  for i, key in ipairs(sorted.keys(value)) do
    local inner = rule and (rule.of or rule.fields and rule.fields[key])
    parts[i] = codec.encode(utf8_text.clean(key)) .. ":" .. encode(inner, value[key], depth + 1)
  end
  return "{" .. table.concat(parts, depth == 0 and ",\n" or ",") .. "}"
end

function encode(rule, value, depth)
  if type(value) == "string" then return codec.encode(utf8_text.clean(value)) end
  if type(value) == "number" then return decimal(value) end
  if value == false and rule and rule.kind == "none" then return "null" end
  if type(value) ~= "table" then return codec.encode(value) end
  if rule and rule.kind == "variant" then rule = rule.variants[value[rule.by]] end
  if rule and rule.kind == "list" or not rule and #value > 0 then return encode_list(rule, value, depth) end
  return encode_object(rule, value, depth)
end

--- The document with its metrics by name and tags, in whatever order they were made, so
--- that every form of it is the same as of what is read from its JSON.
---@param document table
---@return table  a copy; its parts are the document's
function M.in_order(document)
  local copy, keys = {}, {}
  for name, value in pairs(document) do copy[name] = value end
  copy.metrics = {}
  for i, metric in ipairs(document.metrics) do
    copy.metrics[i], keys[metric] = metric, validate.tag_key(metric)
  end
  table.sort(copy.metrics, function(a, b) return keys[a] < keys[b] end)
  return copy
end

--- The document as JSON text.
---@param document table  a valid one
---@return string
function M.encode(document) return encode(schema.document, M.in_order(document), 0) .. "\n" end

--- Any table as JSON with sorted keys; an empty one is an object.
---@param value any
---@return string
function M.encode_plain(value) return encode(nil, value, 3) .. "\n" end

--- The document in a JSON text.
---@param text string
---@return table|nil, string|nil err
function M.decode(text)
  local ok, value = pcall(codec.decode, text)
  if not ok then return nil, "no JSON: " .. tostring(value) end
  if type(value) ~= "table" then return nil, "no report: a JSON object is expected" end
  local document = shape.from_json(schema.document, value)
  local valid, wrong = validate.validate(document)
  if not valid then return nil, wrong end
  return document
end

return M
