--- The time series of a long run: neighbours are joined, and nothing that was counted is
--- lost by that.
local histogram = require "wingman.histogram"
local builtin_metrics = require "wingman.metrics.builtin"
local series = require "wingman.metrics.series"

describe("a series", function()
  local gauges = builtin_metrics.gauges
  local run, one, latencies

  before_each(function()
    builtin_metrics.gauges = function() return { in_flight = run.iterations }, { nodes = {} } end
    latencies = histogram.new(3600e6, 2)
    run = {
      iterations = 0, errors = {}, base = { stats = { bytes_sent = 1000 } }, sent = 1000,
      client = { core = { stats = function() return { bytes_sent = run.sent } end } },
      op_metrics = {
        counts = function() return run.iterations * 2, run.iterations * 2 - 1 end,
        take_interval = function(_, to)
          to:merge(latencies)
          latencies:reset()
        end,
      },
    }
    run.reads = {
      done = function(_, name) return name == "read" and run.iterations * 3 or 0 end,
      take_interval = function(_, name, to)
        if name == "read" then to:record_n(5, 7) end
      end,
    }
    run.scenarios = { setmetatable({ tag = 1, groups = {}, dropped = 0 }, { __index = function(_, name) return name == "iterations" and run.iterations or nil end }) }
    one = series.new(run)
  end)
  after_each(function() builtin_metrics.gauges = gauges end)

  -- Second `t`: t + 1 iterations, each of that many microseconds.
  local function second(t)
    run.iterations, run.sent = run.iterations + t + 1, run.sent + 10
    for _ = 1, t + 1 do latencies:record(t + 1) end
    one:saw_lateness(t)
    return one:take(t)
  end

  it("has a point a second, up to 600", function()
    for t = 0, 599 do assert.equal(t + 1, second(t).counters.iterations) end
    local exported = one:export()
    assert.equal(1, exported.interval_s)
    assert.equal(600, #exported.points)
    assert.equal(10, exported.points[1].counters.bytes_sent)
    assert.equal(300, exported.points[300].counters.iterations)
  end)

  for _, length in ipairs { 601, 1200, 1201, 5000 } do
    it("of " .. length .. " seconds loses nothing by joining", function()
      for t = 0, length - 1 do second(t) end
      local exported, sum, count, lateness, reads = one:export(), 0, 0, 0, 0
      assert.is_true(#exported.points <= 600)
      assert.equal(2 ^ math.ceil(math.log(length / 600) / math.log(2)), exported.interval_s)
      local whole = histogram.new(3600e6, 2)
      for i, point in ipairs(exported.points) do
        assert.equal((i - 1) * exported.interval_s, point.t_s)
        local first, last = point.t_s, math.min(length, point.t_s + exported.interval_s) - 1
        assert.equal((first + last + 2) * (last - first + 1) / 2, point.counters.iterations)
        assert.equal((last + 1) * (last + 2) / 2, point.gauges.in_flight) -- the latest
        assert.is_true(math.abs(point.lateness_max_s - last / 1e6) < 1e-12)
        reads = reads + assert(histogram.import(point.read_latency)):count()
        assert.equal(point.counters.iterations * 3, point.counters.reads)
        assert.is_nil(point.query_latency)
        sum, lateness = sum + point.counters.ops_acked, math.max(lateness, point.lateness_max_s)
        local latency = histogram.import(point.latency)
        count = count + latency:count()
        whole:merge(latency)
      end
      assert.equal(length * (length + 1) - 1, sum)
      assert.equal(length * 7, reads)
      assert.equal(length * (length + 1) / 2, count)
      assert.equal(length * (length + 1) / 2, whole:count())
    end)
  end
end)
