local fixture = require "spec.report.fixture"
local histogram = require "wingman.histogram"
local json = require "wingman.report.model.json"
local report = require "wingman.report"
local seed = require "spec.core.support".seed

local function copy(value)
  if type(value) ~= "table" then return value end
  local out = {}
  for k, v in pairs(value) do out[k] = copy(v) end
  return out
end

-- Where two values differ by more than the order of additions explains.
local function difference(a, b, path)
  path = path or "document"
  if type(a) ~= type(b) then return ("%s: %s against %s"):format(path, tostring(a), tostring(b)) end
  if type(a) == "table" then
    for k, v in pairs(a) do
      local found = difference(v, b[k], path .. "." .. tostring(k))
      if found then return found end
    end
    for k in pairs(b) do if a[k] == nil then return path .. "." .. tostring(k) .. ": only in the second" end end
  elseif type(a) == "number" then
    if a ~= b and math.abs(a - b) > 1e-9 * math.max(math.abs(a), math.abs(b)) then return ("%s: %.17g against %.17g"):format(path, a, b) end
  elseif a ~= b then
    return ("%s: %s against %s"):format(path, tostring(a), tostring(b))
  end
end

local function metric(document, name, tags)
  for _, m in ipairs(document.metrics) do
    if m.name == name and not difference(m.tags, tags or {}) then return m end
  end
end

