--- The page of all options, made from the rules that they are checked by.
local markdown = require "reference.markdown"
local option_tables = require "reference.option_tables"
local sorted = require "wingman.base.sorted"

local code = markdown.code

local HEAD = [[
# Options

Every table of options of the Lua API. A duration is a number of seconds or a text: `5`, `"5s"`, `"100ms"`, `"1m30s"`. An
unknown option, or a value that is wrong, raises an error that names it: `wingman.client: unknown option 'batch.opps'; did
you mean 'batch.ops'?`. **Bold** options must be given.

]]

local BYTES = { { 2 ^ 40, "TiB" }, { 2 ^ 30, "GiB" }, { 2 ^ 20, "MiB" }, { 2 ^ 10, "KiB" } }

-- A number, with a unit when it counts bytes.
local function number(value, is_bytes)
  for _, unit in ipairs(is_bytes and BYTES or {}) do
    if value >= unit[1] and value % unit[1] == 0 then return ("%d %s"):format(value / unit[1], unit[2]) end
  end
  return ("%.14g"):format(value)
end

-- A default as one writes it in Lua; a table's is in its fields, and what a function does is said in words.
local function shown(value, is_bytes)
  if value == nil or type(value) == "table" or type(value) == "function" then return "" end
  if type(value) == "number" then return number(value, is_bytes) end
  return code(type(value) == "string" and '"' .. value .. '"' or tostring(value))
end

local function kind_of(rule, is_bytes)
  local kind = rule.type:gsub("|", " or ")
  if rule.one_of then kind = kind:gsub("string", code('"' .. table.concat(rule.one_of, '" "') .. '"')) end
  if rule.whole then kind = "whole number" end
  if not rule.min then return kind end
  if not rule.max or rule.max == math.huge then return ("%s from %s"):format(kind, number(rule.min, is_bytes)) end
  return ("%s, %s .. %s"):format(kind, number(rule.min, is_bytes), number(rule.max, is_bytes))
end

local function add_options(rows, rules, prefix)
  for _, name in ipairs(sorted.keys(rules)) do
    local rule, is_bytes = rules[name], name:find "bytes$" ~= nil
    local option = code(prefix .. name)
    rows[#rows + 1] = { rule.required and "**" .. option .. "**" or option, kind_of(rule, is_bytes),
      shown(rule.default, is_bytes), rule.about }
    if rule.group then add_options(rows, rule.group, prefix .. name .. ".") end
    if rule.each then add_options(rows, rule.each, prefix .. name .. "[i].") end
  end
end

return function()
  local parts = {}
  for i, one in ipairs(option_tables) do
    local rows = {}
    add_options(rows, one.rules, "")
    parts[i] = ("## %s\n\n%s%s\n\n%s"):format(one.title, code(one.call), one.about and ". " .. one.about or "",
      markdown.table({ "option", "takes", "default", "about" }, rows))
  end
  return HEAD .. table.concat(parts, "\n")
end
