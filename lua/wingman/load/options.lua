--- What a load test's table may say. A mistake is an error that names it.
local call_options = require "wingman.client.options.calls"
local client_options = require "wingman.client.options.rules"
local duration = require "wingman.base.duration"
local measurable = require "wingman.metrics.measurable"
local options_check = require "wingman.options.check"
local plan = require "wingman.client.query.plan"
local nemesis = require "wingman.load.control.planned_faults"
local policies = require "wingman.client.options.policies"
local scenario = require "wingman.load.scenario"
local threshold = require "wingman.metrics.threshold"

local M = {}

--- Why a test whose users have connections of their own follows no map.
M.NO_FOLLOWING = 'refused with connections = "per-vu": a copy belongs to the client that all users share, and a user\'s own connection neither has one nor writes through that client'

--- What the table of a test may hold.
---@type table<string, wingman.option_rule>
M.rules = {
  name = { type = "string", about = "name of the test in its reports; default: that of the script" },
  cluster = { type = "string|table", about = "as of a client; one of cluster and server is needed" },
  server = { type = "string", about = "as of a client" },
  auth = { type = "table", secret = true, about = "as of a client" },
  client = { type = "table", about = "further options of the clients that the test makes" },
  scenarios = { type = "table", required = true, about = "name -> what users do; at least one is needed" },
  nemesis = { type = "table", default = {}, about = "planned faults: a list of steps" },
  thresholds = { type = "table", default = {}, about = "metric -> conditions for the test to pass" },
  setup = { type = "function", about = "runs before the scenarios; what it returns is vu.data" },
  teardown = { type = "function", about = "runs after the scenarios" },
  seed = { type = "number", about = "seed of all random choices; default 1" },
  tags = { type = "table", about = "name -> value, for all samples of the test" },
  follow = { type = "table", default = {}, about = "names of maps to follow (vu:follow); they are read before the test begins" },
  live = { type = "table", default = {}, about = "map -> a query as of client:live_query: the observer runs it from before the test begins, and follows the map" },
  drain = { type = "duration", default = 30, min = 0, about = "how long the test waits for acknowledgements at its end" },
  connections = { type = "string", default = "shared", one_of = { "shared", "per-vu" },
    about = "one client for all users, or a connection for each" },
}

local function check_scenarios(given)
  local list = {}
  for name, options in pairs(given) do
    list[#list + 1] = { name = name, options = scenario.check(name, options) }
  end
  if #list == 0 then error("scenarios: at least one is needed", 0) end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

-- Whether a threshold looks at this metric, or at one of its parts.
local function has_threshold(given, name)
  for metric in pairs(given) do
    if type(metric) == "string" and metric:match "^%s*([%w_]*)" == name then return true end
  end
  return false
end

-- A latency is that of an acknowledged write: a test whose writes nobody acknowledges would keep
-- every threshold on latencies. So each has this one, unless it says itself how many may be left.
-- A read that fails has no latency, either: a test with a threshold on one expects that none fails; and a write that
-- no other client sees has no lag.
local function with_defaults(given)
  local all = {}
  for metric, expressions in pairs(given) do all[metric] = expressions end
  if not has_threshold(given, "ops_unacknowledged") then all.ops_unacknowledged = "count==0" end
  for latency, failed in pairs { read_latency = "reads_failed", query_latency = "queries_failed", replica_lag = "replica_unseen" } do
    if has_threshold(given, latency) and not has_threshold(given, failed) then all[failed] = "count==0" end
  end
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

-- Maps to follow are known by their names, and need the client that all users share.
local function check_followed(checked)
  for i, name in ipairs(checked.follow) do
    if type(name) ~= "string" then error(("option follow[%d]: the name of a map is expected, got %s"):format(i, type(name)), 0) end
  end
  if next(checked.follow) ~= nil and #checked.follow == 0 then error('option follow: a list of names is expected: { "players" }', 0) end
  if #checked.follow > 0 and checked.connections == "per-vu" then error("option follow: " .. M.NO_FOLLOWING, 0) end
end

-- Live queries belong to a client's copies, as what is followed does.
local function check_live(checked)
  for name, query in pairs(checked.live) do
    if type(name) ~= "string" then error("option live: a table of maps and their queries is expected: { players = { limit = 10 } }", 0) end
    if type(query) ~= "table" then error(("option live.%s: a table is expected, got %s"):format(name, type(query)), 0) end
    local read, wrong = options_check.read(call_options.live_query, query)
    if read then read, wrong = plan.of(read) end
    if not read then error(("option live.%s: %s"):format(name, wrong), 0) end
  end
  if next(checked.live) and checked.connections == "per-vu" then error("option live: " .. M.NO_FOLLOWING, 0) end
end

--- The checked options of a test; raises a text for what is wrong.
---@param given table
---@param custom table<string, { type: string, unit: string }>  metrics that the script made
---@return table
function M.check(given, custom)
  local checked = options_check.check(M.rules, given, nil, 0)
  if (given.cluster == nil) == (given.server == nil) then error("one of cluster and server is needed", 0) end
  checked.scenarios = check_scenarios(checked.scenarios)
  checked.thresholds = check_thresholds(checked, with_defaults(checked.thresholds), custom)
  if given.nemesis and #given.nemesis == 0 and next(given.nemesis) ~= nil then
    error("option nemesis: a list of steps is expected: { { at = \"10s\", … }, … }", 0)
  end
  check_followed(checked)
  check_live(checked)
  checked.nemesis = nemesis.check(checked.nemesis, checked.scenarios)
  check_times(checked.nemesis, checked.scenarios)
  check_client(given)
  return checked
end

return M
