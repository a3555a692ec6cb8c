--- The latencies that a run has over time, as points of its series and columns of its CSV have them: those of each kind
--- of work (wingman.metrics.work), and how long a followed map takes to show a write.
local work = require "wingman.metrics.work"

---@class wingman.metrics.timed
---@field series string   its name in a point
---@field is_always boolean  a point has it also when nothing was measured
---@field metric string   the trend

---@type wingman.metrics.timed[]
local M = {}

for i, kind in ipairs(work) do M[i] = { series = kind.series, metric = kind.latency, is_always = kind.name == "write" } end
for _, name in ipairs { "replica_lag", "live_latency" } do M[#M + 1] = { series = name, metric = name, is_always = false } end

return M
