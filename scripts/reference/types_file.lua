--- What a checker of LuaLS annotations has to know of tables of options and of events, from their
--- lists: so it finds a wrong name in a script.
local client_events = require "wingman.client.events"
local client_options = require "wingman.client.options.rules"
local keys = require "wingman.load.input.keys"
local load_options = require "wingman.load.options"
local markdown = require "reference.markdown"
local planned_faults = require "wingman.load.control.planned_faults"
local scenario = require "wingman.load.scenario"
local sim = require "wingman.testbed.sim"
local topgun = require "wingman.testbed.topgun"

local M = {}

local HEAD = [[
---@meta
-- Written by scripts/reference.lua from lists of options, for editors and checkers
-- that read LuaLS annotations. Nothing requires it.

]]

--- What a list does not say of an option, by class and name; SCENARIO: of those of every executor.
local SCENARIO = {
  exec = "fun(vu: wingman.load.vu): any", keys = "wingman.load.keys_options",
  stages = "{ duration: number|string, target: number }[]",
}
local TYPES = {
  ["wingman.load.test_options"] = {
    auth = "wingman.client_options.auth", client = "wingman.client_options", connections = '"shared"|"per-vu"',
    nemesis = "wingman.load.fault_options[]", scenarios = "table<string, wingman.load.scenario_options>",
    setup = "fun(hand: wingman.load.hand): any", teardown = "fun(hand: wingman.load.hand): any",
    thresholds = "table<string, string|(string|{ [1]: string, abort: boolean|nil, delay: number|string|nil })[]>",
  },
  ["wingman.sim.options"] = { ports = "integer[]" },
}
local function quoted(names)
  local list = {}
  for i, name in ipairs(names) do list[i] = ('"%s"'):format(name) end
  return table.concat(list, "|")
end

-- The type of an option: a table of further options has a class of its own.
local function type_of(rule, class)
  if rule.one_of then return quoted(rule.one_of) end
  local kind = rule.type:gsub("duration", "number|string")
  return rule.group and kind:gsub("table", class) or kind
end

-- Its parent says which keys a table of the class may have: a checker refuses any other one.
local function add_class(lines, class, rules, types)
  local inner = {}
  lines[#lines + 1] = ("---@class %s: table<%s, any>"):format(class, quoted(markdown.sorted(rules)))
  for _, name in ipairs(markdown.sorted(rules)) do
    local rule = rules[name]
    local own = class .. "." .. name
    local kind = types and types[name] or type_of(rule, own)
    lines[#lines + 1] = ("---@field %s%s %s %s"):format(name, rule.required and "" or "?", kind, rule.about or ""):gsub(" +$", "")
    if rule.group and not (types and types[name]) then inner[#inner + 1] = { own, rule.group } end
  end
  lines[#lines + 1] = ""
  for _, one in ipairs(inner) do add_class(lines, one[1], one[2]) end
end

local function client_types()
  local lines = {}
  add_class(lines, "wingman.client_options", client_options.rules)
  lines[#lines + 1] = "---@alias wingman.client_event " .. quoted(markdown.sorted(client_events))
  return lines
end

-- The options of a scenario depend on its executor.
local function add_scenarios(lines)
  local classes = {}
  for _, executor in ipairs(markdown.sorted(scenario.executors)) do
    local rules = {}
    for _, set in ipairs { require(scenario.executors[executor]).options, scenario.common } do
      for name, rule in pairs(set) do rules[name] = rule end
    end
    rules.executor = { type = "string", required = true, one_of = { executor }, about = scenario.common.executor.about }
    classes[#classes + 1] = "wingman.load." .. executor:gsub("-", "_")
    add_class(lines, classes[#classes], rules, SCENARIO)
  end
  lines[#lines + 1] = "---@alias wingman.load.scenario_options " .. table.concat(classes, "|")
  lines[#lines + 1] = ""
end

local function load_types()
  local lines = {}
  add_class(lines, "wingman.load.test_options", load_options.rules, TYPES["wingman.load.test_options"])
  add_scenarios(lines)
  add_class(lines, "wingman.load.keys_options", keys.options)
  add_class(lines, "wingman.load.fault_options", planned_faults.options)
  return lines
end

local function testbed_types()
  local lines = {}
  add_class(lines, "wingman.sim.options", sim.options, TYPES["wingman.sim.options"])
  add_class(lines, "wingman.topgun.options", topgun.options)
  return lines
end

--- The files, beside the lists that they are made from: path -> text.
---@return table<string, string>
function M.texts()
  local texts = {}
  for folder, lines in pairs { ["client/options"] = client_types(), load = load_types(), testbed = testbed_types() } do
    texts[("lua/wingman/%s/types.lua"):format(folder)] = HEAD .. table.concat(lines, "\n"):match "^(.-)\n*$" .. "\n"
  end
  return texts
end

return M
