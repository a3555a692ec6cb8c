--- Whether the generator kept up with its own plan, and what held a run up: the generator
--- or the cluster.
local core = require "wingman.core"
local stolen = require "wingman.load.stolen"

local M = {}

--- Iterations that begin later than this at the 99th percentile, or a loop that is late by
--- as much, make the generator late (us).
local LATE_US = 10000
--- Share of one core above which the generator has nothing left.
local BUSY = 0.95
--- Seconds that a run has to last before its generator can be called busy all the time.
local LONG_ENOUGH = 0.5

local function millis(us) return ("%.1f ms"):format(us / 1000) end

-- The share of a core that the generator used, over the whole run.
local function cpu(run)
  local seconds = run.now() - run.cpu_start.at
  return seconds > LONG_ENOUGH and (core.thread_cpu_seconds() - run.cpu_start.used) / seconds or 0
end

-- What the generator was late by, as sentences.
local function lateness(lag, loop_lag, dropped, too_few, too_slow)
  local reasons = {}
  if lag > LATE_US then reasons[#reasons + 1] = "1 % of the iterations began more than " .. millis(lag) .. " late" end
  if loop_lag > LATE_US then
    reasons[#reasons + 1] = "the event loop was late by " .. millis(loop_lag) .. " at the 99th percentile"
  end
  if too_slow then reasons[#reasons + 1] = ("%d iterations were dropped: the generator could not begin them in time"):format(dropped) end
  if too_few then reasons[#reasons + 1] = ("%d iterations were dropped: every user was asleep; raise max_vus"):format(dropped) end
  return reasons
end

--- limit: "none", "generator" or "cluster"; late: the generator did not keep its own
--- times; reason: a sentence when it did not, or when something was dropped. Users that
--- all waited for the cluster were held up by it, however late the generator was.
---@param run wingman.load.run
---@return { limit: string, late: boolean, reason: string|nil }
function M.of(run)
  local dropped, too_few, too_slow, waited, lag = 0, false, false, false, 0
  for _, scenario in ipairs(run.scenarios) do
    dropped = dropped + scenario.dropped
    too_few = too_few or scenario.too_few_users
    too_slow = too_slow or scenario.too_slow
    waited = waited or scenario.users_waited
    if scenario.executor.schedule then lag = math.max(lag, scenario.lag_histogram:percentile(99)) end
  end
  local reasons = lateness(lag, run.loop_lags:percentile(99), dropped, too_few, too_slow)
  local late = #reasons > 0
  local taken = late and run.stolen() or 0
  if taken >= stolen.WORTH_TELLING then
    reasons[#reasons + 1] = ("the host of this machine took %.1f %% of its processors' time"):format(taken * 100)
  end
  local limit = waited and not too_few and "cluster" or late and "generator" or "none"
  if waited then reasons[#reasons + 1] = ("%d iterations were dropped: every user waited for the cluster"):format(dropped) end
  if limit == "none" and cpu(run) > BUSY then
    limit, reasons[1] = "generator", "its core was busy all the time"
  elseif limit == "none" and run.was_full then
    limit, reasons[1] = "cluster", "the op log was full: the cluster took less than was written"
  end
  return { limit = limit, late = late, reason = #reasons > 0 and table.concat(reasons, "; ") or nil }
end

return M
