--- Checks as metrics: of all, of a scenario, of one check.
local checks = require "wingman.metrics.checks"
local metrics = require "wingman.metrics.registry"
local threshold = require "wingman.metrics.threshold"

describe("checks", function()
  it("are a rate of all, of each scenario, and of each check", function()
    local registry = metrics.registry()
    local run = checks.new(registry)
    local a, b = { tags = { scenario = "a", team = "x" } }, { tags = { scenario = "b" } }
    for i = 1, 10 do
      assert.equal(i > 4, run:add(a, "is ok", i > 4))
      run:add(a, "small, or so", i < 3)
      run:add(b, "is ok", true)
    end
    local function rate(text)
      local one = threshold.read({ [text] = "rate>0" })[1]
      local metric = threshold.total(one, threshold.select(registry.list, one))
      return metric and { metric.passed, metric.total }
    end
    for text, expected in pairs {
      ["checks"] = { 18, 30 }, ["checks{scenario:a}"] = { 8, 20 }, ["checks{scenario:b}"] = { 10, 10 },
      ["checks{check:is ok}"] = { 16, 20 }, ["checks{team:x}"] = { 8, 20 }, ['checks{check:"small, or so"}'] = { 2, 10 },
      ["checks{scenario:a,check:is ok}"] = { 6, 10 },
    } do assert.same(expected, rate(text), text) end
    assert.same({ { name = "is ok", passed = 16, failed = 4 }, { name = "small, or so", passed = 2, failed = 8 } }, run.list)
  end)
end)
