--- Whether a load test has measured anything. One whose iterations all still slept when its time
--- was over has crossed no threshold, and must not pass for that.
local list = require "wingman.metrics.list"
local work = require "wingman.metrics.work"

local M = {}

--- Why a test that measured nothing is an error.
M.NOTHING = "nothing was measured: no iteration was finished, no operation acknowledged, and nothing read"

local is_done = {}
for _, kind in ipairs(work) do is_done[kind.count] = true end

local function has_values(metric) return (metric.count or metric.total or 0) > 0 or metric.value ~= nil end

-- Of the built-in metrics those that say that the script's own work was done.
local function is_work(name) return name == "iterations" or is_done[name] or not list[name] end

--- How a whole test ended that has passed as its thresholds say: "error" and a sentence when there
--- was nothing to judge.
---@param outcome string
---@param reason string|nil
---@param metrics table[]  of the document
---@param checks table[]  of the document
---@return string outcome, string|nil reason
function M.judge(outcome, reason, metrics, checks)
  if outcome ~= "passed" or #checks > 0 then return outcome, reason end
  for _, metric in ipairs(metrics) do
    if is_work(metric.name) and has_values(metric) then return outcome, reason end
  end
  return "error", M.NOTHING
end

return M
