--- "constant-arrival-rate": `rate` iterations a second for `duration`.
local arrivals = require "wingman.load.executor.arrivals"

local M = {}

M.options = { rate = "amount", time_unit = "duration", duration = "duration", pre_allocated_vus = "count", max_vus = "count" }
M.required = { "rate", "duration" }

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
