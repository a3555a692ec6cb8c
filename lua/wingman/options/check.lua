--- The one checker of option tables. What a table may hold is declared as rules, one for each
--- option (wingman.option_rule); the pages of the reference are made from the same rules.
---
--- All errors have one form: "NAME: unknown option 'raet'; did you mean 'rate'?",
--- "NAME: option rate: a number from 0 is expected, got 'fast'", "NAME: option rate is needed".
local nearest = require "wingman.base.nearest"
local sorted = require "wingman.base.sorted"
local value_of = require "wingman.options.value"

local M = {}

--- So many options at most are listed for a name that is near none of them.
local MOST_LISTED = 15

local function unknown(rules, option, prefix)
  local names = sorted.keys(rules)
  local near = type(option) == "string" and nearest.find(option, names)
  local hint = near and ("; did you mean '%s%s'?"):format(prefix, near)
    or #names <= MOST_LISTED and ("; there are %s"):format(table.concat(names, ", ")) or ""
  return ("unknown option '%s%s'%s"):format(prefix, tostring(option), hint)
end

local fill

-- A list of tables of options.
local function fill_each(rules, given, prefix)
  local list = {}
  for i, one in ipairs(given) do
    local place = ("%s[%d]"):format(prefix, i)
    if type(one) ~= "table" then return nil, ("option %s: a table of options is expected, got %s"):format(place, type(one)) end
    local read, wrong = fill(rules, one, place .. ".")
    if not read then return nil, wrong end
    list[i] = read
  end
  if #list == 0 then return nil, ("option %s: a list of tables with %s is expected"):format(prefix, table.concat(sorted.keys(rules), ", ")) end
  return list
end

local function read_one(rule, value, path)
  local ok, read = value_of.read(rule, value)
  if not ok then return nil, ("option %s: %s"):format(path, read) end
  if rule.group and type(read) == "table" then return fill(rule.group, read, path .. ".") end
  if rule.each then return fill_each(rule.each, read, path) end
  return read
end

function fill(rules, given, prefix)
  local result = {}
  for option in pairs(given) do
    if not rules[option] then return nil, unknown(rules, option, prefix) end
  end
  for _, option in ipairs(sorted.keys(rules)) do
    local rule, value = rules[option], given[option]
    if value == nil then value = rule.default end
    if value ~= nil then
      local read, wrong = read_one(rule, value, prefix .. option)
      if wrong then return nil, wrong end
      result[option] = read
    elseif rule.required then
      return nil, ("option %s%s is needed"):format(prefix, option)
    end
  end
  return result
end

--- The options with their defaults, durations in seconds; or nil and what is wrong.
---@param rules table<string, wingman.option_rule>
---@param given any
---@param name string|nil  of the function or the thing, in front of what is wrong
---@return table|nil checked, string|nil wrong
function M.read(rules, given, name)
  local in_front = name and name .. ": " or ""
  if type(given) ~= "table" then return nil, ("%sa table of options is expected, got %s"):format(in_front, type(given)) end
  local checked, wrong = fill(rules, given, "")
  if not checked then return nil, in_front .. wrong end
  return checked
end

--- The same; raises what is wrong, at the place that is `level` levels up as with error(); 0: no place.
---@param rules table<string, wingman.option_rule>
---@param given any
---@param name string|nil
---@param level integer
---@return table checked
function M.check(rules, given, name, level)
  local checked, wrong = M.read(rules, given, name)
  if not checked then error(wrong, level > 0 and level + 1 or 0) end
  return checked
end

--- Raises as `check` does, and makes no table: for options of something that is done often.
---@param rules table<string, wingman.option_rule>
---@param given any
---@param name string
---@param level integer
function M.verify(rules, given, name, level)
  local wrong = type(given) ~= "table" and ("a table of options is expected, got " .. type(given)) or nil
  if not wrong then
    for option, value in pairs(given) do
      local rule = rules[option]
      local _
      if rule then _, wrong = read_one(rule, value, option) else wrong = unknown(rules, option, "") end
      if wrong then break end
    end
  end
  if wrong then error(("%s: %s"):format(name, wrong), level + 1) end
end

return M
