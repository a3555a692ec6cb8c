--- The limit of a run: what kept it from more load. A late generator comes first, because its own
--- lateness is in its measurements; otherwise the most frequent reason for dropped iterations.
local cpu_steal = require "wingman.metrics.cpu_steal"
local work = require "wingman.metrics.work"

local M = {}

--- The generator is the limit when it was late, at the 99th percentile, by more than this
--- share of the latency that was measured, and by more than this time (us).
local LATE_SHARE, LATE_US = 0.1, 100

---@class wingman.load.limit.scenario
---@field name string
---@field lateness_us number         p99: how late iterations began, or the loop was where nothing has a schedule
---@field latency_us number|nil      p99 of what was measured, of several kinds of work the shortest; nil while nothing was
---@field latency_of string|nil       what it is of, when there is more than writes: "writes", "reads", "queries"
---@field is_of_iterations boolean|nil  that is how long iterations took, as there was no work that is measured
---@field is_closed boolean|nil       it has no schedule: the lateness is the loop's
---@field drops table<string, integer>  iterations by what they were dropped for: "generator", "cluster", "users", "log"

---@class wingman.load.limit.figures
---@field scenarios wingman.load.limit.scenario[]
---@field was_full boolean|nil       the op log was full: a write waited, was refused or was dropped
---@field cpu_steal number|nil       share of the processors' time that the hypervisor took

local function time(us) return us < 1000 and ("%.0f us"):format(us) or ("%.1f ms"):format(us / 1000) end

local function is_late(scenario)
  return scenario.latency_us and scenario.lateness_us > LATE_US and scenario.lateness_us > LATE_SHARE * scenario.latency_us
end

-- The scenario whose numbers are the generator's most; nil when none is late.
local function latest(figures)
  local worst
  for _, one in ipairs(figures.scenarios) do
    if is_late(one) and (not worst or one.lateness_us / one.latency_us > worst.lateness_us / worst.latency_us) then worst = one end
  end
  return worst
end

local function dropped(figures)
  local sums = { generator = 0, cluster = 0, users = 0, log = 0 }
  for _, one in ipairs(figures.scenarios) do
    for cause, count in pairs(one.drops) do sums[cause] = sums[cause] + count end
  end
  return sums
end

local because = {
  generator = "the generator could not begin them in time",
  cluster = "every user waited for the cluster",
  users = "every user was asleep; raise max_vus",
  log = "every user waited because the op log was full",
}
local causes = { "generator", "cluster", "users", "log" }

local function main_cause(sums)
  local main
  for _, cause in ipairs(causes) do
    if sums[cause] > 0 and (not main or sums[cause] > sums[main]) then main = cause end
  end
  return main
end

-- How late it was, beside what was measured. A closed model is late when the loop is.
local function lateness_reason(scenario)
  local late, measured = time(scenario.lateness_us), time(scenario.latency_us)
  local what = scenario.is_closed and ("the loop was %s late (p99) while '%s' ran"):format(late, scenario.name)
    or ("iterations of '%s' began %s late (p99)"):format(scenario.name, late)
  if scenario.is_of_iterations then return what .. (", and its iterations took %s (p99)"):format(measured) end
  local of = scenario.latency_of and " of " .. scenario.latency_of or ""
  return what .. (", which is in the latency%s (p99 %s)"):format(of, measured)
end

--- The limit of a run, by its figures.
---@param figures wingman.load.limit.figures
---@return { limit: "none"|"generator"|"cluster"|"users"|"log", late: boolean, reason: string|nil }
function M.judge(figures)
  local late, sums, reasons = latest(figures), dropped(figures), {}
  if late then
    reasons[1] = lateness_reason(late)
    if (figures.cpu_steal or 0) >= cpu_steal.WORTH_TELLING then
      reasons[2] = ("the hypervisor took %.1f %% of the processors' time"):format(figures.cpu_steal * 100)
    end
  end
  for _, cause in ipairs(causes) do
    if sums[cause] > 0 then reasons[#reasons + 1] = ("%d iterations were dropped: %s"):format(sums[cause], because[cause]) end
  end
  local limit = late and "generator" or main_cause(sums) or figures.was_full and "log" or "none"
  if figures.was_full and sums.log == 0 then reasons[#reasons + 1] = "the op log was full: the cluster acknowledged less than was written" end
  return { limit = limit, late = late ~= nil, reason = #reasons > 0 and table.concat(reasons, "; ") or nil }
end

-- What says that work of a kind was begun, though it may have no latency: nobody has acknowledged the writes, or
-- every read has failed.
local begun = { writes = { "ops_recorded" }, reads = { "reads", "reads_failed" }, queries = { "queries", "queries_failed" } }

--- The latency that lateness is judged against: the shortest of those of the kinds of work, since it is in each of
--- them; that of iterations where there was no such work. Writes that nobody acknowledged have none.
---@param count fun(metric: string): number  of the scenario; 0 where there is no such metric
---@param p99_us fun(metric: string): number|nil  of the scenario; nil without a record
---@return number|nil latency_us, string|nil of, boolean is_of_iterations
function M.latency(count, p99_us)
  local shortest, of, any = nil, nil, false
  for _, kind in ipairs(work) do
    local n = 0
    for _, metric in ipairs(begun[kind.many]) do n = n + count(metric) end
    local latency_us = p99_us(kind.latency)
    any = any or n > 0 or latency_us ~= nil
    if latency_us and (not shortest or latency_us < shortest) then shortest, of = latency_us, kind.many end
  end
  if not any then return p99_us "iteration_duration", nil, true end
  return shortest, of ~= "writes" and of or nil, false
end

local function latency_of(run, scenario)
  local function find(name) return run.registry:find(name, scenario.tags) end
  return M.latency(function(name)
    local metric = find(name)
    return metric and metric.count or 0
  end, function(name)
    local metric = find(name)
    return metric and metric.histogram:count() > 0 and metric.histogram:percentile(99) or nil
  end)
end

--- The figures of a run whose metrics are up to date.
---@param run wingman.load.run
---@return wingman.load.limit.figures
function M.figures(run)
  local list = {}
  for i, scenario in ipairs(run.scenarios) do
    local lateness = scenario.executor.schedule and scenario.lateness_histogram or run.loop_lateness
    local latency_us, of, is_of_iterations = latency_of(run, scenario)
    list[i] = {
      name = scenario.name, lateness_us = lateness:percentile(99), latency_us = latency_us, latency_of = of, is_of_iterations = is_of_iterations,
      is_closed = not scenario.executor.schedule, drops = scenario.drops,
    }
  end
  return { scenarios = list, was_full = run.was_full, cpu_steal = run.cpu_steal() }
end

return M
