--- What a threshold can look at: the metrics of a test and the tags that they have. What
--- nothing will ever be measured for is refused before the run.
local builtin_metrics = require "wingman.metrics.builtin"
local nearest = require "wingman.base.nearest"
local threshold = require "wingman.metrics.threshold"

local M = {}

-- The tags of the scenarios, of which a metric has all that has the tag `scenario`.
local function scenario_tags(test)
  local known = {}
  for tag in pairs(test.tags or {}) do known[tag] = true end
  for _, scenario in ipairs(test.scenarios) do
    for tag in pairs(scenario.options.tags or {}) do known[tag] = true end
  end
  return known
end

local function names_of(set)
  local names = {}
  for name in pairs(set) do names[#names + 1] = tostring(name) end
  table.sort(names)
  return table.concat(names, ", ")
end

local function check_tags(one, tags, test)
  local has = {}
  for _, tag in ipairs(tags) do
    has[tag] = true
    if tag == "scenario" then
      for own in pairs(scenario_tags(test)) do has[own] = true end
    end
  end
  for tag in pairs(one.tags) do
    if not has[tag] then
      error(("threshold on '%s': %s has no tag '%s'; %s%s"):format(one.metric, one.name, tag,
        #tags > 0 and "it has " .. names_of(has) or "it has none", nearest.hint(tag, has)), 0)
    end
  end
end

-- The scenario that a selector names; nil when it names none.
local function scenario_of(one, test)
  local wanted = one.tags.scenario
  if not wanted then return nil end
  local names = {}
  for _, scenario in ipairs(test.scenarios) do
    if scenario.name == wanted then return scenario end
    names[scenario.name] = true
  end
  error(("threshold on '%s': there is no scenario '%s'; there is %s%s"):format(one.metric, wanted, names_of(names),
    nearest.hint(wanted, names)), 0)
end

-- What scripts of earlier versions ask for.
local renamed = { ops_lost = "ops_unacknowledged" }

local function no_metric(one, custom)
  if renamed[one.name] then
    error(("threshold on '%s': there is no metric '%s'; what it counted is %s"):format(one.metric, one.name, renamed[one.name]), 0)
  end
  local names = {}
  for _, set in ipairs { builtin_metrics.builtin, custom } do
    for name in pairs(set) do names[name] = true end
  end
  error(("threshold on '%s': there is no metric '%s'%s"):format(one.metric, one.name, nearest.hint(one.name, names)), 0)
end

local function is_open(scenario) return scenario.options.module.rate ~= nil end

local function per_vu(test)
  if test.connections == "per-vu" then return nil end
  return 'only tests with connections = "per-vu" have sessions'
end

local function shared(test)
  if test.connections ~= "per-vu" then return nil end
  return 'tests with connections = "per-vu" follow no map'
end

-- What only some tests have.
local needs = {
  lateness = function(test, scenario)
    if scenario and is_open(scenario) then return nil end
    for _, one in ipairs(scenario and {} or test.scenarios) do
      if is_open(one) then return nil end
    end
    return "only scenarios with an arrival rate have a schedule"
  end,
  sessions = per_vu, messages_dropped = per_vu,
  live_latency = function(test)
    if next(test.live or {}) then return nil end
    return "only tests with the option live have a live query"
  end,
}
for name in pairs(builtin_metrics.builtin) do
  if name:find "^replica_" or name == "snapshot_time" or name == "catch_up_time" then needs[name] = shared end
end

--- Raises a text when a threshold looks at what this test cannot measure.
---@param one wingman.load.threshold
---@param test { scenarios: table[], tags: table|nil, connections: string|nil }  checked
---@param custom table<string, { type: string, unit: string }>  metrics of the script
function M.check(one, test, custom)
  local builtin = builtin_metrics.builtin[one.name]
  local known = builtin or custom[one.name]
  if not known then no_metric(one, custom) end
  threshold.check_fits(one, known.type, known.unit)
  if not builtin then return end -- the script says with which tags it adds
  check_tags(one, builtin.tags, test)
  local scenario = scenario_of(one, test)
  if builtin.no_total and next(one.tags) == nil then
    error(("threshold on '%s': say of which %s: %s{%s:…}"):format(one.metric, builtin.tags[1], one.name, builtin.tags[1]), 0)
  end
  local missing = needs[one.name] and needs[one.name](test, scenario)
  if missing then error(("threshold on '%s': %s"):format(one.metric, missing), 0) end
end

return M
