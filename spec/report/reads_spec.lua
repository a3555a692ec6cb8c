--- Reads beside writes in every part of a report.
local fixture = require "spec.report.fixture"
local json = require "wingman.report.model.json"
local report = require "wingman.report"

local function find(list, name)
  for _, one in ipairs(list) do
    if one.name == name and next(one.tags or {}) == nil then return one end
  end
end

-- The document of a run that did nothing but read.
local function only_reads(options)
  local made = fixture.document(options)
  local kept = {}
  for _, metric in ipairs(made.metrics) do
    if not metric.name:find "^op" and metric.name ~= "bytes_sent" and metric.name ~= "batches_sent" then kept[#kept + 1] = metric end
  end
  made.metrics, made.thresholds, made.partitions = kept, {}, nil
  for _, point in ipairs(made.series.points) do
    point.counters.ops_acked, point.counters.ops_recorded, point.latency = 0, 0, nil
  end
  return made
end

describe("reads in a report", function()
  local QUIET = { rate = 200, seconds = 20, kill = false, wander = 0.02, reads = 0.5 }
  local function quiet(options)
    local all = {}
    for _, from in ipairs { QUIET, options or {} } do
      for name, value in pairs(from) do all[name] = value end
    end
    return all
  end

  it("add up when shards are merged, and over time", function()
    local all = quiet { shards = 3 }
    local whole, shards = fixture.sharded(all)
    local merged = assert(report.merge(shards))
    assert.same(find(whole.metrics, "read_latency").histogram, find(merged.metrics, "read_latency").histogram)
    assert.equal(4000, find(merged.metrics, "reads").count)
    for i, point in ipairs(whole.series.points) do assert.same(point.read_latency, merged.series.points[i].read_latency) end
    assert.same(merged, json.decode(json.encode(merged)))
  end)

  it("are compared for themselves", function()
    local a = fixture.document(quiet())
    local got = report.diff(a, a)
    local names = {}
    for i, row in ipairs(got.rows) do names[i] = row.name .. " " .. row.unit end
    assert.same({ "throughput ops/s", "p50 s", "p99 s", "p99.9 s", "reads reads/s", "read p50 s", "read p99 s", "read p99.9 s", "unacknowledged ops" }, names)
    assert.equal("same", got.verdict)
    -- Reads are slower, and writes are as before.
    got = report.diff(a, fixture.document(quiet { reads = 0.75 }))
    assert.equal("worse", got.verdict)
    assert.matches("^read p50 %+", got.sentence)
    assert.same({ "same", "worse" }, { find(got.rows, "p50").verdict, find(got.rows, "read p50").verdict })
    -- They have stopped.
    local none = fixture.document(quiet())
    find(none.metrics, "reads").count, find(none.metrics, "read_latency").count = 0, 0
    got = report.diff(a, none)
    assert.same({ "worse", "worse" }, { got.verdict, find(got.rows, "reads").verdict })
    assert.matches("^reads %-100 %%", got.sentence)
    assert.matches("\n  reads +200 reads/s +0 reads/s", report.diff_text(got, { "a", "b" }))
  end)

  it("are what a report speaks of where nothing was written", function()
    local document = only_reads(quiet { seed = 1 })
    assert.is_true(report.validate(document))
    local text = report.summary(document)
    assert.matches("^PASSED  4,000 reads in 20%.0 s\n", text)
    assert.matches("\n  throughput +200 reads/s +200 iterations/s\n  reads +p50 [%d.]+ us +p90", text)
    assert.is_nil(text:find("\n  latency", 1, true))
    local got = report.diff(document, only_reads(quiet { seed = 1, reads = 0.9 }))
    assert.equal("worse", find(got.rows, "read p50").verdict)
    assert.is_nil(find(got.rows, "throughput"))
    assert.matches("#%[Mean", report.render(document, "hgrm"))
    assert.truthy(report.render(document, "svg"):find(">read, ", 1, true))
  end)

  it("have their own lines in the drawings, and columns in the series", function()
    local with, without = fixture.document(quiet()), fixture.document(quiet { reads = false })
    local page = report.render(with, "html")
    for _, text in ipairs { ">latency of reads<", ">latency of writes<", ">reads<", ">acknowledged<", ">operation, ", ">read, ", "<dt>reads/s</dt><dd>200<", "<td>read_latency</td>" } do
      assert.truthy(page:find(text, 1, true), text)
      if text:find "read" then assert.is_nil(report.render(without, "html"):find(text, 1, true), text) end
    end
    assert.matches(",read_latency_p50_s,", report.render(with, "csv"))
    assert.is_nil(report.render(without, "csv"):find "read_latency")
  end)
end)
