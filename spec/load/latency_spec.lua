--- Known latencies: what the cluster is made to take is what the report says; and a stall
--- is seen by an open model, in all who would have come meanwhile.
local histogram = require "wingman.histogram"
local load_run = require "spec.support.load_run"

local run, metric = load_run.run, load_run.metric

--- What is compared is measured in the same run: a busy machine makes both sides longer.
--- The simulated cluster's timers count whole milliseconds, and may be early by one (s).
local SIM_TICK = 0.001

local function delayed(executor, ms, fields)
  return ([[
    local load = require "wingman.load"
    local native = require "wingman.load.executor.native"
    local own = {} -- what the script itself measures (us)
    return load.test {
      cluster = "sim://3",
      scenarios = { main = { %s } },
      nemesis = { { at = 0, fault = "ack-delay", node = "all", args = { %d } } },
      %s
    }]]):format(executor, ms, fields or "")
end

describe("a known latency", function()
  after_each(load_run.clean)

  it("of 5, 20 and 100 ms is what the report says, and what the script finds, within 2 % and a millisecond", function()
    for _, ms in ipairs { 5, 20, 100 } do
      -- The first operations may leave before the fault is ordered: begin after it.
      local document, code, out, err = run(delayed([[executor = "per-vu-iterations", vus = 10, iterations = 20, start_time = "300ms",
        keys = { count = 10000 }, exec = function(vu)
          local began = native.now_us()
          assert(vu:wait(vu:map "m":set(vu:key(), vu.iteration)))
          own[#own + 1] = native.now_us() - began
        end]], ms, [[teardown = function()
          table.sort(own)
          print(("OWN %d %d"):format(own[1], own[#own / 2]))
        end]]))
      assert.equal(0, code, out .. err)
      assert.is_true(document.faults[1].ok and document.faults[1].at_s < 0.3, "the fault was late, at " .. document.faults[1].at_s)
      local latency, ack = metric(document, "op_latency", { scenario = "main" }), metric(document, "op_ack", { scenario = "main" })
      assert.equal(200, latency.count)
      local own_min, own_p50 = out:match "OWN (%d+) (%d+)"
      own_min, own_p50 = own_min / 1e6, own_p50 / 1e6
      local said = ("%d ms: latency min %.6f p50 %.6f, ack p50 %.6f; the script's own min %.6f p50 %.6f"):format(ms, latency.min,
        latency.p50, ack.p50, own_min, own_p50)
      assert.is_true(latency.min >= ms / 1000 - SIM_TICK, said)
      -- The script hears of an acknowledgement when its turn comes: later, and in the best case by little.
      assert.is_true(latency.p50 <= own_p50 * 1.02 and latency.p50 >= ack.p50 * 0.98, said)
      assert.is_true(latency.min >= own_min * 0.98 - 0.001, said)
      assert.is_true(ack.p50 >= ms / 1000 - SIM_TICK and ack.p50 <= latency.p50 * 1.02, said)
    end
  end)

  it("has parts that add up", function()
    local document = run(delayed([[executor = "constant-arrival-rate", rate = 500, duration = "1s", keys = { count = 10000 },
      exec = function(vu) vu:map "m":set(vu:key(), vu.iteration) end]], 5))
    local function mean(name) return metric(document, name, { scenario = "main" }).mean end
    local parts = mean "op_queue" + mean "op_send" + mean "op_ack" + mean "lateness"
    assert.is_true(math.abs(parts - mean "op_latency") < mean "op_latency" * 0.02 + 2e-5, ("%.6f %.6f"):format(parts, mean "op_latency"))
  end)
end)

describe("a stall of one second", function()
  after_each(load_run.clean)

  -- All nodes stop reading for a second: nothing is answered meanwhile. The latencies, and
  -- how long the stall was.
  local function stalled(executor)
    local document, code, out, err = run(([[
      local load = require "wingman.load"
      return load.test {
        cluster = "sim://1", client = { batch = { ack_timeout = 60 }, heartbeat = { timeout = 60 }, unanswered = 60, circuit = "never" },
        scenarios = { main = { graceful_stop = "60s", %s } },
        nemesis = { { at = "1s", pause = "node-1" }, { at = "2s", resume = "node-1" } },
      }]]):format(executor))
    assert.equal(0, code, out .. err)
    local pause, resume = document.faults[1], document.faults[2]
    assert.is_true(pause.ok and resume.ok)
    return metric(document, "op_latency", { scenario = "main" }), resume.at_s - pause.at_s, document
  end

  -- How many latencies are above a part of the stall.
  local function above(latency, seconds)
    return latency.count - assert(histogram.import(latency.histogram)):count_to(math.floor(seconds * 1e6))
  end

  it("is in an open model's percentiles, for all who would have come meanwhile", function()
    local latency, stall, document = stalled [[executor = "constant-arrival-rate", rate = 200, duration = "4s", keys = { count = 1000 },
      max_vus = 800, exec = function(vu) assert(vu:wait(vu:map "m":set(vu:key(), 1))) end]]
    assert.equal(800, latency.count)
    assert.equal(0, metric(document, "iterations_dropped").count)
    -- 200 a second came during the stall, and wait for 0 to all of it, evenly.
    for _, part in ipairs { 0.25, 0.5, 0.75 } do
      local expected, got = 200 * stall * (1 - part), above(latency, stall * part)
      assert.is_true(got >= expected * 0.9 - 10, ("%d of %.0f waited for longer than %.2f of %.2f s"):format(got, expected, part, stall))
    end
    assert.is_true(latency.max > 0.9 * stall, ("%.2f of %.2f s"):format(latency.max, stall))
  end)

  it("is one sample of many in a closed model, which waits with the cluster", function()
    local latency, stall = stalled [[executor = "constant-vus", vus = 1, duration = "4s", keys = { count = 1000 },
      exec = function(vu) assert(vu:wait(vu:map "m":set(vu:key(), 1))) end]]
    assert.is_true(latency.max > 0.9 * stall, ("%.2f of %.2f s"):format(latency.max, stall))
    -- Coordinated omission: of the 200 a second that the open model sees, one is left.
    assert.is_true(above(latency, stall * 0.5) <= 3, above(latency, stall * 0.5) .. " samples")
    assert.is_true(latency.count > 100, latency.count .. " samples")
  end)
end)
