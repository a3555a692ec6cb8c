local measured = require "wingman.metrics.measured"

describe("a load test that passed", function()
  local function counter(name, count) return { name = name, type = "counter", count = count, tags = {} } end
  local NOTHING = { counter("iterations", 0), counter("ops_acked", 0), counter("ops_sent", 3), { name = "auth_time", type = "trend", count = 3 } }

  local function with(metric) return { metric, unpack(NOTHING) } end

  it("is an error when nothing was measured", function()
    assert.same({ "error", measured.NOTHING }, { measured.judge("passed", nil, NOTHING, {}) })
  end)

  it("stays so with an iteration, an operation, a read, a query, a check or a value of its own", function()
    for _, metric in ipairs { counter("iterations", 1), counter("ops_acked", 1), counter("reads", 1), counter("queries", 1), counter("mine", 1),
      { name = "mine", type = "rate", passed = 0, total = 1 }, { name = "mine", type = "gauge", value = 0 } } do
      assert.equal("passed", (measured.judge("passed", nil, with(metric), {})), metric.name .. " " .. metric.type)
    end
    assert.equal("passed", (measured.judge("passed", nil, NOTHING, { { name = "is well", passed = 0, failed = 1 } })))
    assert.equal("error", (measured.judge("passed", nil, with(counter("mine", 0)), {})))
  end)

  it("is judged alone: another end keeps its reason", function()
    assert.same({ "interrupted", "SIGINT" }, { measured.judge("interrupted", "SIGINT", NOTHING, {}) })
    assert.same({ "failed" }, { measured.judge("failed", nil, NOTHING, {}) })
  end)
end)
