--- The one list of policies: of each kind the option that takes it, what it decides, its names and
--- its settings. Options, commands, completion, help and pages have them from here.
local check = require "wingman.options.check"
local circuit = require "wingman.policy.circuit"
local endpoint = require "wingman.policy.endpoint"
local reconnect = require "wingman.policy.reconnect"
local refresh = require "wingman.policy.refresh"
local routing = require "wingman.policy.routing"
local value_of = require "wingman.options.value"

local M = {}

---@class wingman.policy_kind
---@field option string         of a client
---@field decides string
---@field is_changeable boolean  a running client takes another one
---@field names string[]        the default stands first, unless it is made from settings
---@field by_name table<string, function>
---@field takes string          what the option may be besides a name: "function", "function|table"
---@field default any
---@field settings table<string, wingman.option_rule>|nil  what a table may hold
---@field from_table nil|fun(settings: table): function
---@field module table          for scripts, as wingman.policy.NAME

---@type table<string, wingman.policy_kind>
M.kinds = {
  routing = {
    option = "routing", decides = "to which node a partition's operations go", is_changeable = true, takes = "function",
    default = "direct", names = { "direct", "backup", "forward" },
    by_name = { direct = routing.direct, backup = routing.backup, forward = routing.forward }, module = routing,
  },
  reconnect = {
    option = "reconnect", decides = "when to try a node again", is_changeable = true, takes = "function|table",
    default = "exponential", names = { "exponential", "never" },
    by_name = { exponential = reconnect.exponential(), never = reconnect.never },
    settings = reconnect.options, from_table = reconnect.exponential, module = reconnect,
  },
  circuit = {
    option = "circuit", decides = "when a connected node gets no operations for a while", is_changeable = false,
    takes = "function|table", default = {}, names = { "never" }, by_name = { never = circuit.never },
    settings = circuit.options, from_table = circuit.consecutive, module = circuit,
  },
  endpoint = {
    option = "endpoint", decides = "under which URL a node is reached", is_changeable = true, takes = "function|table",
    default = "auto", names = { "auto", "advertised", "seeds" },
    by_name = { auto = endpoint.auto, advertised = endpoint.advertised, seeds = endpoint.seeds },
    from_table = endpoint.map, module = endpoint,
  },
  refresh = {
    option = "map_requests.throttle", decides = "how soon the partition map is requested again", is_changeable = false,
    takes = "function", names = {}, by_name = {}, module = refresh,
  },
}

--- The kinds in the order in which pages and messages have them.
M.names = { "routing", "reconnect", "circuit", "endpoint", "refresh" }

local function names_where(is_meant)
  local names = {}
  for _, name in ipairs(M.names) do
    if is_meant(M.kinds[name]) then names[#names + 1] = name end
  end
  return names
end

--- The kinds of which a running client takes another policy.
---@type string[]
M.changeable = names_where(function(kind) return kind.is_changeable end)

--- The kinds that a table of policies may have: those that are an option by themselves.
---@type string[]
M.of_a_file = names_where(function(kind) return M.kinds[kind.option] == kind end)

--- The rule of the option that takes a kind.
---@param name string
---@return wingman.option_rule
function M.rule(name)
  local kind = M.kinds[name]
  local is_named = #kind.names > 0
  local about = is_named and ("%s: %s, or a policy (docs/policies.md)"):format(kind.decides, table.concat(kind.names, ", "))
    or ("%s: a %s policy (docs/policies.md)"):format(kind.decides, name)
  return {
    type = is_named and "string|" .. kind.takes or kind.takes, one_of = is_named and kind.names or nil,
    default = kind.default, group = kind.settings, about = about,
  }
end

--- The rules of a table of policies, as `--policy FILE` takes it.
---@type table<string, wingman.option_rule>
M.rules = {}
for _, name in ipairs(M.of_a_file) do
  M.rules[name] = M.rule(name)
  M.rules[name].default = nil -- what the table does not have stays as the test says
end

--- The policy that a name, settings or a function is; nil and what is wrong with it.
---@param name string  of the kind
---@param given any
---@return function|nil policy, string|nil wrong
function M.policy(name, given)
  local kind = M.kinds[name]
  local ok, wrong = value_of.read(M.rule(name), given)
  if not ok then return nil, wrong end
  if type(given) == "string" then return kind.by_name[given] end
  if type(given) ~= "table" then return given end
  if kind.settings then
    local settings, reason = check.read(kind.settings, given)
    if not settings then return nil, reason end
  end
  return kind.from_table(given)
end

return M
