--- What a checker of LuaLS annotations has to know of tables of options and of events, from their
--- lists: so it finds a wrong name in a script.
local client_events = require "wingman.client.events"
local keys = require "wingman.load.input.keys"
local option_tables = require "reference.option_tables"
local scenario = require "wingman.load.scenario"
local sorted = require "wingman.base.sorted"

local M = {}

--- The file.
M.path = "lua/wingman/options/types.lua"

local HEAD = [[
---@meta
-- Written by scripts/reference.lua from the lists of options and events, for editors and
-- checkers that read LuaLS annotations. Nothing requires it.

]]

--- What a rule does not say of an option: its type, by class and name.
local TYPES = {
  ["wingman.write_options"] = { on_ack = "fun(ok: true|nil, err: wingman.error|nil)" },
  ["wingman.send_options"] = { answer = "fun(message: table): any" },
  ["wingman.load.test_options"] = {
    auth = "wingman.client_options.auth", client = "wingman.client_options", nemesis = "wingman.load.fault_options[]",
    scenarios = "table<string, wingman.load.scenario_options>", setup = "fun(hand: wingman.load.hand): any",
    teardown = "fun(hand: wingman.load.hand): any",
    thresholds = "table<string, string|(string|{ [1]: string, abort: boolean|nil, delay: number|string|nil })[]>",
  },
  ["wingman.sim.options"] = { ports = "integer[]" },
  ["wingman.report.diff_options"] = { names = "string[]" },
  ["wingman.process_options"] = { args = "string[]", env = "table<string, string|number>" },
}
--- The same for the scenarios of every executor.
local SCENARIO_TYPES = { exec = "fun(vu: wingman.load.vu): any", keys = "wingman.load.keys_options" }

local function quoted(names)
  local list = {}
  for i, name in ipairs(names) do list[i] = ('"%s"'):format(name) end
  return table.concat(list, "|")
end

-- The type of an option: a table of further options has a class of its own.
local function type_of(rule, class)
  if rule.each then return class .. "[]" end
  local kind = rule.type:gsub("duration", "number|string")
  if rule.one_of then kind = kind:gsub("string", quoted(rule.one_of)) end
  return rule.group and kind:gsub("table", class) or kind
end

-- Its parent says which keys a table of the class may have: a checker refuses any other one.
local function add_class(lines, class, rules, types)
  local inner = {}
  lines[#lines + 1] = ("---@class %s: table<%s, any>"):format(class, quoted(sorted.keys(rules)))
  for _, name in ipairs(sorted.keys(rules)) do
    local rule, own = rules[name], class .. "." .. name
    local kind = types[name] or type_of(rule, own)
    lines[#lines + 1] = ("---@field %s%s %s %s"):format(name, rule.required and "" or "?", kind, rule.about or ""):gsub(" +$", "")
    if not types[name] and (rule.group or rule.each) then inner[#inner + 1] = { own, rule.group or rule.each } end
  end
  lines[#lines + 1] = ""
  for _, one in ipairs(inner) do add_class(lines, one[1], one[2], {}) end
end

-- The options of a scenario depend on its executor.
local function scenario_rules(one)
  local rules = {}
  for _, set in ipairs { one.rules, scenario.common } do
    for name, rule in pairs(set) do rules[name] = rule end
  end
  rules.executor = { type = "string", required = true, one_of = { one.executor }, about = scenario.common.executor.about }
  return rules
end

---@return string
function M.text()
  local lines, scenarios = {}, {}
  for _, one in ipairs(option_tables) do
    if one.executor then
      scenarios[#scenarios + 1] = one.class
      add_class(lines, one.class, scenario_rules(one), SCENARIO_TYPES)
    elseif one.class then
      add_class(lines, one.class, one.rules, TYPES[one.class] or {})
    end
  end
  add_class(lines, "wingman.load.keys_options", keys.options, {})
  lines[#lines + 1] = "---@alias wingman.load.scenario_options " .. table.concat(scenarios, "|")
  lines[#lines + 1] = "---@alias wingman.client_event " .. quoted(sorted.keys(client_events))
  return HEAD .. table.concat(lines, "\n") .. "\n"
end

return M
