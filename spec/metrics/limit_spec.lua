--- What kept a run from more: the rule by its figures, and runs whose cause is certain.
local limit = require "wingman.metrics.limit"
local load_run = require "spec.support.load_run"
local report = require "wingman.report"
local verdict = require "wingman.report.model.verdict"

local run, metric = load_run.run, load_run.metric

describe("the limit of a run", function()
  local function scenario(lateness_us, latency_us, drops)
    return { name = "s", lateness_us = lateness_us, latency_us = latency_us, drops = drops or {} }
  end
  local function judged(...) return limit.judge { scenarios = { ... } } end

  it("is the generator above a tenth of the latency and 100 us, at, over and off both", function()
    for _, case in ipairs {
      { 101, 1000, "generator" }, { 100, 999, "none" }, { 101, 1009, "generator" }, { 101, 1010, "none" }, { 101, 1011, "none" },
      { 99, 1, "none" }, { 20000, 300000, "none" }, { 20000, 199999, "generator" }, { 20000, nil, "none" },
    } do
      local got = judged(scenario(case[1], case[2]))
      assert.equal(case[3], got.limit, ("%s of %s us"):format(case[1], tostring(case[2])))
      assert.equal(case[3] == "generator", got.late)
    end
  end)

  it("is that of the scenario that is the latest by its own latency", function()
    local worst = scenario(500, 600)
    worst.name = "worst"
    local got = judged(scenario(5000, 20000), worst, scenario(1, 10))
    assert.equal("iterations of 'worst' began 500 us late (p99), which is in the latency (p99 600 us)", got.reason)
    worst.is_of_iterations = true
    assert.equal("iterations of 'worst' began 500 us late (p99), and its iterations took 600 us (p99)", judged(worst).reason)
    worst.is_closed = true
    assert.equal("the loop was 500 us late (p99) while 'worst' ran, and its iterations took 600 us (p99)", judged(worst).reason)
  end)

  it("is else what most was dropped for, else a full log, else nothing", function()
    for _, cause in ipairs { "cluster", "users", "log", "generator" } do
      local got = judged(scenario(0, 1000, { [cause] = 5, users = cause == "users" and 5 or 1 }), scenario(0, 10, { log = 2 }))
      assert.equal(cause, got.limit)
      assert.is_false(got.late)
      assert.truthy(got.reason:find("iterations were dropped: ", 1, true))
    end
    assert.equal("generator", judged(scenario(5000, 1000, { cluster = 100 })).limit)
    assert.same({ limit = "none", late = false }, judged(scenario(0, 1000)))
    local full = limit.judge { scenarios = { scenario(0, 1000) }, was_full = true }
    assert.equal("log", full.limit)
    assert.truthy(full.reason:find("the op log was full", 1, true))
  end)

  it("names what the hypervisor took, when the generator was late and it is much", function()
    local function reason(share, late) return limit.judge { scenarios = { scenario(late and 5000 or 0, 1000) }, cpu_steal = share }.reason end
    assert.truthy(reason(0.125, true):find("the hypervisor took 12.5 % of the processors' time", 1, true))
    assert.is_nil(reason(0.001, true):find("the host", 1, true))
    assert.is_nil(reason(nil, true):find("the host", 1, true))
    assert.is_nil(reason(0.125, false))
  end)

  -- Each run's cause is certain however slow the machine is: where nothing is acknowledged and
  -- nothing ends, there is no latency that the generator could be late against. The check is what
  -- such a run has measured.
  local PAUSED = [[setup = function(hand) assert(hand.client:cluster():pause "node-1") end, drain = 0,]]
  local function of_run(scenario_text, fields)
    local document, code, out, err = run(([[
      local load = require "wingman.load"
      local function write(vu) return vu:map "m":set("k" .. vu.id .. "-" .. vu.iteration, 1) end
      return load.test { cluster = "sim://1", thresholds = { ops_unacknowledged = "count>=0" }, %s scenarios = { s = { graceful_stop = 0, %s } } }]]):format(fields or "", scenario_text),
      { "--strict" })
    assert.is_true(report.validate(document))
    return document, code, out, err
  end

  local function check(document, wanted, words, code, out, err)
    assert.equal(wanted, document.limit, document.limit_reason)
    assert.truthy(document.limit_reason:find(words, 1, true), document.limit_reason)
    assert.equal(98, code, out)
    assert.truthy(err:find("wingman run: --strict: " .. verdict.limit(document) .. "\n", 1, true), err)
    assert.matches("\nLIMIT +the [^\n]+ was the\n? *limit", out)
    assert.matches("\n  limit +" .. wanted .. "\n", out)
    local page = report.render(document, "html")
    assert.truthy(page:find("<b>LIMIT</b>", 1, true) and page:find("<dt>limit</dt><dd class=\"bad\">" .. wanted, 1, true), page:sub(1, 3000))
  end

  it("is the generator when its iterations take longer than what is between them", function()
    local document, code, out, err = of_run([[executor = "constant-arrival-rate", rate = 500, duration = "500ms", graceful_stop = "60s",
      exec = function(vu)
        local ends = require "wingman.loop".now() + 0.01
        repeat until require "wingman.loop".now() >= ends
        write(vu)
      end]])
    check(document, "generator", "iterations of 's' began ", code, out, err)
    assert.is_true(document.generator_late)
  end)

  it("is the cluster when every user waits for it", function()
    local document, code, out, err = of_run([[executor = "constant-arrival-rate", rate = 100, duration = "300ms", max_vus = 2,
      exec = function(vu) vu:check("began", true) vu:wait(write(vu)) end]], PAUSED)
    check(document, "cluster", "28 iterations were dropped: every user waited for the cluster", code, out, err)
    assert.is_false(document.generator_late)
  end)

  it("is the number of users when every user is asleep", function()
    local document, code, out, err = of_run [[executor = "constant-arrival-rate", rate = 100, duration = "300ms", max_vus = 2,
      exec = function(vu) vu:check("began", true) vu:sleep(1000) end]]
    check(document, "users", "28 iterations were dropped: every user was asleep; raise max_vus", code, out, err)
    assert.is_false(document.generator_late)
    assert.equal(28, metric(document, "iterations_dropped").count)
  end)

  it("is the op log when every user waits for room in it", function()
    local document, code, out, err = of_run([[executor = "constant-arrival-rate", rate = 100, duration = "400ms", max_vus = 2, exec = write]],
      PAUSED .. [[client = { oplog = { max_ops = 10 } },]])
    check(document, "log", "every user waited because the op log was full", code, out, err)
    assert.is_false(document.generator_late)
    assert.equal(10, metric(document, "ops_unacknowledged").count)
    assert.matches("0 operations acknowledged in [^\n]+, 10 unacknowledged\n", out)
  end)

  it("is not the log that the set-up has filled", function()
    local document, code, out, err = of_run([[executor = "per-vu-iterations", vus = 1, iterations = 1, exec = write]],
      [[client = { oplog = { max_ops = 10 } },
        setup = function(hand) for i = 1, 100 do assert(hand:map "m":set("k" .. i, i)) end end,]])
    assert.equal(1, metric(document, "ops_recorded").count, out .. err)
    assert.are_not.equal("log", document.limit)
    assert.is_true(code == 0 or document.limit == "generator", out .. err)
  end)

  it("is judged against the shortest latency of the kinds of work, else against the iterations", function()
    local function latency(counts, p99)
      return limit.latency(function(name) return counts[name] or 0 end, function(name) return p99[name] end)
    end
    assert.same({ 500, nil, false }, { latency({ ops_recorded = 5 }, { op_latency = 500, iteration_duration = 1 }) })
    assert.same({ 300, "reads", false }, { latency({ ops_recorded = 5, reads = 1 }, { op_latency = 500, read_latency = 300, iteration_duration = 1 }) })
    assert.same({ 200, "queries", false }, { latency({ queries = 1 }, { query_latency = 200, read_latency = 300 }) })
    -- Begun, and nothing of it was answered: there is nothing to be late against.
    for _, name in ipairs { "ops_recorded", "reads_failed", "queries_failed" } do
      assert.same({ nil, nil, false }, { latency({ [name] = 5 }, { iteration_duration = 1 }) }, name)
    end
    assert.same({ 1, nil, true }, { latency({}, { iteration_duration = 1 }) })
    local reads = scenario(500, 600)
    reads.latency_of = "reads"
    assert.equal("iterations of 's' began 500 us late (p99), which is in the latency of reads (p99 600 us)", judged(reads).reason)
  end)

  it("is judged for queries by how long they took, and no operation is claimed", function()
    local document, _, out = of_run([[executor = "per-vu-iterations", vus = 2, iterations = 20, graceful_stop = "60s",
      exec = function(vu) assert(vu.client:query("q", { limit = 5 })) end]])
    assert.is_nil(out:find(" ops/s", 1, true), out)
    assert.is_nil(out:find "%d unacknowledged", out)
    assert.is_nil(out:find("\n  operations ", 1, true), out)
    assert.matches("40 queries in ", out)
    assert.equal(40, metric(document, "query_latency").count)
    assert.is_nil((document.limit_reason or ""):find("its iterations took", 1, true))
  end)

  it("is neither the generator nor unseen when a paused node makes queries slow", function()
    local document, _, out, err = run [[
      local load = require "wingman.load"
      return load.test { cluster = "sim://3",
        setup = function(hand) for i = 1, 50 do assert(hand:map "q":set("k" .. i, i)) end end,
        scenarios = { q = { executor = "constant-arrival-rate", rate = 10, duration = "2s", graceful_stop = "60s", exec = function(vu) assert(vu:query "q") end } },
        nemesis = { { at = "500ms", pause = "node-2" }, { at = "1500ms", resume = "node-2" } } }]]
    local latency = metric(document, "query_latency")
    local stall = document.faults[2].at_s - document.faults[1].at_s
    assert.is_true(latency.count == 20 and latency.max > 0.5 * stall, ("%d queries, %g of %g s\n%s%s"):format(latency.count, latency.max, stall, out, err))
    if document.limit == "generator" then assert.is_true(metric(document, "lateness").p99 > 0.1 * latency.p99, document.limit_reason) end
  end)
end)
