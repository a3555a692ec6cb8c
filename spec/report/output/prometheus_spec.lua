local fixture = require "spec.report.fixture"
local histogram = require "wingman.histogram"
local process = require "wingman.loop.process"
local prometheus = require "wingman.report.output.prometheus"
local prometheus_server = require "spec.report.prometheus_server"

local function samples(text)
  local found = {}
  for line in text:gmatch "[^\n]+" do
    if line:sub(1, 1) ~= "#" then
      local key, value = line:match "^(.-) (%S+)$"
      assert.is_nil(found[key], "twice: " .. line)
      found[key] = value:match "^[%d.e+-]+$" and tonumber(value) or value
    end
  end
  return found
end

local function promtool(text)
  local child = assert(process.spawn { file = prometheus_server.promtool(), args = { "check", "metrics" }, stdin = true, stderr = true })
  child:write(text)
  child:close_stdin()
  local said = child:read_all(60) .. child:read_all(60, "stderr")
  local code = child:wait(60)
  child:close()
  return code, said
end

describe("report in Prometheus' format", function()
  local document = fixture.document { rate = 500 }

  it("has counters, gauges and rates, and breakdowns as families of their own", function()
    local got = samples(prometheus.format(document))
    assert.equal(15000, got.wingman_ops_acked_total)
    local by_node = 0
    for i = 1, 3 do by_node = by_node + got[('wingman_ops_acked_by_node_total{node="node-%d"}'):format(i)] end
    assert.equal(15000, by_node)
    assert.equal(50, got.wingman_vus)
    assert.equal(2000, got.wingman_checks_total)
    assert.equal(1990, got.wingman_checks_passed_total)
    assert.equal(15000 * 150, got.wingman_bytes_sent_total)
    assert.equal(0, got.wingman_run_generator_late)
    assert.equal(1, got['wingman_run_threshold_passed{expression="p(99)<50ms",metric="op_latency{scenario:writes}"}'])
    local late = samples(prometheus.format(fixture.document { rate = 50, seconds = 2, late = true }))
    assert.equal(1, late.wingman_run_generator_late)
    assert.equal(1, late['wingman_run_limit{limit="generator"}'])
  end)

  it("has histograms with cumulative buckets that say what the histogram says", function()
    local text = prometheus.format(document)
    local got = samples(text)
    local metric
    for _, m in ipairs(document.metrics) do if m.name == "op_latency" and not next(m.tags) then metric = m end end
    local h = assert(histogram.import(metric.histogram))
    local before, buckets = 0, 0
    for le, count in text:gmatch 'wingman_op_latency_seconds_bucket{le="([^"]+)"} (%d+)' do
      count, buckets = tonumber(count), buckets + 1
      assert.is_true(count >= before)
      before = count
      if le ~= "+Inf" then assert.equal(h:count_to(math.floor(tonumber(le) * 1e6 + 0.5)), count, le) end
    end
    assert.equal(22, buckets)
    assert.equal(15000, before)
    assert.equal(15000, got.wingman_op_latency_seconds_count)
    assert.is_true(math.abs(got.wingman_op_latency_seconds_sum - metric.mean * 15000) < 1e-6)
    assert.equal(document.metrics[1] and 15000, got['wingman_op_latency_by_scenario_seconds_count{scenario="writes"}'])
  end)

  it("says numbers that are none, and keeps hostile names in their place", function()
    local one = fixture.document { rate = 50, seconds = 2 }
    local function add(m) one.metrics[#one.metrics + 1] = m end
    add { name = "a b", type = "gauge", unit = "", tags = { ["le"] = 'x"\\\n', ["__name__"] = "y", ["1-x"] = "z", ["1_x"] = "\255" },
      value = 1 / 0, min = 0, max = 0 }
    add { name = "never_set", type = "gauge", unit = "", tags = {} }
    add { name = "odd", type = "gauge", unit = "", tags = {}, value = 0 / 0, min = 0, max = 0 }
    add { name = "clash", type = "counter", unit = "", tags = {}, count = 1 }
    add { name = "clash_total", type = "counter", unit = "", tags = {}, count = 2 }
    local got = samples(prometheus.format(one))
    assert.equal("+Inf", got['wingman_a_b_by__1_x__1_x___name___le{_1_x="z",_1_x_2="\239\191\189",tag___name__="y",tag_le="x\\"\\\\\\n"}'])
    assert.equal("NaN", got.wingman_odd)
    assert.is_nil(got.wingman_never_set)
    assert.equal(1, got.wingman_clash_total)
    assert.equal(2, got.wingman_clash_2_total)
  end)

  local function check(name, fn)
    if prometheus_server.promtool() then return it(name, fn) end
    pending(name .. " (promtool is not there; Debian: prometheus)")
  end

  check("is taken by promtool without a remark", function()
    for _, one in ipairs { document, fixture.hostile_document(), fixture.document { rate = 50, seconds = 2, kill = false } } do
      assert.same({ 0, "" }, { promtool(prometheus.format(one)) })
    end
    assert.not_equal(0, (promtool "wingman_x 1\nwingman_x 1\n"))
  end)
end)
