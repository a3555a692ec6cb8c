--- "ramping-arrival-rate": from `start_rate` to the target of each stage in a line.
local arrivals = require "wingman.load.executor.arrivals"
local rules = require "wingman.load.executor.rules"

local M = {}

---@type table<string, wingman.option_rule>
M.options = {
  start_rate = rules.rate, time_unit = rules.time_unit, stages = rules.stages(rules.rate),
  pre_allocated_vus = rules.pre_allocated_vus, max_vus = rules.max_vus,
}

--- The highest rate, iterations per second.
function M.rate(options)
  local highest = options.start_rate or 0
  for _, stage in ipairs(options.stages) do highest = math.max(highest, stage.target) end
  return highest / (options.time_unit or 1)
end

--- How long it takes.
function M.seconds(options) return rules.length(options.stages) end

--- The largest number of users.
function M.users(options) return arrivals.users(options) end

function M.new(scenario)
  return arrivals.new(scenario, function(options)
    local unit = options.time_unit or 1
    local stages, from = {}, (options.start_rate or 0) / unit
    for i, stage in ipairs(options.stages) do
      local to = stage.target / unit
      stages[i] = { seconds = stage.duration, from = from, to = to }
      from = to
    end
    return stages
  end)
end

return M
