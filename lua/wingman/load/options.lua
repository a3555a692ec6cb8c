--- What a load test's table may say. A mistake is an error that names it.
local client_options = require "wingman.client.options.rules"
local duration = require "wingman.base.duration"
local measurable = require "wingman.metrics.measurable"
local nearest = require "wingman.base.nearest"
local nemesis = require "wingman.load.control.planned_faults"
local policies = require "wingman.client.options.policies"
local scenario = require "wingman.load.scenario"
local threshold = require "wingman.metrics.threshold"

local M = {}

--- What the table of a test may hold, and its Lua types.
M.kinds = {
  name = "string", cluster = "string|table", server = "string", auth = "table", client = "table", scenarios = "table",
  nemesis = "table", thresholds = "table", setup = "function", teardown = "function", seed = "number", tags = "table",
  drain = "duration", connections = "string",
}

local function fits(value, kind)
  for one in kind:gmatch "[^|]+" do
    if type(value) == one then return true end
  end
  return false
end

local function check_kinds(given)
  for name, value in pairs(given) do
    local kind = M.kinds[name]
    if not kind then error(("unknown option '%s'%s"):format(tostring(name), nearest.hint(name, M.kinds)), 0) end
    if kind ~= "duration" and not fits(value, kind) then
      error(("option %s: a %s is expected, got %s"):format(name, (kind:gsub("|", " or a ")), type(value)), 0)
    end
  end
end

local function check_scenarios(given)
  local list = {}
  for name, options in pairs(given) do
    list[#list + 1] = { name = name, options = scenario.check(name, options) }
  end
  if #list == 0 then error("scenarios: at least one is needed", 0) end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

-- A latency is that of an acknowledged write: a test whose writes nobody acknowledges would keep
-- every threshold on latencies. So each has this one, unless it says itself how many may be left.
local function with_default(given)
  for metric in pairs(given) do
    if type(metric) == "string" and metric:match "^%s*ops_unacknowledged%f[^%w_]" then return given end
  end
  local all = { ops_unacknowledged = "count==0" }
  for metric, expressions in pairs(given) do all[metric] = expressions end
  return all
end

local function check_thresholds(checked, given, custom)
  local list = threshold.read(given)
  for _, one in ipairs(list) do measurable.check(one, checked, custom) end
  return list
end

-- Calls fn(...), whose errors begin with a place in Wingman's own files or with none.
local function without_place(fn, ...)
  local ok, result = pcall(fn, ...)
  if ok then return result end
  error((tostring(result):gsub("^%S+%.lua:%d+: ", "")), 0)
end

-- What the run would make its client with, so that a mistake is found before it begins.
local function check_client(given)
  local options = {}
  for name, value in pairs(given.client or {}) do options[name] = value end
  options.cluster, options.server, options.auth = given.cluster, given.server, given.auth
  without_place(policies.make, without_place(client_options.check, options, 0))
end

-- A fault that is planned for after the end would never happen. A step that calls a function
-- may pause the run, and then nobody knows the end beforehand.
local function check_times(steps, scenarios)
  local seconds = 0
  for _, one in ipairs(scenarios) do seconds = math.max(seconds, one.options.start_time + one.options.seconds) end
  for _, step in ipairs(steps) do
    if step.action == "call" then return end
    if step.at >= seconds then
      error(("nemesis[%d]: at = %s is not before the end of the test, which is after %s"):format(step.place,
        duration.text(step.at), duration.text(seconds)), 0)
    end
  end
end

--- The checked options of a test; raises a text for what is wrong.
---@param given table
---@param custom table<string, { type: string, unit: string }>  metrics that the script made
---@return table
function M.check(given, custom)
  if type(given) ~= "table" then error("a table is expected, got " .. type(given), 0) end
  check_kinds(given)
  if (given.cluster == nil) == (given.server == nil) then error("one of cluster and server is needed", 0) end
  if given.connections and given.connections ~= "shared" and given.connections ~= "per-vu" then
    error(("option connections: shared or per-vu is expected, got '%s'"):format(given.connections), 0)
  end
  local checked = {}
  for name, value in pairs(given) do checked[name] = value end
  checked.connections = given.connections or "shared"
  checked.scenarios = check_scenarios(given.scenarios or {})
  checked.thresholds = check_thresholds(checked, with_default(given.thresholds or {}), custom)
  if given.nemesis and #given.nemesis == 0 and next(given.nemesis) ~= nil then
    error("option nemesis: a list of steps is expected: { { at = \"10s\", … }, … }", 0)
  end
  checked.nemesis = nemesis.check(given.nemesis or {}, checked.scenarios)
  check_times(checked.nemesis, checked.scenarios)
  check_client(given)
  checked.drain = duration.check(given.drain or 30, "option drain")
  return checked
end

return M
