--- What users read: where a read or a query is counted, and what its latency is of.
local histogram = require "wingman.base.histogram"
local metrics = require "wingman.metrics.registry"
local reads = require "wingman.metrics.reads"

describe("what users read", function()
  local run, own

  before_each(function()
    run = {
      registry = metrics.registry(), options = { thresholds = {} }, context = { tag = 0, late_us = 0 }, scenario_of_tag = {}, group_of_tag = {},
    }
    run.scenario_of_tag[1] = { name = "a", tags = { scenario = "a", team = "red" } }
    run.scenario_of_tag[2], run.group_of_tag[2] = run.scenario_of_tag[1], "login"
    run.scenario_of_tag[3] = { name = "b", tags = { scenario = "b" } }
    own = reads.new(run)
  end)

  local function as(tag, late_us) run.context.tag, run.context.late_us = tag, late_us or 0 end
  local function get(name, tags) return run.registry:find(name, tags) end
  local function count(name, tags)
    local metric = get(name, tags)
    return metric and (metric.histogram and metric.histogram:count() or metric.count)
  end

  it("is counted in the whole, in the scenario, in its group, and by map", function()
    as(1)
    own:read("m", "k", 100, "value")
    as(2)
    own:read("m", "k", 100, "value")
    own:read("n", "k", 100, "value")
    as(3)
    own:read("m", "k", 100, "value")
    for _, name in ipairs { "reads", "read_latency" } do
      assert.equal(4, count(name))
      assert.equal(3, count(name, { scenario = "a", team = "red" }))
      assert.equal(2, count(name, { scenario = "a", team = "red", map = "m" }))
      assert.equal(1, count(name, { scenario = "a", team = "red", map = "n" }))
      assert.equal(2, count(name, { scenario = "a", team = "red", group = "login" }))
      assert.equal(1, count(name, { scenario = "a", team = "red", group = "login", map = "m" }))
      assert.equal(1, count(name, { scenario = "b" }))
    end
    assert.equal(0, count("reads_failed", { scenario = "b" }))
    assert.is_nil(get "queries")
  end)

  it("takes as long as it took and its iteration was late", function()
    as(1, 700)
    own:read("m", "k", 100, "value")
    own:query("m", 50, 3)
    assert.equal(800, get("read_latency").histogram:max())
    assert.equal(750, get("query_latency").histogram:max())
    local interval = histogram.new(1e6, 2)
    own:take_interval("read", interval)
    own:take_interval("read", interval)
    assert.same({ 1, 800 }, { interval:count(), interval:max() })
    assert.same({ 1, 1 }, { own:done "read", own:done "query" })
  end)

  it("is of several keys one latency, and each key is one read", function()
    as(1)
    own:read("m", { "a", "b", "c" }, 100, { a = false, b = 0 })
    own:read("m", {}, 100, {})
    own:read("m", "a", 100, nil)
    assert.same({ 4, 2, 2 }, { count "reads", count "read_latency", count "reads_absent" })
    own:read("m", { "a", "b" }, 100, nil, { code = "TIMEOUT" })
    assert.same({ 4, 2, 2 }, { count "reads", count "read_latency", count "reads_failed" })
    assert.equal(4, own:done "read")
  end)

  it("is a failure by its code, and has no latency then", function()
    run.options.thresholds = { { name = "reads_failed", tags = { code = "CLOSED" } } }
    as(1)
    for _, code in ipairs { "TIMEOUT", "TIMEOUT", "BUSY" } do own:read("m", "k", 100, nil, { code = code }) end
    own:query("m", 100, nil, { code = "NOT_CONNECTED" })
    assert.is_nil(get "read_latency")
    assert.same({ 3, 2, 1 }, { count "reads_failed", count("reads_failed", { code = "TIMEOUT" }), count("reads_failed", { code = "BUSY" }) })
    assert.equal(3, count("reads_failed", { scenario = "a", team = "red" }))
    assert.equal(2, count("reads_failed", { scenario = "a", team = "red", code = "TIMEOUT" }))
    assert.equal(0, count("reads_failed", { code = "CLOSED" }), "a code that a threshold asks for")
    assert.equal(1, count "queries_failed")
  end)

  it("is not measured of a set-up, a teardown or a task of the script's own", function()
    as(0)
    own:read("m", "k", 100, "value")
    own:read("m", "k", 100, nil, { code = "TIMEOUT" })
    own:query("m", 100, 3)
    assert.same({}, run.registry.list)
  end)

  it("has the rows of queries", function()
    as(3)
    own:query("m", 100, 3)
    own:query("m", 100, 0)
    local rows = get("query_rows", { scenario = "b", map = "m" })
    assert.same({ 2, 3, 0 }, { rows.histogram:count(), rows.histogram:max(), rows.histogram:min() })
    assert.equal("rows", rows.unit)
  end)

  it("has a place for the maps of a script with one for each user", function()
    as(1)
    for i = 1, 1000 do own:read("m" .. i, "k", 100, i) end
    assert.equal(1000, count "reads")
    assert.equal(950, count("reads", { scenario = "a", team = "red", map = reads.OTHER_MAPS }))
    assert.is_true(#run.registry.list < 250, #run.registry.list .. " metrics")
  end)
end)
