--- Thresholds: how they are read, what they look at.
local metrics = require "wingman.metrics.registry"
local threshold = require "wingman.metrics.threshold"

local function read(metric, expression) return threshold.read({ [metric] = { expression } })[1] end

describe("a threshold", function()
  it("is read with its selector and units", function()
    local one = read("op_latency{scenario:writes, node:n1}", " p(99.9) < 200ms ")
    assert.equal("op_latency", one.name)
    assert.same({ scenario = "writes", node = "n1" }, one.tags)
    assert.equal("p(99.9)<200ms", one.expression)
    assert.equal(99.9, one.percentile)
    assert.near(0.2, one.limit, 1e-12)
  end)

  it("names what cannot be read", function()
    for expression, words in pairs {
      ["p(99)~5"] = "something like p(99)<50ms", ["p(101)<5ms"] = "percentiles are 0 to 100",
      ["mean<5ms"] = "'mean' is none of", ["p(9)<5min"] = "us, ms or s",
    } do
      local ok, err = pcall(read, "op_latency", expression)
      assert.is_false(ok, expression)
      assert.truthy(err:find(words, 1, true), err)
      assert.truthy(err:find("op_latency", 1, true), err)
    end
    assert.is_false(pcall(read, "op latency", "avg<1s"))
    local ok, err = pcall(threshold.read, { op_latency = { { "avg<1s", abortt = true } } })
    assert.is_false(ok)
    assert.truthy(err:find("threshold on 'op_latency': unknown option 'abortt'; did you mean 'abort'?", 1, true), err)
    assert.is_false(pcall(read, "op_latency{a}", "avg<1s"))
  end)

  it("does not ask a metric for what it has not, nor for a time without unit", function()
    local ok, err = pcall(threshold.check_fits, read("ops_unacknowledged", "p(99)<1"), "counter", "")
    assert.is_false(ok)
    assert.truthy(err:find("a counter has count, rate", 1, true))
    assert.is_false(pcall(threshold.check_fits, read("op_latency", "p(99)<50"), "trend", "s"))
    threshold.check_fits(read("batch_size", "p(99)<50"), "trend", "ops")
    threshold.check_fits(read("op_latency", "count>50"), "trend", "s")
  end)

  it("takes no unit for what is no time, and says what has none", function()
    for _, case in ipairs {
      { "ops_unacknowledged", "count<5ms", "counter", "ops", "count has no unit; give a number without us, ms, s" },
      { "ops_unacknowledged", "rate<1s", "counter", "ops", "rate has no unit" },
      { "op_latency", "count>1s", "trend", "s", "count has no unit" },
      { "op_latency", "rate>0s", "trend", "s", "rate has no unit" },
      { "checks", "rate>95ms", "rate", "checks", "rate has no unit" },
      { "batch_size", "p(99)<5ms", "trend", "ops", "batch_size is in ops, which is no time" },
      { "vus", "max<5s", "gauge", "", "vus has no unit" },
    } do
      local ok, err = pcall(threshold.check_fits, read(case[1], case[2]), case[3], case[4])
      assert.is_false(ok, case[1] .. " " .. case[2])
      assert.truthy(err:find(("threshold '%s' on '%s': %s"):format(case[2], case[1], case[5]), 1, true), err)
    end
    threshold.check_fits(read("op_latency", "max<1s"), "trend", "s")
    threshold.check_fits(read("delay", "max<50ms"), "gauge", "ms")
    local gauge = metrics.registry():get("gauge", "delay", "ms", {})
    gauge:set(20)
    assert.near(0.02, threshold.value(gauge, read("delay", "max<50ms"), 1), 1e-9)
    assert.equal(20, threshold.value(gauge, read("delay", "max<50"), 1))
  end)

  it("looks at trends, counters, gauges and rates", function()
    local registry = metrics.registry()
    local trend = registry:trend("t", nil, "s")
    for i = 1, 1000 do trend:add(i / 1000) end
    local function value(expression, metric) return threshold.value(metric, read("t", expression), 10) end
    assert.near(0.99, value("p(99)<1s", trend), 0.001)
    assert.near(0.5, value("med<1s", trend), 0.001)
    assert.near(0.5005, value("avg<1s", trend), 0.001)
    assert.near(1, value("max<1s", trend), 1e-9)
    assert.equal(1000, value("count>1", trend))
    assert.equal(100, value("rate>1", trend))
    local counter = registry:counter "c"
    counter:add(30)
    assert.equal(30, value("count==30", counter))
    assert.equal(3, value("rate>1", counter))
    local gauge = registry:gauge "g"
    gauge:set(5)
    gauge:set(2)
    assert.equal(2, value("value<3", gauge))
    assert.equal(5, value("max<3", gauge))
    local rate = registry:rate "r"
    for i = 1, 4 do rate:add(i > 1) end
    assert.equal(0.75, value("rate>0.5", rate))
  end)

  describe("with tags", function()
    local registry = metrics.registry()
    local function add(kind, name, tags, value)
      local metric = registry:get(kind, name, kind == "trend" and "s" or "", tags)
      if kind == "gauge" then metric:set(value) else metric:add(value) end
    end
    -- Two scenarios of one team; the group is a part of its scenario, a node another cut of all.
    add("counter", "ops", nil, 15)
    add("counter", "ops", { scenario = "a", team = "x" }, 3)
    add("counter", "ops", { scenario = "a", team = "x", group = "pay" }, 2)
    add("counter", "ops", { scenario = "b", team = "x" }, 5)
    add("counter", "ops", { scenario = "b", team = "x", group = "pay" }, 1)
    add("counter", "ops", { scenario = "c" }, 7)
    add("counter", "ops", { node = "n1" }, 15)

    local function value(metric, expression)
      local one = read(metric, expression)
      local function look()
        local total = threshold.total(one, threshold.select(registry.list, one))
        return total and threshold.value(total, one, 10)
      end
      local first = look()
      assert.equal(first, look(), "another look adds nothing")
      return first
    end

    it("looks at everything that has them, and counts nothing twice", function()
      for metric, expected in pairs {
        ["ops"] = 15, ["ops{scenario:a}"] = 3, ["ops{team:x}"] = 8, ["ops{group:pay}"] = 3, ["ops{scenario:b,group:pay}"] = 1,
        ["ops{node:n1}"] = 15, ["ops{scenario:c}"] = 7,
      } do assert.equal(expected, value(metric, "count>0"), metric) end
      assert.is_nil(value("ops{team:y}", "count>0"))
      assert.is_nil(value("other", "count>0"))
    end)

    it("adds trends and rates, and takes the highest of gauges", function()
      for i, scenario in ipairs { "a", "b" } do
        local tags = { scenario = scenario, team = "x" }
        for n = 1, 100 do add("trend", "t", tags, (100 * (i - 1) + n) / 1000) end
        add("trend", "t", { scenario = scenario, team = "x", group = "pay" }, 9)
        for n = 1, 4 do add("rate", "r", tags, n <= i) end
        add("gauge", "g", tags, i)
      end
      assert.equal(200, value("t{team:x}", "count>0"))
      assert.near(0.1, value("t{team:x}", "med<1s"), 0.001)
      assert.near(0.2, value("t{team:x}", "max<1s"), 0.001)
      assert.equal(0.375, value("r{team:x}", "rate>0"))
      assert.equal(2, value("g{team:x}", "value>0"))
      assert.equal(1, value("g{team:x}", "min>0"))
    end)
  end)

  it("of milliseconds is shown in seconds", function()
    local trend = metrics.registry():trend("t", nil, "ms")
    trend:add(20)
    assert.near(0.02, threshold.value(trend, read("t", "max<50ms"), 1), 1e-9)
  end)

  it("is not passed when nothing was measured", function()
    local one = read("t", "p(99)<1s")
    assert.is_nil(threshold.value(metrics.registry():trend "t", one, 1))
    assert.is_false(threshold.passes(one, nil))
    assert.is_true(threshold.passes(one, 0.5))
    assert.is_false(threshold.passes(one, 1.5))
  end)

  it("compares in six ways", function()
    for compare, expected in pairs {
      ["<"] = { true, false, false }, ["<="] = { true, true, false }, [">"] = { false, false, true },
      [">="] = { false, true, true }, ["=="] = { false, true, false }, ["!="] = { true, false, true },
    } do
      local one = read("c", "count" .. compare .. "5")
      for i, value in ipairs { 4, 5, 6 } do assert.equal(expected[i], threshold.passes(one, value), compare .. value) end
    end
  end)
end)
