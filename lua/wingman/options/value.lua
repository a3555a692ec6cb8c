--- One option's value by its rule: whether it is right, and what is expected of one that is not.
local core = require "wingman.core"
local duration = require "wingman.base.duration"
local nearest = require "wingman.base.nearest"
local wire_name = require "wingman.base.wire_name"

local M = {}

---@class wingman.option_rule
---@field type string  "number", "string", "boolean", "table", "function", "duration", or several with "|"
---@field about string|nil  what it is for, as the reference says it
---@field default any
---@field required boolean|nil  there is no default, and it must be given
---@field min number|nil  of a number, or of a duration in seconds
---@field max number|nil  the same; infinity only where this is infinite
---@field whole boolean|nil  of a number: without a fraction
---@field one_of string[]|nil  the texts that it may be
---@field is_right nil|fun(value: any): boolean  what a type cannot say; `expected` says it in words
---@field expected string|nil  "a table of fields": what stands in front of "is expected"
---@field parse nil|fun(text: string): any  of a command line: the value that a text is, which the rule checks; nil: none
---@field read nil|fun(text: string): any, string|nil  of a command line: the value that a text is, or nil and what is wrong;
---  nothing else of the rule checks it
---@field flag string|nil  of a command line: how it is written where that is not --name
---@field list string|nil  of a repeated one of a command line: the list that it goes into; default: its name
---@field may_be_empty boolean|nil  of a command line: "" is a value
---@field secret boolean|nil  no message shows it
---@field utf8 boolean|nil  it travels as a MessagePack string: valid UTF-8 is expected
---@field group table<string, wingman.option_rule>|nil  what a table of this option may hold
---@field each table<string, wingman.option_rule>|nil  what each table in a list of this option may hold

local NAMES = {
  number = "a number", string = "a string", boolean = "a boolean", table = "a table", ["function"] = "a function",
  duration = "a duration",
}

local function from_to(rule)
  local text = ("|" .. rule.type .. "|"):find "|duration|" and duration.text or function(n) return ("%.14g"):format(n) end
  local from = rule.min and " from " .. text(rule.min) or ""
  if not rule.max or rule.max == math.huge then return from end
  return from .. (rule.min and " to " or " up to ") .. text(rule.max)
end

--- What is expected of a value: "a whole number from 1 to 64".
---@param rule wingman.option_rule
---@return string
function M.expected(rule)
  if rule.expected then return rule.expected end
  local kinds = {}
  for kind in rule.type:gmatch "[^|]+" do
    local name = kind == "number" and rule.whole and "a whole number" or NAMES[kind]
    if kind == "string" and rule.one_of then name = "one of " .. table.concat(rule.one_of, ", ") end
    kinds[#kinds + 1] = name .. ((kind == "number" or kind == "duration") and from_to(rule) or "")
  end
  return table.concat(kinds, " or ")
end

local function shown(rule, value)
  local kind = type(value)
  if rule.secret then return kind end
  if kind == "string" then return wire_name.shown(value) end
  return kind == "number" and ("%.14g"):format(value) or kind
end

-- NaN is not: no comparison with it is true.
local function is_in_range(rule, number)
  if rule.whole and number % 1 ~= 0 then return false end
  local max = rule.max or math.huge
  return number >= (rule.min or -math.huge) and number <= max and (rule.max == math.huge or math.abs(number) < math.huge)
end

local function is_one_of(list, value)
  for _, allowed in ipairs(list) do
    if value == allowed then return true end
  end
  return false
end

local function fits(rule, value)
  if type(value) == "number" and not is_in_range(rule, value) then return false end
  if rule.one_of and type(value) == "string" and not is_one_of(rule.one_of, value) then return false end
  return not rule.is_right or rule.is_right(value)
end

local function has_type(rule, kind)
  return rule.type == kind or ("|" .. rule.type .. "|"):find("|" .. kind .. "|", 1, true) ~= nil
end

--- The value as its user needs it, a duration in seconds. Or nil and what is wrong: "a number is expected, got 'x'".
---@param rule wingman.option_rule
---@param value any
---@return true|nil ok, any value_or_wrong
function M.read(rule, value)
  local kind = type(value)
  if has_type(rule, "duration") and (kind == "number" or kind == "string") then
    local seconds = duration.parse(value) or value == math.huge and value
    if not seconds then return nil, duration.refusal(value) end
    if not fits(rule, seconds) then return nil, ("%s is expected, got %s"):format(M.expected(rule), shown(rule, value)) end
    return true, seconds
  end
  if not has_type(rule, kind) then
    if rule.type == "duration" then return nil, duration.refusal(value) end
    return nil, ("%s is expected, got %s"):format(M.expected(rule), shown(rule, value))
  end
  if rule.utf8 and kind == "string" and not core.utf8_valid(value) then
    return nil, (rule.secret and "it" or wire_name.shown(value)) .. " is not valid UTF-8"
  end
  if fits(rule, value) then return true, value end
  local hint = rule.one_of and not rule.secret and nearest.hint(value, rule.one_of) or ""
  return nil, ("%s is expected, got %s%s"):format(M.expected(rule), shown(rule, value), hint)
end

return M
