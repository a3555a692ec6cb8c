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

  local function count(document, name, tags)
    local found = metric(document, name, tags)
    return found and found.count or 0
  end

  -- Of a number of operations that were drawn with a probability, all but one in a million lie within five deviations.
  local function assert_share(expected, got, all, what)
    local margin = 5 * math.sqrt(all * expected * (1 - expected))
    assert.is_true(math.abs(got - expected * all) <= margin, ("%s: %d of %d, and %g were expected"):format(what, got, all, expected * all))
  end

  it("ycsb has the workloads of YCSB, whose reads are reads from owners and find what was written", function()
    for workload, shares in pairs {
      A = { read = 0.5, update = 0.5 }, B = { read = 0.95, update = 0.05 }, C = { read = 1 }, D = { read = 0.95, insert = 0.05 }, F = { read = 0.5, modify = 0.5 },
    } do
      local document = ready_made.check("ycsb", { DURATION = "1s", RATE = "600", WORKLOAD = workload, RECORDS = "200" })
      local all, steps = count(document, "ycsb_operations"), {}
      for _, step in ipairs { "read", "update", "insert", "scan", "modify" } do
        steps[step] = count(document, "ycsb_operations", { step = step })
        assert_share(shares[step] or 0, steps[step], all, workload .. " " .. step)
      end
      assert.equal(all, count(document, "iterations"))
      assert.equal(steps.read + steps.modify, count(document, "reads"))
      assert.equal(steps.update + steps.insert + steps.modify, count(document, "ops_acked"))
      assert.equal(0, count(document, "reads_absent"))
      assert.equal(steps.modify, count(document, "group_duration"))
    end
  end)

  it("ycsb refuses the short scans that there are not, and measures queries in their place", function()
    local _, code, text = ready_made.run("ycsb", { WORKLOAD = "E" })
    assert.equal(1, code)
    assert.truthy(text:find("WORKLOAD=E: short scans are not possible: no TopGun server reads a range of keys", 1, true), text)
    local document = ready_made.check("ycsb", { WORKLOAD = "E", SCAN = "query", DURATION = "1s", RECORDS = "100" })
    local scans = count(document, "ycsb_operations", { step = "scan" })
    assert.is_true(scans > 0 and scans == count(document, "queries"), scans .. " scans")
    assert.same({ scans, scans }, { document.checks[1].passed, count(document, "query_rows") })
    local rows = metric(document, "query_rows")
    assert.is_true(rows.min >= 1 and rows.max <= 100 and rows.max > rows.min, ("%g to %g rows"):format(rows.min, rows.max))
  end)

  it("ycsb has a load phase that is measured alone, and a run phase that needs it", function()
    local document = ready_made.check("ycsb", { PHASE = "load", RECORDS = "300" })
    assert.equal(300, count(document, "ops_acked"))
    document = select(1, ready_made.run("ycsb", { PHASE = "run", DURATION = "300ms", RATE = "100", WORKLOAD = "C" }))
    assert.equal(count(document, "reads"), count(document, "reads_absent"))
    assert.equal("failed", document.outcome)
  end)

  it("connection-storm gives every user a connection of its own", function()
    local document = ready_made.check("connection-storm", { DURATION = "1s", VUS = "40" })
    -- the shared client's three, and one for each iteration
    assert.equal(metric(document, "iterations").count + 3, metric(document, "auth_time").count)
    assert.equal(metric(document, "auth_time").count, metric(document, "connect_time").count)
    assert.equal(metric(document, "iterations").count, metric(document, "first_answer").count)
  end)
end)
