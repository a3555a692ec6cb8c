local bootstrap = require "wingman.report.diff.bootstrap"
local fixture = require "spec.report.fixture"
local layout = require "wingman.text.layout"
local report = require "wingman.report"
local seed = require "spec.core.support".seed
local view = require "wingman.report.model.view"

local function row(comparison, name)
  for _, one in ipairs(comparison.rows) do if one.name == name then return one end end
end

local function quiet(options)
  local all = { rate = 400, seconds = 30, kill = false, wander = 0.02 }
  for k, v in pairs(options or {}) do all[k] = v end
  return fixture.document(all)
end

local function set_count(document, name, count)
  for _, metric in ipairs(document.metrics) do
    if metric.name == name then metric.count = next(metric.tags) == nil and count or 0 end
  end
end

-- A share of the iterations fails before it records anything.
local function failing(document, share)
  local iterations, acked, errors = 0, 0, 0
  for _, point in ipairs(document.series.points) do
    local c = point.counters
    c.errors = math.floor(c.iterations * share)
    c.ops_acked = c.iterations - c.errors
    iterations, acked, errors = iterations + c.iterations, acked + c.ops_acked, errors + c.errors
  end
  set_count(document, "iterations", iterations)
  set_count(document, "ops_acked", acked)
  document.errors = errors > 0 and { { code = "INVALID", count = errors } } or {}
  return document
end

