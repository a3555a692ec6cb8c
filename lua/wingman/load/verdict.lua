--- Whether the generator kept up with its own plan, and what held a run up: the generator
--- or the cluster.
local core = require "wingman.core"

local M = {}

--- Iterations that begin later than this at the 99th percentile, or a loop that is late by
--- as much, make the generator late (us).
local LATE_US = 10000
--- Share of one core above which the generator has nothing left.
local BUSY = 0.95

local function millis(us) return ("%.1f ms"):format(us / 1000) end

-- The share of a core that the generator used, over the whole run.
local function cpu(run)
  local seconds = run.now() - run.cpu_start.at
  return seconds > 0 and (core.thread_cpu_seconds() - run.cpu_start.used) / seconds or 0
end

--- limit: "none", "generator" or "cluster"; late: the generator did not keep its own
--- times; reason: a sentence when it did not, or when something was dropped.
---@param run wingman.load.run
---@return { limit: string, late: boolean, reason: string|nil }
function M.of(run)
  local dropped, too_few, waited, lag = 0, false, false, 0
  for _, scenario in ipairs(run.scenarios) do
    dropped = dropped + scenario.dropped
    too_few = too_few or scenario.too_few_users
    waited = waited or scenario.users_waited
    if scenario.executor.schedule then lag = math.max(lag, scenario.lag_histogram:percentile(99)) end
  end
  local loop_lag = run.loop_lags:percentile(99)
  if lag > LATE_US or loop_lag > LATE_US then
    local what = lag > LATE_US and ("1 % of the iterations began more than " .. millis(lag) .. " late")
      or ("the event loop was late by " .. millis(loop_lag) .. " at the 99th percentile")
    return { limit = "generator", late = true, reason = what }
  end
  if too_few then
    return { limit = "generator", late = true,
      reason = ("%d iterations were dropped: every user was asleep; raise max_vus"):format(dropped) }
  end
  if dropped > 0 or waited then
    return { limit = "cluster", late = false,
      reason = ("%d iterations were dropped: every user waited for the cluster"):format(dropped) }
  end
  if cpu(run) > BUSY then return { limit = "generator", late = false, reason = "its core was busy all the time" } end
  if run.was_full then return { limit = "cluster", late = false } end
  return { limit = "none", late = false }
end

return M
