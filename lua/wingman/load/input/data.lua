--- Data sets for scenarios: rows of a CSV, JSON or NDJSON file, read once and shared by
--- all users. Rows are for reading: a user that changes one changes it for all.
---
---   local people = load.data "people.csv"
---   exec = function(vu) local row = people:next() … end
local cjson = require "cjson"
local script = require "wingman.load.input.script"
local usage_error = require "wingman.base.usage_error"

local M = {}

---@class wingman.load.data
---@field rows table[]  all of them; read them only
local methods = {}
methods.__index = methods

-- The fields of CSV text, quoted ones with line ends and doubled quotes in them (RFC 4180).
local function csv_records(text, path)
  local records, record, at = {}, {}, 1
  local n = #text
  while at <= n do
    local field
    if text:sub(at, at) == '"' then
      local parts, from = {}, at + 1
      while true do
        local quote = text:find('"', from, true)
        if not quote then error(("%s: a quoted field does not end, record %d"):format(path, #records + 1), 0) end
        parts[#parts + 1] = text:sub(from, quote - 1)
        if text:sub(quote + 1, quote + 1) ~= '"' then
          at = quote + 1
          break
        end
        parts[#parts + 1] = '"'
        from = quote + 2
      end
      field = table.concat(parts)
    else
      local stop = text:find("[,\r\n]", at) or n + 1
      field = text:sub(at, stop - 1)
      at = stop
    end
    record[#record + 1] = field
    local next_char = text:sub(at, at)
    if next_char == "," then
      at = at + 1
      if at > n then record[#record + 1] = "" end
    else
      local line_end = text:match("^\r?\n", at)
      if not line_end and at <= n then error(("%s: '%s' after a quoted field, record %d"):format(path, next_char, #records + 1), 0) end
      at = at + #(line_end or "")
      records[#records + 1] = record
      record = {}
    end
  end
  if #record > 0 then records[#records + 1] = record end
  return records
end

-- A number where it is written as one: what leaves is typed.
local function value_of(text)
  local number = tonumber(text)
  if number and text:match "^%-?%d+%.?%d*$" and not text:match "^%-?0%d" then return number end
  return text
end

local readers = {}

function readers.csv(text, path)
  local records = csv_records(text, path)
  local names = records[1] or {}
  local rows = {}
  for i = 2, #records do
    if #records[i] ~= #names then
      error(("%s: record %d has %d fields, the heading has %d"):format(path, i, #records[i], #names), 0)
    end
    local row = {}
    for c, name in ipairs(names) do row[name] = value_of(records[i][c]) end
    rows[#rows + 1] = row
  end
  return rows
end

function readers.json(text, path)
  local ok, value = pcall(cjson.decode, text)
  if not ok then error(("%s: %s"):format(path, value), 0) end
  if type(value) ~= "table" or value[1] == nil then error(path .. ": a JSON array is expected", 0) end
  return value
end

function readers.ndjson(text, path)
  local rows, number = {}, 0
  for line in text:gmatch "([^\n]*)\n?" do
    number = number + 1
    if line:match "%S" then
      local ok, value = pcall(cjson.decode, line)
      if not ok then error(("%s, line %d: %s"):format(path, number, value), 0) end
      rows[#rows + 1] = value
    end
  end
  return rows
end
readers.jsonl = readers.ndjson

-- Opens a file that lies beside the script, or else one where the program was started.
local function open_beside(path)
  local folder = not path:match "^/" and script.folder()
  local file = folder and io.open(folder .. "/" .. path)
  if file then return file end
  local here, err = io.open(path)
  if here or not folder or folder == "." then return here, err end
  return nil, ("%s (nor is it in %s)"):format(err, folder)
end

local sets = {} -- by path: a second load.data of a file reads nothing

--- The data set of a file; raises when it cannot be read.
---@param path string  ends in .csv, .json, .ndjson or .jsonl; looked for beside the script first
---@return wingman.load.data
function M.open(path)
  if sets[path] then return sets[path] end
  local reader = readers[(path:match "%.(%w+)$" or ""):lower()]
  if not reader then usage_error.raise(("load.data: '%s': a file ending in .csv, .json or .ndjson is expected"):format(path), 2) end
  local file, err = open_beside(path)
  if not file then usage_error.raise("load.data: " .. err, 2) end
  local text = file:read "*a"
  file:close()
  local ok, rows = pcall(reader, text, path)
  if not ok then usage_error.raise("load.data: " .. rows, 2) end
  if #rows == 0 then usage_error.raise(("load.data: '%s' has no rows"):format(path), 2) end
  local self = setmetatable({ rows = rows, position = 0, step = 1 }, methods)
  sets[path] = self
  return self
end

--- Part of a run: shards take turns at the rows.
---@param shard { index: integer, count: integer }
function M.split(shard)
  for _, set in pairs(sets) do set.position, set.step = shard.index, shard.count end
end

--- How many rows there are.
---@return integer
function methods:size() return #self.rows end

--- Row i, from 1.
---@param i integer
---@return table
function methods:at(i) return self.rows[i] end

--- The next row: all users of the test take turns, from the first again after the last.
---@return table
function methods:next()
  local row = self.rows[self.position % #self.rows + 1]
  self.position = self.position + self.step
  return row
end

--- Any row.
---@param vu wingman.load.vu
---@return table
function methods:random(vu) return self.rows[vu.rng:int(1, #self.rows)] end

return M
