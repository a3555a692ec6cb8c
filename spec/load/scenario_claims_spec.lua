--- What the ready-made scenarios of scripts/load are there to show.
local histogram = require "wingman.histogram"
local load_run = require "spec.support.load_run"
local ready_made = require "spec.support.ready_made"

local metric = load_run.metric

describe("the ready-made scenario", function()
  after_each(load_run.clean)

  it("coordinated-omission shows in the open model what the closed one hides", function()
    local document = ready_made.check("coordinated-omission", {})
    local open, closed = metric(document, "op_latency", { scenario = "open" }), metric(document, "op_latency", { scenario = "closed" })
    assert.equal(800, open.count)
    local stall = document.faults[2].at_s - document.faults[1].at_s
    assert.is_true(open.max > 0.9 * stall and closed.max > 0.9 * stall, ("%g and %g of %g s"):format(open.max, closed.max, stall))
    -- Of the closed model's samples the one that met the stall is long, of the open one's each that came meanwhile.
    local function long(metric_of) return metric_of.count - histogram.import(metric_of.histogram):count_to(math.floor(stall * 5e5)) end
    assert.is_true(long(closed) <= 3 and long(open) > 50, ("%d of %d, %d of %d"):format(long(closed), closed.count, long(open), open.count))
  end)

  -- E makes 50 operations a second, of which 5 % write: of 25 none in one run of four, of 200 none in 28,000.
  it("mixed has the six workloads of YCSB", function()
    for _, workload in ipairs { "B", "C", "D", "E", "F" } do
      local document = ready_made.check("mixed", { DURATION = workload == "E" and "4s" or "500ms", WORKLOAD = workload })
      local recorded = metric(document, "ops_recorded").count
      if workload == "C" then assert.equal(0, recorded) else assert.is_true(recorded > 0, workload) end
    end
  end)

  it("connection-storm gives every user a connection of its own", function()
    local document = ready_made.check("connection-storm", { DURATION = "1s", VUS = "40" })
    -- the shared client's three, and one for each iteration
    assert.equal(metric(document, "iterations").count + 3, metric(document, "auth_time").count)
    assert.equal(metric(document, "auth_time").count, metric(document, "connect_time").count)
    assert.equal(metric(document, "iterations").count, metric(document, "first_answer").count)
  end)
end)
