--- Metrics of this moment.
local builtin_metrics = require "wingman.metrics.builtin"
local metrics = require "wingman.metrics.registry"

describe("the gauges of a run", function()
  it("tell the share of a core over a time that is long enough, and not over its last moment", function()
    local now = 100
    local run = {
      now = function() return now end, registry = metrics.registry(), scenarios = {}, cpu_base = 0, cpu_at = 0,
      client = { health = function() return { nodes = {} } end, pending_ops = function() return 0 end },
    }
    local core = require "wingman.core"
    local seconds = core.thread_cpu_seconds
    finally(function() core.thread_cpu_seconds = seconds end)
    local function cpu(at, used)
      now, core.thread_cpu_seconds = at, function() return used end
      return (builtin_metrics.gauges(run)).cpu
    end
    assert.equal(0.25, cpu(100, 25))
    assert.equal(0.25, cpu(100.05, 25.05), "busy for 50 ms")
    assert.near(0.5, cpu(101, 25.5), 1e-9)
    assert.equal(1, cpu(102, 27), "two clocks, read one after the other")
  end)
end)
