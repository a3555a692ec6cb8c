--- Reads the records to import: any JSON array or object.
local cjson = require "cjson"

local M = {}

--- Debian's package iso-codes: the languages of the world, ISO 639-3.
M.DEFAULT = "/usr/share/iso-codes/json/iso_639-3.json"

--- Names that say "this is the key", best first.
local KEY_NAMES = { "id", "key", "code", "alpha_3" }

local function is_array(value)
  return type(value) == "table" and (#value > 0 or next(value) == nil)
end

local function is_key_field(items, field)
  local seen = {}
  for _, item in ipairs(items) do
    local value = type(item) == "table" and item[field]
    if type(value) ~= "string" and type(value) ~= "number" then return false end
    value = tostring(value)
    if value == "" or seen[value] then return false end
    seen[value] = true
  end
  return true
end

local function key_field(items)
  for _, field in ipairs(KEY_NAMES) do
    if is_key_field(items, field) then return field end
  end
end

-- An object with one list inside ({"639-3": [...]}) stands for the list.
local function unwrap(document)
  local name, value = next(document)
  if type(name) == "string" and next(document, name) == nil and is_array(value) then return value end
  return document
end

--- The records of a file, in a fixed order. Items of a list are keyed by their
--- field id, key, code or alpha_3 (the first that every item has, all different),
--- else by their position.
---@param path string
---@return { key: string, value: any }[]|nil, string|nil err
function M.read(path)
  local file, err = io.open(path, "rb")
  if not file then return nil, err end
  local text = file:read "*a"
  file:close()
  if not text then return nil, path .. ": cannot be read" end
  local ok, document = pcall(cjson.decode, text)
  if not ok then return nil, ("%s: is no JSON: %s"):format(path, document) end
  if type(document) ~= "table" then return nil, path .. ": a JSON array or object is expected" end
  document = unwrap(document)
  local records = {}
  if is_array(document) then
    local field = key_field(document)
    for i, item in ipairs(document) do
      records[i] = { key = field and tostring(item[field]) or tostring(i), value = item }
    end
  else
    for key, value in pairs(document) do
      if key ~= "" then records[#records + 1] = { key = key, value = value } end
    end
    table.sort(records, function(a, b) return a.key < b.key end)
  end
  if #records == 0 then return nil, path .. ": holds no records" end
  return records
end

return M
