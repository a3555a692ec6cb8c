--- Whether a generator keeps a rate of 50,000 operations a second on one core, and
--- whether its report is right: against what the simulated cluster itself counted.
local directory = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = directory .. "/?.lua;" .. package.path

local core = require "wingman.core"
local cjson = require "cjson"
local keep_awake = require "wingman.load.keep_awake"
local read_options = require "options"
local load = require "wingman.load"
local loop = require "wingman.loop"
local run_module = require "wingman.load.run"
local sim = require "wingman.sim"
local cpu_steal = require "wingman.metrics.cpu_steal"
local text_table = require "wingman.text.table"

local USAGE = [[
usage: wingman run scripts/bench/arrival_rate.lua [--rate N] [--seconds N] [--json]

Measures how punctually the executor constant-arrival-rate begins its iterations. One thread
writes to a simulated cluster of three nodes that acknowledges and stores nothing (sink),
once with the processors kept awake (wingman run --keep-awake) and once without. Required:
99 % of the iterations begin less than 1 ms late, none is dropped, and the acknowledged
operations in the report differ from those that the cluster counted by at most 1 %.

Only the lateness with processors kept awake is judged. On a virtual machine the other one
includes the time that the hypervisor takes to return an idle processor; "taken" is the
share of processor time for which it did that.

  --rate N     operations per second (default 50000)
  --seconds N  length of each run (default 10)
  --json       print one JSON object as the last line, with "awake" and "as_it_is"; "ratios"
               are the reported operations to those counted by the cluster, and to those
               planned

exit codes: 0 all requirements met, 1 not met, 2 usage error
]]

local LATENESS_BAR, COUNT_BAR = 1e-3, 0.01

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
  local began, used, taken
  run.listener.ready = function() began, used, taken = loop.now(), core.cpu_seconds(), cpu_steal.since_now() end
  assert(run:execute(), run.reason)
  local seconds = loop.now() - began
  local counted = 0
  for _, node in pairs(assert(cluster:stats())) do counted = counted + node.ops end
  local lateness = run.scenarios[1].lateness_histogram
  local planned, acknowledged = options.rate * options.seconds, metric(run, "ops_acked").count
  local result = {
    planned = planned, acknowledged = acknowledged, counted = counted, unacknowledged = run.ops_unacknowledged, dropped = run.scenarios[1].dropped,
    cpu = (core.cpu_seconds() - used) / seconds, taken = taken(),
    lateness = {
      p50 = lateness:percentile(50) / 1e6, p99 = lateness:percentile(99) / 1e6, p999 = lateness:percentile(99.9) / 1e6,
      max = lateness:max() / 1e6,
    },
    ratios = { reported_to_counted = acknowledged / counted, reported_to_planned = acknowledged / planned },
  }
  run:close()
  return result
end

-- On a cluster of its own, so that what it counts is of this run.
local function measure_once()
  local cluster = assert(sim.start { nodes = 3, sink = true })
  local result = measure(cluster)
  cluster:stop()
  return result
end

local function is_right(result)
  local function right(ratio) return math.abs(ratio - 1) <= COUNT_BAR end
  return right(result.ratios.reported_to_counted) and right(result.ratios.reported_to_planned) and result.dropped == 0
    and result.unacknowledged == 0
end

local function print_lateness(name, result)
  local lateness = result.lateness
  io.write(("  lateness %-8s p50 %s, p99 %s, p99.9 %s, max %s; %.0f %% of a core%s\n"):format(name, text_table.duration(lateness.p50),
    text_table.duration(lateness.p99), text_table.duration(lateness.p999), text_table.duration(lateness.max), result.cpu * 100,
    result.taken and ("; taken %.1f %%"):format(result.taken * 100) or ""))
end

return loop.run(function()
  local awake = assert(keep_awake.start())
  local with = measure_once()
  awake:stop()
  local without = measure_once()
  io.write(text_table.format({
    { "operations", "awake", "as it is" },
    { "planned", with.planned, without.planned },
    { "acknowledged, by the report", with.acknowledged, without.acknowledged },
    { "received, by the cluster", with.counted, without.counted },
    { "unacknowledged", with.unacknowledged, without.unacknowledged },
    { "dropped", with.dropped, without.dropped },
  }, { heading = true, indent = "  " }), "\n")
  print_lateness("awake", with)
  print_lateness("as it is", without)
  if options.json then io.write(cjson.encode { awake = with, as_it_is = without }, "\n") end
  return is_right(with) and is_right(without) and with.lateness.p99 < LATENESS_BAR and 0 or 1
end)
