--- How much can this cluster take? The rate goes up in steps; the report says where the
--- latency left the ground, and whether the generator or the cluster was the limit.
---   RATE=100000 DURATION=60s build/wingman run --out html=run.html scripts/load/throughput.lua
local load = require "wingman.load"
local duration = require "wingman.base.duration"

local most = assert(tonumber(os.getenv "RATE" or 40000), "RATE is no number")
local step = duration.check(os.getenv "DURATION" or "10s", "DURATION") / 5

local stages = {}
for i = 1, 5 do
  stages[#stages + 1] = { duration = 0, target = most * i / 5 }
  stages[#stages + 1] = { duration = step, target = most * i / 5 }
end

return load.test {
  name = "throughput",
  cluster = os.getenv "WINGMAN_CLUSTER" or "sim://3",
  scenarios = {
    writes = {
      executor = "ramping-arrival-rate", start_rate = most / 5, stages = stages, keys = { count = 50000 },
      exec = function(vu) vu:map "throughput":set(vu:key(), { n = vu.iteration, by = vu.id, kind = "write" }) end,
    },
  },
  thresholds = {
    ops_unacknowledged = { "count==0" },
    ["op_latency{scenario:writes}"] = { "p(50)<1s" },
    iterations_dropped = { "count==0" },
  },
}
