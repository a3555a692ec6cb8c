--- What kept several parts from more, as one sentence: by the merged figures where the whole
--- shows it, else by the part that shows it most.
local limit = require "wingman.metrics.limit"
local view = require "wingman.report.model.view"

local M = {}

local function p99_us(metric) return metric and metric.p99 * (view.seconds(metric.unit) or 1) * 1e6 end

local function figures_of_scenario(document, scenario)
  local is_closed = scenario.rate_target == nil
  local late = is_closed and view.total(document, "loop_lateness") or view.of_scenario(document, "lateness", scenario)
  local latency_us, of, is_of_iterations = limit.latency(function(name) return view.count_of_scenario(document, name, scenario) end,
    function(name) return p99_us(view.of_scenario(document, name, scenario)) end)
  return {
    name = scenario.name, lateness_us = p99_us(late) or 0, latency_us = latency_us, latency_of = of, is_of_iterations = is_of_iterations,
    is_closed = is_closed, drops = scenario.dropped_for or {},
  }
end

local function judge(document, was_full)
  local list = {}
  for i, scenario in ipairs(document.scenarios) do list[i] = figures_of_scenario(document, scenario) end
  return limit.judge { scenarios = list, was_full = was_full, cpu_steal = document.environment.cpu_steal }
end

-- Reports of earlier versions do not say what iterations were dropped for.
local function know_drops(documents)
  for _, document in ipairs(documents) do
    for _, scenario in ipairs(document.scenarios) do
      if (scenario.iterations_dropped or 0) > 0 and not scenario.dropped_for then return false end
    end
  end
  return true
end

-- The first limit that a part has, the generator's before all others, since it spoils what was measured.
local function weightiest(documents)
  local limits = {}
  for _, document in ipairs(documents) do limits[document.limit] = true end
  for _, name in ipairs { "generator", "cluster", "users", "log" } do
    if limits[name] then return name, limits.log end
  end
  return "none", false
end

-- How much a part shows the limit: how late it was against what it measured, or what it dropped.
local function weight(document, name)
  if name ~= "generator" then return view.count(document, "iterations_dropped") end
  local most = 0
  for _, scenario in ipairs(document.scenarios) do
    local one = figures_of_scenario(document, scenario)
    if one.latency_us and one.latency_us > 0 then most = math.max(most, one.lateness_us / one.latency_us) end
  end
  return most
end

local function worst_reason(documents, name)
  local worst, most
  for _, document in ipairs(documents) do
    local its = document.limit == name and document.limit_reason and weight(document, name)
    if its and (not most or its > most) then worst, most = document, its end
  end
  if not worst then return nil end
  local shard = worst.shards[1]
  local who = shard and shard.count > 1 and ("shard %d of %d"):format(shard.index, shard.count)
    or ("the worst of %d reports"):format(#documents)
  return ("%s: %s"):format(who, worst.limit_reason)
end

--- The limit of the whole.
---@param documents table[]  the parts
---@param merged table       their environment, scenarios and metrics
---@return { limit: string, late: boolean, reason: string|nil }
function M.judge(documents, merged)
  local first, late = documents[1], false
  for _, document in ipairs(documents) do late = late or document.generator_late == true end
  local name, was_full = weightiest(documents)
  if #documents == 1 then return { limit = first.limit, late = late, reason = first.limit_reason } end
  local whole = judge(merged, was_full)
  local agrees = whole.limit ~= "none" and whole.late == (name == "generator" and late) and know_drops(documents)
  if agrees then return { limit = whole.limit, late = late, reason = whole.reason } end
  return { limit = name, late = late, reason = worst_reason(documents, name) }
end

return M