describe("report merge", function()
  local whole, shards = fixture.sharded { shards = 4, rate = 400, seed = seed }
  local merged = assert(report.merge(shards))

  it("gives exactly what one run would have said (seed " .. seed .. ")", function()
    for _, name in ipairs { "op_latency", "op_queue", "op_send", "op_ack", "lateness", "batch_size" } do
      local a, b = metric(whole, name), metric(merged, name)
      assert.same(a.histogram, b.histogram)
      for _, field in ipairs { "count", "min", "max", "p50", "p90", "p95", "p99", "p99_9" } do
        assert.equal(a[field], b[field], name .. "." .. field)
      end
      assert.is_nil(difference(a, b))
    end
    for i = 1, 3 do
      local tags = { node = "node-" .. i }
      assert.is_nil(difference(metric(whole, "op_latency", tags), metric(merged, "op_latency", tags)))
      assert.equal(metric(whole, "ops_acked", tags).count, metric(merged, "ops_acked", tags).count)
    end
    for _, name in ipairs { "ops_recorded", "ops_acked", "bytes_sent", "iterations" } do
      assert.equal(metric(whole, name).count, metric(merged, name).count, name)
    end
    assert.equal(whole.scenarios[1].iterations, merged.scenarios[1].iterations)
    assert.equal(whole.scenarios[1].rate_target, merged.scenarios[1].rate_target)
    assert.same(whole.partitions.ops, merged.partitions.ops)
    assert.same(whole.partitions.samples, merged.partitions.samples)
    assert.same(whole.partitions.owners, merged.partitions.owners)
    assert.is_nil(difference(whole.partitions.latency, merged.partitions.latency))
  end)

  it("adds the series point by point", function()
    assert.equal(#whole.series.points, #merged.series.points)
    for i, point in ipairs(whole.series.points) do
      local got = merged.series.points[i]
      assert.same(point.counters, got.counters)
      assert.same(point.latency, got.latency)
      assert.equal(point.lateness_max_s, got.lateness_max_s)
      assert.equal(4 * point.gauges.vus, got.gauges.vus)
    end
  end)

  it("is a document of four shards that can be written, read and merged with none", function()
    assert.equal(4, #merged.shards)
    assert.equal("passed", merged.outcome)
    assert.is_true(report.validate(merged))
    assert.same(merged, json.decode(json.encode(merged)))
    assert.is_nil(difference(merged, assert(report.merge { merged })))
    assert.is_nil(report.summary(merged):find "PARTS")
    assert.matches("PARTS 3 of 4 shards", report.summary(assert(report.merge { shards[1], shards[2], shards[4] })))
  end)

  it("does not depend on the order, or on what was merged before", function()
    local text = json.encode(merged)
    assert.equal(text, json.encode(assert(report.merge { shards[3], shards[1], shards[4], shards[2] })))
    local pairs_first = assert(report.merge { assert(report.merge { shards[4], shards[2] }), assert(report.merge { shards[1], shards[3] }) })
    assert.is_nil(difference(merged, pairs_first))
  end)

  it("leaves its arguments as they were", function()
    local before = json.encode(shards[1])
    report.merge(shards)
    assert.equal(before, json.encode(shards[1]))
  end)

  it("measures thresholds again", function()
    local _, parts = fixture.sharded { shards = 2, rate = 400 }
    -- One slow shard: its own p99 crosses the limit, that of the whole as well.
    local slow = histogram.new(60e6, 3)
    slow:record_n(90000, 600)
    for _, tags in ipairs { {}, { scenario = "writes" } } do
      local m = metric(parts[2], "op_latency", tags)
      local h = assert(histogram.import(m.histogram))
      h:merge(slow)
      m.histogram = h:export()
      m.histogram.unit, m.count = "us", h:count()
    end
    local got = assert(report.merge(parts))
    assert.equal("failed", got.outcome)
    assert.is_false(got.thresholds[1].passed)
    assert.equal(metric(got, "op_latency").p99, got.thresholds[1].value)
    assert.equal(0.09, math.floor(got.thresholds[1].value * 1e3) / 1e3)
    assert.is_true(got.thresholds[3].passed)

    -- And one that a part had to fail, but the whole does not.
    local few = copy(shards)
    few[1].thresholds[1].passed, few[1].outcome = false, "failed"
    assert.equal("passed", assert(report.merge(few)).outcome)
  end)

  it("looks at thresholds with tags as one run does", function()
    local parts = copy { shards[1], shards[2] }
    local expected = 0
    for i, part in ipairs(parts) do
      for _, tags in ipairs { { scenario = "a", team = "x" }, { scenario = "b", team = "x" }, { scenario = "b", team = "x", group = "g" } } do
        local m = copy(metric(part, "op_latency", { scenario = "writes" }))
        m.tags = tags
        part.metrics[#part.metrics + 1] = m
        part.metrics[#part.metrics + 1] = { name = "own", type = "gauge", unit = "", tags = tags, value = i, min = -i, max = i }
      end
      expected = expected + part.metrics[#part.metrics - 1].count
      part.thresholds = {}
      for n, name in ipairs { "op_latency{scenario:b}", "op_latency{team:x}", "own{team:x}", "op_latency{team:y}" } do
        part.thresholds[n] = { metric = name, expression = name:find "own" and "min<0" or "count>0", passed = true }
      end
    end
    local values = {}
    for n, limit in ipairs(assert(report.merge(parts)).thresholds) do values[n] = limit.value or "none" end
    assert.same({ expected, 2 * expected, -2, "none" }, values)
  end)

  it("is as bad as its worst part, and late when one was", function()
    for _, case in ipairs { { "interrupted", "by SIGINT" }, { "aborted", "too slow" }, { "error", "no connection" } } do
      local parts = copy(shards)
      parts[2].outcome, parts[2].reason, parts[2].finished = case[1], case[2], false
      local got = assert(report.merge(parts))
      assert.same({ case[1], case[2], false }, { got.outcome, got.reason, got.finished })
    end
    local parts = copy(shards)
    parts[3].generator_late, parts[3].limit_reason, parts[3].limit = true, "lateness p99 40 ms", "generator"
    local got = assert(report.merge(parts))
    assert.same({ true, "shard 3 of 4: lateness p99 40 ms", "generator" }, { got.generator_late, got.limit_reason, got.limit })
    parts = copy(shards)
    parts[1].outcome, parts[1].reason = "failed", "the generator was late (--strict)"
    got = assert(report.merge(parts))
    assert.same({ "failed", "the generator was late (--strict)" }, { got.outcome, got.reason })
  end)

  describe("says what the limit was in one sentence about the whole", function()
    -- Of operations that took 280 us or so.
    local function late_parts(lags_us)
      local _, parts = fixture.sharded { shards = #lags_us, rate = 400, seconds = 5, kill = false }
      for i, part in ipairs(parts) do
        local h = histogram.new(60e6, 3)
        for _ = 1, 1000 do h:record(lags_us[i]) end
        local exported = h:export()
        exported.unit = "us"
        h:close()
        local s = lags_us[i] / 1e6
        part.metrics[#part.metrics + 1] = { name = "lateness", type = "trend", unit = "s", tags = { scenario = "writes" },
          histogram = exported, count = 1000, min = s, max = s, mean = s, p50 = s, p90 = s, p95 = s, p99 = s, p99_9 = s }
        part.scenarios[1].tags = { scenario = "writes" }
        part.limit, part.generator_late, part.limit_reason = "generator", true, ("part %d was %d us late"):format(i, lags_us[i])
      end
      return parts
    end

    it("by the merged figures", function()
      local got = assert(report.merge(late_parts { 5000, 9000 }))
      assert.same({ "generator", true }, { got.limit, got.generator_late })
      assert.matches("^iterations of 'writes' began 9%.0 ms late %(p99%), which is in the latency %(p99 [^;]+%)$", got.limit_reason)
    end)

    it("by the worst part where the whole was not late, and names it", function()
      local parts = late_parts { 1, 9, 2 }
      local got = assert(report.merge(parts))
      assert.same({ "generator", true, "shard 2 of 3: part 2 was 9 us late" }, { got.limit, got.generator_late, got.limit_reason })
    end)

    it("by all that was dropped, of each cause", function()
      local function dropping(i, part, causes, sum)
        part.limit, part.generator_late, part.limit_reason = "cluster", false, "part " .. i
        part.scenarios[1].dropped_for, part.scenarios[1].iterations_dropped = causes, sum
      end
      local parts = late_parts { 1, 1 }
      dropping(1, parts[1], { cluster = 5, users = 2 }, 7)
      dropping(2, parts[2], { cluster = 4 }, 4)
      local got = assert(report.merge(parts))
      assert.same({ "cluster", "9 iterations were dropped: every user waited for the cluster; 2 iterations were dropped: "
        .. "every user was asleep; raise max_vus" }, { got.limit, got.limit_reason })
      assert.same({ cluster = 9, users = 2 }, got.scenarios[1].dropped_for)
      parts[1].scenarios[1].dropped_for = nil -- as earlier versions wrote it
      assert.matches("^shard %d of 2: part %d$", assert(report.merge(parts)).limit_reason)
    end)
  end)

  it("shifts what started later", function()
    local parts = copy({ shards[1], shards[2] })
    parts[2].started_at = parts[2].started_at + 7.3
    local got = assert(report.merge(parts))
    assert.is_true(math.abs(got.duration_s - 37.3) < 1e-6)
    assert.equal(37, #got.series.points)
    assert.same(parts[1].series.points[1].counters, got.series.points[1].counters)
    assert.same(parts[2].series.points[30].counters, got.series.points[37].counters)
    assert.equal(parts[1].series.points[8].counters.ops_acked + parts[2].series.points[1].counters.ops_acked,
      got.series.points[8].counters.ops_acked)
    local times = {}
    for i, fault in ipairs(got.faults) do times[i] = math.floor(fault.at_s * 10 + 0.5) / 10 end
    assert.same({ 10, 15, 17.3, 22.3 }, times)
  end)

  it("joins finer intervals, and keeps every count and at most 600 points", function()
    local a, b = copy(shards[1]), copy(shards[2])
    b.series = assert(require "wingman.report.merge.series".coarsen(b.series, 4))
    local got = assert(report.merge { a, b })
    assert.equal(4, got.series.interval_s)
    assert.equal(8, #got.series.points)
    local function total(document)
      local sum = 0
      for _, point in ipairs(document.series.points) do sum = sum + point.counters.ops_acked end
      return sum
    end
    assert.equal(total(a) + total(b), total(got))

    b = copy(shards[2])
    b.started_at = b.started_at + 1000
    for i = 31, 600 do
      a.series.points[i] = { t_s = i - 1, counters = { ops_acked = 1 }, gauges = {} }
    end
    got = assert(report.merge { a, b })
    assert.equal(2, got.series.interval_s)
    assert.is_true(#got.series.points <= 600)
    assert.equal(total(a) + total(b), total(got))
    assert.is_true(report.validate(got))
  end)

  it("takes nodes by their names", function()
    local parts = copy { shards[1], shards[2] }
    parts[2].environment.nodes = { "node-3", "node-1", "node-4" }
    local got = assert(report.merge(parts))
    assert.same({ "node-1", "node-2", "node-3", "node-4" }, got.environment.nodes)
    -- The second ends last by its shard's index, so the owners are as it saw them.
    assert.same({ 3, 1, 4 }, { got.partitions.owners[1], got.partitions.owners[2], got.partitions.owners[3] })
  end)

  it("has the CPU steal of the machine that had the most", function()
    local parts = copy { shards[1], shards[2] }
    assert.is_nil(report.merge(parts).environment.cpu_steal)
    parts[1].environment.cpu_steal, parts[2].environment.cpu_steal = 0.25, 0.04
    assert.equal(0.25, report.merge(parts).environment.cpu_steal)
    parts[1].environment.cpu_steal = nil
    assert.equal(0.04, report.merge(parts).environment.cpu_steal)
  end)

  it("adds amounts of gauges and takes the highest of states", function()
    local vus, version = metric(merged, "vus"), metric(merged, "map_version")
    assert.same({ 200, 0, 200 }, { vus.value, vus.min, vus.max })
    assert.same({ 5, 3, 5 }, { version.value, version.min, version.max })
    assert.equal(2, metric(merged, "circuit", { node = "node-2" }).max)
  end)

  it("refuses what does not fit together, and says which and why", function()
    local function refused(message, change, names)
      local parts = copy { shards[1], shards[2] }
      change(parts[2], parts)
      local got, err = report.merge(parts, names)
      assert.is_nil(got)
      assert.matches(message, err)
    end
    refused("^a.json and b.json are not of one test: script 'writes.lua' and 'reads.lua'$", function(d) d.script = "reads.lua" end, { "a.json", "b.json" })
    refused("partition count '271' and '7'", function(d)
      d.environment.partition_count, d.partitions = 7, nil
    end)
    refused("hash 'fnv1a' and 'xxh64'", function(d) d.environment.hash = "xxh64" end)
    refused("thresholds '.*' and '.*count==1", function(d) d.thresholds[3].expression = "count==1" end)
    refused("^report 1 and report 2 are the same report$", function(_, parts) parts[2] = copy(parts[1]) end)
    refused("^shard 1 of 4 is in report 1 and in report 2$", function(d) d.shards[1].index = 1 end)
    refused("^report 1 is of a run of 4 shards, report 2 of one of 8$", function(d) d.shards[1].count = 8 end)
    refused("^ops_acked is a counter in 'ops' in one and a counter in 'keys' in another$", function(d) metric(d, "ops_acked").unit = "keys" end)
    refused("^op_latency: a histogram of 3 digits in us and one of 3 in ms", function(d) metric(d, "op_latency").histogram.unit = "ms" end)
    refused("^series of 1 s and of 1.5 s intervals do not fit together$", function(d)
      d.series = { interval_s = 1.5, points = {} }
    end)
    refused("^report 2: name: missing$", function(d) d.name = nil end)
    assert.same({ nil, "there is no report to merge" }, { report.merge {} })
  end)
end)
