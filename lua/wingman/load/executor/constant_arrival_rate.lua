--- "constant-arrival-rate": `rate` iterations a second for `duration`.
local arrivals = require "wingman.load.executor.arrivals"
local rules = require "wingman.load.executor.rules"

local M = {}

---@type table<string, wingman.option_rule>
M.options = {
  rate = rules.required(rules.rate), time_unit = rules.time_unit, duration = rules.required(rules.duration),
  pre_allocated_vus = rules.pre_allocated_vus, max_vus = rules.max_vus,
}

--- Iterations per second.
function M.rate(options) return options.rate / (options.time_unit or 1) end
--- How long it takes.
function M.seconds(options) return options.duration end

--- The largest number of users.
function M.users(options) return arrivals.users(options) end

function M.new(scenario)
  return arrivals.new(scenario, function(options)
    local rate = M.rate(options)
    return { { seconds = options.duration, from = rate, to = rate } }
  end)
end

return M
