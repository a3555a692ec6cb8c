--- Known latencies: what the cluster is made to take is what the report says; and a stall
--- is seen by an open model, in all who would have come meanwhile.
local load_run = require "spec.support.load_run"

local run, metric = load_run.run, load_run.metric

--- From the due time to the generator's next look, and back: what a tick may add (s). The
--- rest is the machine's, which may be busy: the median is compared.
local TICK = 0.003
--- The simulated cluster's timers count whole milliseconds, and may be early by one.
local SIM_TICK = 0.001

local function delayed(executor, ms)
  return ([[
    local load = require "wingman.load"
    return load.test {
      cluster = "sim://3",
      scenarios = { main = { %s } },
      nemesis = { { at = 0, fault = "ack-delay", node = "all", args = { %d } } },
    }]]):format(executor, ms)
end

describe("a known latency", function()
  after_each(load_run.clean)

  it("of 5, 20 and 100 ms is what the report says, within 2 % and a tick", function()
    for _, ms in ipairs { 5, 20, 100 } do
      -- The first operations may leave before the fault is ordered: begin after it.
      local document, code, out, err = run(delayed([[executor = "constant-arrival-rate", rate = 300, duration = "2s", start_time = "300ms",
        keys = { count = 10000 }, exec = function(vu) vu:map "m":set(vu:key(), vu.iteration) end]], ms))
      assert.equal(0, code, out .. err)
      assert.is_true(document.faults[1].ok)
      local latency, ack = metric(document, "op_latency", { scenario = "main" }), metric(document, "op_ack", { scenario = "main" })
      assert.equal(600, latency.count)
      local expected = ms / 1000
      assert.is_true(latency.min >= expected * 0.98 - SIM_TICK, ("%d ms: min %.4f"):format(ms, latency.min))
      assert.is_true(math.abs(ack.p50 - expected) <= expected * 0.02 + TICK, ("%d ms: ack p50 %.4f"):format(ms, ack.p50))
      assert.is_true(latency.min <= expected * 1.02 + TICK, ("%d ms: min %.4f"):format(ms, latency.min))
    end
  end)

  it("has parts that add up", function()
    local document = run(delayed([[executor = "constant-arrival-rate", rate = 500, duration = "1s", keys = { count = 10000 },
      exec = function(vu) vu:map "m":set(vu:key(), vu.iteration) end]], 5))
    local function mean(name) return metric(document, name, { scenario = "main" }).mean end
    local parts = mean "op_queue" + mean "op_send" + mean "op_ack" + mean "schedule_lag"
    assert.is_true(math.abs(parts - mean "op_latency") < mean "op_latency" * 0.02 + 2e-5, ("%.6f %.6f"):format(parts, mean "op_latency"))
  end)
end)

describe("a stall of one second", function()
  after_each(load_run.clean)

  -- All nodes stop reading for a second: nothing is answered meanwhile.
  local function stalled(executor)
    local document, code, out, err = run(([[
      local load = require "wingman.load"
      return load.test {
        cluster = "sim://1", client = { batch = { ack_timeout = 30 }, circuit = "never" },
        scenarios = { main = { %s } },
        nemesis = { { at = "1s", pause = "node-1" }, { at = "2s", resume = "node-1" } },
      }]]):format(executor))
    assert.equal(0, code, out .. err)
    assert.is_true(document.faults[1].ok and document.faults[2].ok)
    return metric(document, "op_latency", { scenario = "main" }), document
  end

  it("is in an open model's percentiles, for all who would have come meanwhile", function()
    local latency, document = stalled [[executor = "constant-arrival-rate", rate = 200, duration = "4s", keys = { count = 1000 }, max_vus = 400,
      exec = function(vu) assert(vu:wait(vu:map "m":set(vu:key(), 1))) end]]
    assert.equal(800, latency.count)
    -- A quarter of the arrivals fell into the stall: their latencies are even from 0 to 1 s.
    assert.is_true(latency.p99_9 > 0.9, tostring(latency.p99_9))
    assert.is_true(latency.p95 > 0.6, tostring(latency.p95))
    assert.is_true(latency.p90 > 0.4, tostring(latency.p90))
    assert.equal(0, metric(document, "iterations_dropped").count)
  end)

  it("is one sample of many in a closed model, which waits with the cluster", function()
    local latency = stalled [[executor = "constant-vus", vus = 1, duration = "4s", keys = { count = 1000 },
      exec = function(vu) assert(vu:wait(vu:map "m":set(vu:key(), 1))) end]]
    assert.is_true(latency.count > 500, tostring(latency.count))
    assert.is_true(latency.max > 0.9)
    assert.is_true(latency.p95 < 0.4, tostring(latency.p95)) -- coordinated omission
  end)
end)