describe("report diff", function()
  it("sees no difference between a run and itself, or its like", function()
    local a = quiet { seed = 1 }
    for _, b in ipairs { a, quiet { seed = 2 } } do
      local got = report.diff(a, b)
      assert.equal("same", got.verdict)
      assert.equal("no difference that this noise allows to see", got.sentence)
      for _, one in ipairs(got.rows) do
        assert.equal("same", one.verdict, one.name)
        if one.low then assert.is_true(one.low <= one.change and one.change <= one.high, one.name) end
      end
    end
  end)

  it("sees what is slower, what is faster, and by how much", function()
    local a, b = quiet { seed = 1 }, quiet { seed = 2, slow = 1.25 }
    local got = report.diff(a, b)
    assert.equal("worse", got.verdict)
    local p50 = row(got, "p50")
    assert.equal("worse", p50.verdict)
    assert.is_true(p50.low <= 0.25 and p50.high >= 0.25 and p50.low > 0, ("%g to %g"):format(p50.low, p50.high))
    local back = report.diff(b, a)
    assert.equal("better", back.verdict)
    assert.equal("better", row(back, "p50").verdict)
    assert.is_true(row(back, "p50").high < 0)
  end)

  it("sees throughput that fell", function()
    local got = report.diff(quiet { seed = 1, rate = 400 }, quiet { seed = 2, rate = 300 })
    assert.equal("worse", row(got, "throughput").verdict)
    assert.is_true(math.abs(row(got, "throughput").change + 0.25) < 1e-9)
    assert.equal("better", row(report.diff(quiet { seed = 1, rate = 300 }, quiet { seed = 2, rate = 400 }), "throughput").verdict)
  end)

  it("does not take wandering for a change: few of 60 equal pairs differ (seed " .. seed .. ")", function()
    local different = 0
    for i = 1, 60 do
      local function one(n) return fixture.document { rate = 100, seconds = 30, kill = false, seed = seed * 100 + 2 * i + n } end
      local verdict = report.diff(one(0), one(1)).verdict
      if verdict == "better" or verdict == "worse" then different = different + 1 end
    end
    -- One in twenty at most is promised; that 60 pairs have ten by chance has a
    -- probability of 0.0004 even then.
    assert.is_true(different < 10, different .. " of 60")
  end)

  it("needs more to be sure where there is more noise", function()
    local function width(wander)
      local p50 = row(report.diff(quiet { seed = 1, wander = wander }, quiet { seed = 2, wander = wander }), "p50")
      return p50.high - p50.low
    end
    assert.is_true(width(0.2) > 3 * width(0.02))
  end)

  it("takes longer blocks where neighbours are alike", function()
    local calm = bootstrap.intervals(quiet { wander = 0, seconds = 120 }, view.seconds)
    local wandering = bootstrap.intervals(quiet { wander = 0.2, seconds = 120 }, view.seconds)
    assert.equal(120, calm.n)
    assert.equal(5, bootstrap.block_length(calm))
    assert.is_true(bootstrap.block_length(wandering) > 5)
  end)

  it("is unknown where there are too few intervals, or operations", function()
    local got = report.diff(quiet { seconds = 7 }, quiet { seconds = 30 })
    assert.equal("unknown", got.verdict)
    assert.matches("^7 whole intervals say too little about the noise, 8 are needed$", row(got, "p50").reason)
    assert.equal("same", row(report.diff(quiet { seconds = 8 }, quiet { seconds = 8, seed = 3 }), "p50").verdict)
    local few = row(report.diff(quiet { rate = 30 }, quiet { rate = 30, seed = 3 }), "p99.9")
    assert.same({ "unknown", "too few operations lie beyond it" }, { few.verdict, few.reason })
  end)

  it("cannot tell where the noise hides a tail that is many times as long", function()
    local a, b = quiet { seed = 1, seconds = 12 }, quiet { seed = 2, seconds = 12, stall = 2 }
    local got = report.diff(a, b)
    local p99 = row(got, "p99")
    assert.is_true(p99.change > 20, tostring(p99.change))
    assert.same({ "noisy", "unknown" }, { p99.verdict, got.verdict })
    assert.matches("^too noisy to tell: .*p99 x %d+", got.sentence)
    assert.matches("\n  p99 +.* too noisy\n", report.diff_text(got, { "a", "b" }))
    assert.matches("^UNKNOWN  too noisy", report.diff_text(got, { "a", "b" }))
    -- What is better is shown, and is no verdict beside a tail that may be longer.
    local faster = quiet { seed = 2, seconds = 12, stall = 2, slow = 0.5 }
    got = report.diff(a, faster)
    if row(got, "p50").verdict == "better" then assert.matches("; better: p50 %-", got.sentence) end
    assert.equal("unknown", got.verdict)
    -- Within the tolerance the noise hides nothing.
    assert.equal("same", report.diff(a, b, { tolerance = 1e6 }).verdict)
  end)

  it("takes writes that nobody confirmed for no noise", function()
    local a, b = quiet { seconds = 5 }, quiet { seconds = 5 }
    for _, metric in ipairs(b.metrics) do if metric.name == "ops_unacknowledged" then metric.count = 1 end end
    assert.same({ "worse", "unacknowledged +1" }, { report.diff(a, b).verdict, report.diff(a, b).sentence })
    assert.equal("better", report.diff(b, a).verdict)
  end)

  it("sees errors that were not there before", function()
    local a, b = quiet { seed = 1 }, quiet { seed = 2 }
    b.errors = { { code = "TIMEOUT", count = 300 } }
    for _, point in ipairs(b.series.points) do point.counters.errors = 10 end
    assert.equal("worse", row(report.diff(a, b), "errors").verdict)
    assert.is_nil(row(report.diff(a, a), "errors"))
  end)

  it("calls a throughput that fell to nothing worse, and one that came from nothing better", function()
    for _, seconds in ipairs { 30, 5 } do -- it takes no intervals to see that
      local a, b = quiet { seed = 1, seconds = seconds }, failing(quiet { seed = 2, seconds = seconds }, 1)
      local got = report.diff(a, b)
      assert.equal("worse", got.verdict)
      assert.matches("^throughput %-100 %%", got.sentence)
      assert.same({ "worse", -1, 0 }, { row(got, "throughput").verdict, row(got, "throughput").change, row(got, "throughput").b })
      assert.matches("^WORSE  throughput %-100 %%", report.diff_text(got, { "a", "b" }))
      local back = report.diff(b, a)
      assert.equal("better", back.verdict)
      assert.matches("^BETTER  throughput from 0", report.diff_text(back, { "b", "a" }))
    end
    local b = failing(quiet { seed = 2 }, 1)
    assert.equal("same", row(report.diff(quiet(), b, { tolerance = 1 }), "throughput").verdict)
    -- Both of nothing are compared by their iterations.
    assert.same({ "iterations/s", "same" }, { row(report.diff(b, b), "throughput").unit, row(report.diff(b, b), "throughput").verdict })
  end)

  it("cannot tell where next to nothing was done, or nothing", function()
    local a, b = quiet { seconds = 5 }, quiet { seconds = 5 }
    for _, name in ipairs { "ops_acked", "iterations" } do
      set_count(a, name, 9)
      set_count(b, name, 0)
    end
    local got = row(report.diff(a, b), "throughput")
    assert.same({ "unknown", "too little was done" }, { got.verdict, got.reason })
    got = row(report.diff(b, b), "throughput")
    assert.same({ "unknown", "nothing was done" }, { got.verdict, got.reason })
  end)

  it("tells errors as a share of what was tried", function()
    local clean = quiet { seed = 1 }
    for _, share in ipairs { 1, 0.5, 0.01 } do
      local errors = row(report.diff(clean, failing(quiet { seed = 2 }, share)), "errors")
      assert.same({ 0, share, "worse" }, { errors.a, errors.b, errors.verdict })
      assert.is_true(errors.low <= share and share <= errors.high and errors.high <= 1, ("%g to %g"):format(errors.low, errors.high))
    end
    -- Where nothing is written, iterations are what is tried; where one of them makes many
    -- operations, those are.
    assert.equal(0.01, bootstrap.error_share(10, 0, 1000))
    assert.equal(0.5, bootstrap.error_share(5000, 5000, 100))
    assert.equal(0, bootstrap.error_share(0, 0, 0))
  end)

  it("lets a tolerance pass", function()
    local a, b = quiet { seed = 1 }, quiet { seed = 2, slow = 1.25 }
    assert.equal("same", report.diff(a, b, { tolerance = 0.5 }).verdict)
    assert.equal("worse", report.diff(a, b, { tolerance = 0.05 }).verdict)
  end)

  it("says why two runs may not be comparable", function()
    local a, b = quiet(), quiet { late = true }
    b.environment.cluster, b.outcome, b.reason = "topgun://3", "interrupted", "by SIGINT"
    b.environment.processors_awake = 2
    local notes = report.diff(a, b, { names = { "a", "b" } }).notes
    assert.same({ "the cluster differs: sim://3 and topgun://3", "the number of processors kept awake differs: none and 2",
      "b: the generator was the limit: lateness p99 was 38 ms, 412 iterations were dropped",
      "b INTERRUPTED: by SIGINT" }, notes)
  end)

  it("says the same each time, and fits a terminal", function()
    local a, b = quiet { seed = 1 }, quiet { seed = 2, slow = 1.25 }
    local text = report.diff_text(report.diff(a, b), { "a.json", "b.json" }, { width = 80 })
    assert.equal(text, report.diff_text(report.diff(a, b), { "a.json", "b.json" }, { width = 80 }))
    assert.matches("^WORSE  p50 %+2%d", text)
    assert.matches("\n  p50 +%d+ us +%d+ us +%+%d", text)
    for line in text:gmatch "[^\n]+" do assert.is_true(layout.columns(line) <= 80, line) end
  end)
end)
