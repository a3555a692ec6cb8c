--- "ramping-arrival-rate": from `start_rate` to the target of each stage in a line.
local arrivals = require "wingman.load.executor.arrivals"

local M = {}

M.options = { start_rate = "amount", time_unit = "duration", stages = "stages", pre_allocated_vus = "count", max_vus = "count" }
M.required = { "stages" }

--- The highest rate, iterations per second.
function M.rate(options)
  local highest = options.start_rate or 0
  for _, stage in ipairs(options.stages) do highest = math.max(highest, stage.target) end
  return highest / (options.time_unit or 1)
end

function M.seconds(options)
  local sum = 0
  for _, stage in ipairs(options.stages) do sum = sum + stage.seconds end
  return sum
end

--- The largest number of users.
function M.users(options) return arrivals.users(options) end

function M.new(scenario)
  return arrivals.new(scenario, function(options)
    local unit = options.time_unit or 1
    local stages, from = {}, (options.start_rate or 0) / unit
    for i, stage in ipairs(options.stages) do
      local to = stage.target / unit
      stages[i] = { seconds = stage.seconds, from = from, to = to }
      from = to
    end
    return stages
  end)
end

return M
