--- Thresholds that nothing could ever be measured for.
local measurable = require "wingman.metrics.measurable"
local scenario = require "wingman.load.scenario"
local threshold = require "wingman.metrics.threshold"

describe("a threshold of a test", function()
  local function exec() end
  local function part(name, options) return { name = name, options = scenario.check(name, options) } end
  local test = {
    tags = { build = "b7" }, connections = "shared",
    scenarios = {
      part("open", { executor = "constant-arrival-rate", rate = 1, duration = 1, exec = exec, tags = { team = "x" } }),
      part("closed", { executor = "constant-vus", vus = 1, duration = 1, exec = exec }),
    },
  }
  local custom = { orders = { type = "counter", unit = "" } }

  local function check(metric, expression)
    return pcall(measurable.check, threshold.read({ [metric] = expression })[1], test, custom)
  end

  it("may look at the tags that its metric has, and at any of the script's own", function()
    for metric, expression in pairs {
      ["op_latency{scenario:open,team:x,build:b7}"] = "avg<1s", ["op_latency{group:any}"] = "avg<1s", ["op_latency{node:n1}"] = "avg<1s",
      ["checks{check:is ok}"] = "rate>0", ["checks{scenario:open}"] = "rate>0", ["errors{code:TIMEOUT}"] = "count==0",
      ["errors{scenario:closed,code:MY}"] = "count==0", ["circuit{node:n1}"] = "max<2", ["orders{anything:x}"] = "count>0",
      ["lateness"] = "max<1s", ["lateness{scenario:open}"] = "max<1s",
    } do
      local ok, err = check(metric, expression)
      assert.is_true(ok, tostring(err))
    end
  end)

  it("is refused for a tag, a scenario or a metric that the test has not", function()
    for metric, case in pairs {
      ["checks{chek:x}"] = { "rate>0", "checks has no tag 'chek'; it has build, check, scenario, team; did you mean 'check'?" },
      ["op_latency{scenario:opn}"] = { "avg<1s", "there is no scenario 'opn'; there is closed, open; did you mean 'open'?" },
      ["loop_lateness{node:n1}"] = { "max<1s", "loop_lateness has no tag 'node'; it has none" },
      ["oplatency"] = { "avg<1s", "there is no metric 'oplatency'; did you mean 'op_latency'?" },
      ["ops_lost"] = { "count==0", "there is no metric 'ops_lost'; what it counted is ops_unacknowledged" },
      ["circuit"] = { "max<1", "say of which node: circuit{node:…}" },
      ["lateness{scenario:closed}"] = { "max<1s", "only scenarios with an arrival rate" },
      ["sessions"] = { "max>0", 'connections = "per-vu"' },
      ["messages_dropped"] = { "count==0", 'connections = "per-vu"' },
      ["orders"] = { "p(9)<1", "a counter has count, rate" },
    } do
      local ok, err = check(metric, case[1])
      assert.is_false(ok, metric)
      assert.truthy(err:find(case[2], 1, true), err)
      assert.truthy(err:find(metric, 1, true), err)
    end
  end)
end)
