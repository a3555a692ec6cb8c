local fixture = require "spec.report.fixture"
local histogram = require "wingman.histogram"
local report = require "wingman.report"

local function content(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

local function total(document, name)
  for _, metric in ipairs(document.metrics) do
    if metric.name == name and not next(metric.tags) then return metric end
  end
end

-- RFC 4180, read back.
local function parse_csv(text)
  local rows, row, pos = {}, {}, 1
  while pos <= #text do
    local value, stop
    if text:sub(pos, pos) == '"' then
      local close = pos
      repeat
        close = text:find('"', close + 1, true)
        local doubled = text:sub(close + 1, close + 1) == '"'
        if doubled then close = close + 1 end
      until not doubled
      value, stop = text:sub(pos + 1, close - 1):gsub('""', '"'), close + 1
    else
      stop = text:find("[,\n]", pos)
      value = text:sub(pos, stop - 1)
    end
    row[#row + 1] = value
    if text:sub(stop, stop) == "\n" then
      rows[#rows + 1] = row
      row = {}
    end
    pos = stop + 1
  end
  return rows
end

describe("report.write", function()
  local document = fixture.document { rate = 500 }
  local path

  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  it("writes JSON that read takes", function()
    assert.is_true(report.write(document, "json=" .. path))
    assert.same(document, report.read(path))
  end)

  it("writes the series as CSV", function()
    assert.is_true(report.write(document, "csv=" .. path))
    local rows = parse_csv(content(path))
    local columns = {}
    for i, name in ipairs(rows[1]) do columns[name] = i end
    assert.equal(1 + #document.series.points, #rows)
    local acked = 0
    for i, point in ipairs(document.series.points) do
      local row = rows[i + 1]
      assert.equal(#rows[1], #row)
      assert.equal(point.t_s, tonumber(row[columns.t_s]))
      acked = acked + tonumber(row[columns.ops_acked])
      local h = assert(histogram.import(point.latency))
      assert.equal(h:percentile(99) / 1e6, tonumber(row[columns.latency_p99_s]))
      assert.equal(h:max() / 1e6, tonumber(row[columns.latency_max_s]))
      assert.equal("0", row[columns.generator_late])
    end
    assert.equal(total(document, "ops_acked").count, acked)
  end)

  it("leaves cells empty where nothing was measured, and quotes what needs it", function()
    local one = fixture.document { rate = 50, seconds = 2, kill = false, late = true }
    one.series.points[2].latency = nil
    one.series.points[2].counters['a,"b"'] = 5
    local rows = parse_csv(report.render(one, "csv"))
    local columns = {}
    for i, name in ipairs(rows[1]) do columns[name] = i end
    assert.equal("", rows[2][columns['a,"b"']])
    assert.equal("5", rows[3][columns['a,"b"']])
    assert.equal("", rows[3][columns.latency_p50_s])
    assert.equal("1", rows[3][columns.generator_late])
  end)

  it("writes the distribution that HDR plotters read, in milliseconds", function()
    assert.is_true(report.write(document, "hgrm=" .. path))
    local metric = total(document, "op_latency")
    local h = assert(histogram.import(metric.histogram))
    assert.equal(h:hgrm(nil, 1000), content(path))
    local last
    for value, share, count in content(path):gmatch "\n +([%d.]+) ([%d.]+) +(%d+)" do last = { value, share, count } end
    assert.equal(("%.3f"):format(metric.max * 1000), last[1])
    assert.equal(1, tonumber(last[2]))
    assert.equal(metric.count, tonumber(last[3]))
    local late = fixture.document { rate = 50, seconds = 2, late = true }
    assert.matches("\n#%[Generator late: the generator was the limit: .*%]\n$", report.render(late, "hgrm"))
  end)

  it("says that there is no distribution without latencies", function()
    local none = fixture.document { rate = 50, seconds = 2 }
    none.metrics = {}
    local ok, err = report.write(none, "hgrm=" .. path)
    assert.is_nil(ok)
    assert.equal("hgrm=" .. path .. ": there is no latency in this report", err)
  end)

  it("writes the same bytes for the same document", function()
    for _, form in ipairs(report.formats()) do
      assert.equal(report.render(document, form), report.render(fixture.document { rate = 500 }, form), form)
    end
  end)

  it("names what is wrong with a target", function()
    for target, message in pairs {
      ["run.json"] = "FORMAT=FILE is expected, such as json=run.json",
      ["xml=run.xml"] = "'xml' is not a format of reports; the formats are csv,",
      ["json="] = "a file's name is missing",
    } do
      local ok, err = report.write(document, target)
      assert.is_nil(ok)
      assert.truthy(err:find(message, 1, true), err)
    end
  end)

  it("leaves the old file when it cannot write, and says why", function()
    assert.is_true(report.write(document, "json=" .. path))
    local before = content(path)
    local ok, err = report.write({ schema = "wingman.report/1" }, "json=" .. path)
    assert.is_nil(ok)
    assert.matches("no valid report: %w+: missing$", err)
    assert.equal(before, content(path))
    ok, err = report.write(document, "csv=/nonexistent/run.csv")
    assert.is_nil(ok)
    assert.equal("/nonexistent/run.csv: No such file or directory", err)
    ok, err = report.write(document, "json=/dev/full")
    assert.is_nil(ok)
    assert.equal("/dev/full: No space left on device", err)
  end)

  it("names the file that is no report", function()
    local _, err = report.read "/nonexistent.json"
    assert.matches("^/nonexistent.json: No such file", err)
    assert.is_true(require "wingman.core".replace_file(path, '{"schema":"wingman.report/9"}'))
    _, err = report.read(path)
    assert.equal(path .. ": schema: this Wingman reads wingman.report/1, not wingman.report/9; use the version that wrote it", err)
    _, err = report.read "/"
    assert.truthy(err)
  end)
end)
