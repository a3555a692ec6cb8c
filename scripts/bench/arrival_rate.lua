--- Whether a generator that is told 50,000 operations a second keeps to it on one core, and
--- whether its report is right: against what the simulated cluster itself counted.
local directory = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = directory .. "/?.lua;" .. package.path

local core = require "wingman.core"
local cjson = require "cjson"
local read_options = require "options"
local load = require "wingman.load"
local loop = require "wingman.loop"
local run_module = require "wingman.load.run"
local sim = require "wingman.sim"
local text_table = require "wingman.text_table"

local USAGE = [[
usage: wingman run scripts/bench/arrival_rate.lua [--rate N] [--seconds N] [--json]

A scenario of the load engine with the executor constant-arrival-rate, in one thread, writes
to a simulated cluster of three nodes that parses and acknowledges and stores nothing
(sink). Asked: 99 % of the iterations begin less than 1 ms after they were due, none is
dropped, and what the report says was acknowledged is what the cluster counted, to 1 %.

  --rate N     operations a second (default 50000)
  --seconds N  how long (default 10)
  --json       one JSON object as the last line; under "ratios" the operations that were
               reported to those that the cluster counted, and to those that were planned

exit codes: 0 all of it, 1 not so, 2 wrong usage
]]

local LAG_BAR, COUNT_BAR = 1e-3, 0.01

local options = read_options(USAGE, { rate = 50000, seconds = 10 })

local function metric(run, name)
  for _, one in ipairs(run.registry.list) do
    if one.name == name and next(one.tags) == nil then return one end
  end
end

local function measure(cluster)
  local test = load.test {
    cluster = { seeds = cluster.urls }, auth = { token = cluster.token },
    scenarios = {
      writes = {
        executor = "constant-arrival-rate", rate = options.rate, duration = options.seconds .. "s", keys = { count = 10000 },
        exec = function(vu) assert(vu:map "bench":set(vu:key(), { v = vu.iteration })) end,
      },
    },
  }
  local run = run_module.new(test.options, {})
  local began, used
  run.listener.ready = function() began, used = loop.now(), core.cpu_seconds() end
  assert(run:execute(), run.reason)
  local seconds = loop.now() - began
  local counted = 0
  for _, node in pairs(assert(cluster:stats())) do counted = counted + node.ops end
  local lag = run.scenarios[1].lag_histogram
  local result = {
    planned = options.rate * options.seconds, acknowledged = metric(run, "ops_acked").count, counted = counted,
    lost = run.ops_lost, dropped = run.scenarios[1].dropped, cpu = (core.cpu_seconds() - used) / seconds,
    lag = { p50 = lag:percentile(50) / 1e6, p99 = lag:percentile(99) / 1e6, p999 = lag:percentile(99.9) / 1e6, max = lag:max() / 1e6 },
  }
  run:close()
  return result
end

return loop.run(function()
  local cluster = assert(sim.start { nodes = 3, sink = true })
  local r = measure(cluster)
  cluster:stop()
  r.ratios = { reported_to_counted = r.acknowledged / r.counted, reported_to_planned = r.acknowledged / r.planned }
  local function off(ratio) return math.abs(ratio - 1) <= COUNT_BAR end
  local passed = off(r.ratios.reported_to_counted) and off(r.ratios.reported_to_planned) and r.lag.p99 < LAG_BAR and r.dropped == 0
    and r.lost == 0
  io.write(text_table.format({
    { "operations", "" },
    { "planned", r.planned },
    { "acknowledged, by the report", r.acknowledged },
    { "received, by the cluster", r.counted },
    { "lost", r.lost },
    { "dropped", r.dropped },
  }, { heading = true, indent = "  " }), "\n")
  io.write(("  schedule lag p50 %s, p99 %s, p99.9 %s, max %s; %.0f %% of a core\n"):format(text_table.duration(r.lag.p50),
    text_table.duration(r.lag.p99), text_table.duration(r.lag.p999), text_table.duration(r.lag.max), r.cpu * 100))
  if options.json then io.write(cjson.encode(r), "\n") end
  return passed and 0 or 1
end)
