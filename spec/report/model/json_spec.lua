local cjson = require "cjson"
local fixture = require "spec.report.fixture"
local json = require "wingman.report.model.json"
local report = require "wingman.report"
local utf8_text = require "wingman.text.utf8"
local validate = require "wingman.report.model.validate"

local function copy(value)
  if type(value) ~= "table" then return value end
  local out = {}
  for k, v in pairs(value) do out[k] = copy(v) end
  return out
end

describe("report as JSON", function()
  local document = fixture.document { seconds = 6, rate = 500, kill = 3 }

  it("reads back as it was written, and writes the same bytes again", function()
    local text = json.encode(document)
    local again = assert(json.decode(text))
    assert.same(document, again)
    assert.equal(text, json.encode(again))
    assert.equal(text, json.encode(fixture.document { seconds = 6, rate = 500, kill = 3 }))
  end)

  it("is JSON for others, with lists and objects told apart when empty", function()
    local empty = fixture.document { seconds = 1, rate = 1, kill = false }
    empty.thresholds, empty.checks = {}, {}
    local text = json.encode(empty)
    assert.same(cjson.decode(text).schema, "wingman.report/1")
    for _, list in ipairs { "faults", "failovers", "thresholds", "checks", "errors" } do
      assert.truthy(text:find(('"%s":[]'):format(list), 1, true), list)
    end
    assert.truthy(text:find('"tags":{}', 1, true))
    assert.is_nil(text:find('"tags":[]', 1, true))
  end)

  it("sorts the keys", function()
    local keys = {}
    for key in ("\n" .. json.encode(document):sub(2)):gmatch '\n"([%w_]+)":' do keys[#keys + 1] = key end
    local sorted = copy(keys)
    table.sort(sorted)
    assert.same(sorted, keys)
    assert.is_true(#keys >= 20)
  end)

  it("keeps every bit of a number", function()
    local one = copy(document)
    for _, n in ipairs { 0.1, 1 / 3, 1e-300, 2 ^ 53, 123456789.123456789, 5e-324, 1.7976931348623157e308 } do
      one.duration_s = n
      assert.equal(n, json.decode(json.encode(one)).duration_s)
    end
  end)

  it("says infinities where they may stand, and has places without a value", function()
    local one = copy(document)
    for _, metric in ipairs(one.metrics) do
      if metric.name == "in_flight" then metric.value, metric.min, metric.max = 0 / 0, -math.huge, math.huge end
    end
    one.thresholds[1].value = math.huge
    one.partitions.latency[1], one.partitions.samples[1] = false, 0
    local text = json.encode(one)
    assert.truthy(text:find('"max":"inf"', 1, true) and text:find('"latency":[null,', 1, true))
    local again = assert(json.decode(text))
    assert.equal(math.huge, again.thresholds[1].value)
    assert.is_false(again.partitions.latency[1])
    for _, metric in ipairs(again.metrics) do
      if metric.name == "in_flight" then
        assert.is_true(metric.value ~= metric.value)
        assert.equal(-math.huge, metric.min)
      end
    end
  end)

  it("keeps fields that it does not know", function()
    local one = copy(document)
    one.later = { list = { 1, 2 }, object = { a = "b" }, none = {} }
    one.environment.kernel = "6.1"
    assert.same(one, json.decode(json.encode(one)))
  end)

  it("takes what scripts choose: negative seeds, half counts, tags of other types", function()
    local one = copy(document)
    one.seed, one.scenarios[1].tags = -3, { a = 1, b = true, c = "x" }
    table.insert(one.metrics, 1, { name = "a_half", type = "counter", unit = "", tags = {}, count = -0.5 })
    assert.same(one, json.decode(json.encode(one)))
    for _, form in ipairs(report.formats()) do assert(report.render(one, form)) end
  end)

  it("takes hostile names, and writes UTF-8", function()
    local text = json.encode(fixture.hostile_document())
    assert.equal(text, utf8_text.clean(text))
    assert.is_nil(text:find("[%z\1-\9\11-\31]"))
    local again = assert(json.decode(text))
    assert.equal(fixture.hostile[1] .. 1, again.name)
    assert.equal(fixture.hostile[3] .. 3, again.environment.nodes[3])
  end)

  it("says what is no report", function()
    for text, message in pairs {
      ["{"] = "^no JSON", [""] = "^no JSON", ["5"] = "^no report", ["[]"] = "^schema: \"wingman.report/1\" is expected, got nothing",
      ['{"schema":"wingman.report/2"}'] = "reads wingman.report/1, not wingman.report/2",
      ['{"schema":"k6"}'] = "^schema: \"wingman.report/1\" is expected, got \"k6\"",
      ['{"schema":"wingman.report/1"}'] = "missing$",
      [("["):rep(100000)] = "^no JSON",
    } do
      local value, err = json.decode(text)
      assert.is_nil(value)
      assert.matches(message, err)
    end
  end)

  it("does not change the settings of the script's cjson", function()
    assert.equal(1000, cjson.decode_max_depth())
  end)
end)

describe("report validation", function()
  -- Changes a document at a path and tells what validation says.
  local function refused(message, change)
    local one = fixture.document { seconds = 2, rate = 50, kill = false }
    change(one)
    local ok, err = validate.validate(one)
    assert.is_nil(ok)
    assert.matches(message, err)
  end

  it("accepts a document", function()
    assert.is_true(validate.validate(fixture.document { seconds = 2, rate = 50 }))
  end)

  it("names the place and what is expected there", function()
    refused("^name: missing$", function(d) d.name = nil end)
    refused("^duration_s: a finite number from 0 is expected, got inf$", function(d) d.duration_s = math.huge end)
    refused("^outcome: one of passed, failed, aborted, interrupted, error is expected, got \"won\"$", function(d) d.outcome = "won" end)
    refused("^environment%.nodes%[2%]: a string is expected, got 2$", function(d) d.environment.nodes[2] = 2 end)
    refused("^metrics%[1%]%.type: one of counter, gauge, rate, trend is expected, got \"sum\"$", function(d) d.metrics[1].type = "sum" end)
    refused("^metrics%[%d+%]%.tags%.node: a string is expected, got 3$", function(d)
      for _, m in ipairs(d.metrics) do if m.tags.node then m.tags.node = 3 end end
    end)
    refused("^series%.points%[1%]%.latency%.unit: missing$", function(d) d.series.points[1].latency.unit = nil end)
    refused("^series%.points%[1%]%.latency%.counts: the slots do not ascend$", function(d) d.series.points[1].latency.counts[3] = 0 end)
    refused("^series%.points%[2%]%.counters%.ops_acked: a whole number", function(d) d.series.points[2].counters.ops_acked = 0.5 end)
    refused("^series%.points: at most 600 elements are expected, got 601$", function(d)
      for i = 3, 601 do d.series.points[i] = { t_s = i - 1, counters = {}, gauges = {} } end
    end)
    refused("^errors: a list without holes", function(d) d.errors = { [2] = { code = "X", count = 1 } } end)
  end)

  it("sees what does not fit together", function()
    refused("^metrics%[%d+%]: ops_acked{node:node%-1} is also metrics%[%d+%]$", function(d)
      for _, m in ipairs(d.metrics) do
        if m.name == "ops_acked" and m.tags.node then m.tags.node = "node-1" end
      end
    end)
    refused("^metrics%[%d+%]%.count: op_latency: the histogram has 100, not 7$", function(d)
      for _, m in ipairs(d.metrics) do if m.name == "op_latency" and not next(m.tags) then m.count = 7 end end
    end)
    refused("5 passed of 4$", function(d)
      for _, m in ipairs(d.metrics) do if m.type == "rate" then m.passed, m.total = 5, 4 end end
    end)
    refused("^series%.points%[2%]%.t_s: 1.5 is no multiple", function(d) d.series.points[2].t_s = 1.5 end)
    refused("^series%.points%[2%]%.t_s: it does not come after", function(d) d.series.points[2].t_s = 0 end)
    refused("^series%.interval_s", function(d) d.series.interval_s = 0 end)
    refused("^partitions%.ops: 270 elements, but environment.partition_count is 271$", function(d) table.remove(d.partitions.ops) end)
    refused("^partitions%.owners%[1%]: there is no node 4, environment.nodes has 3$", function(d) d.partitions.owners[1] = 4 end)
  end)
end)
