--- What a checker of LuaLS annotations has to know of the options and events of a client, from
--- their lists: so it finds a wrong name in a script.
local client_events = require "wingman.client.events"
local markdown = require "reference.markdown"
local options = require "wingman.client.options.rules"

local M = {}

--- Where the file stands: beside the rules that it is made from.
M.path = "lua/wingman/client/options/types.lua"

local HEAD = [[
---@meta
-- Written by scripts/reference.lua from the lists of options and events, for editors and
-- checkers that read LuaLS annotations. Nothing requires it.

]]

local function quoted(names)
  local list = {}
  for i, name in ipairs(names) do list[i] = ('"%s"'):format(name) end
  return table.concat(list, "|")
end

-- The type of an option: a table of further options has a class of its own.
local function type_of(rule, class)
  if rule.one_of then return quoted(rule.one_of) end
  local kind = rule.type == "duration" and "number|string" or rule.type
  return rule.group and kind:gsub("table", class) or kind
end

local function add_class(lines, class, rules)
  local inner = {}
  lines[#lines + 1] = "---@class " .. class
  for _, name in ipairs(markdown.sorted(rules)) do
    local rule = rules[name]
    local own = class .. "." .. name
    lines[#lines + 1] = ("---@field %s? %s %s"):format(name, type_of(rule, own), rule.about)
    if rule.group then inner[#inner + 1] = { own, rule.group } end
  end
  lines[#lines + 1] = ""
  for _, one in ipairs(inner) do add_class(lines, one[1], one[2]) end
end

---@return string
function M.text()
  local lines = {}
  add_class(lines, "wingman.client_options", options.rules)
  lines[#lines + 1] = "---@alias wingman.client_event " .. quoted(markdown.sorted(client_events))
  return HEAD .. table.concat(lines, "\n") .. "\n"
end

return M
