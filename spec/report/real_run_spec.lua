local cjson = require "cjson"
local process = require "wingman.loop.process"
local report = require "wingman.report"

local SCRIPT = [[
local load = require "wingman.load"
return load.test {
  name = "two seconds",
  cluster = "sim://3",
  scenarios = {
    writes = { executor = "constant-arrival-rate", rate = 300, duration = "2s", keys = { count = 1000 },
      exec = function(vu) vu:check("recorded", vu:map "bench":set(vu:key(), { v = vu.iteration }) ~= nil) end },
  },
  nemesis = { { at = "1s", kill = "owner-of:key-1" } },
  thresholds = { ["op_latency{scenario:writes}"] = { "p(99)<30s" }, ops_unacknowledged = { "count==0" } },
}
]]

describe("the report of a real run", function()
  local directory, document, said

  local function content(name)
    local file = assert(io.open(directory .. "/" .. name, "rb"))
    local text = file:read "*a"
    file:close()
    return text
  end

  setup(function()
    directory = os.tmpname()
    os.remove(directory)
    os.execute("mkdir " .. directory)
    local script = directory .. "/test.lua"
    assert(require "wingman.core".replace_file(script, SCRIPT))
    local args = { "run" }
    for _, form in ipairs(report.formats()) do
      args[#args + 1] = "--out"
      args[#args + 1] = ("%s=%s/run.%s"):format(form, directory, form)
    end
    args[#args + 1] = script
    local child = assert(process.spawn { file = process.wingman_path(), args = args, stderr = true,
      env = { ASAN_OPTIONS = "detect_leaks=0" } })
    said = child:read_all(120) .. child:read_all(120, "stderr")
    local code = child:wait(60)
    child:close()
    assert(code == 0, said)
    document = assert(report.read(directory .. "/run.json"))
  end)
  teardown(function() os.execute("rm -rf " .. directory) end)

  local function total(name)
    for _, metric in ipairs(document.metrics) do
      if metric.name == name and not next(metric.tags) then return metric end
    end
  end

  it("is a document whose parts agree", function()
    assert.equal("two seconds", document.name)
    assert.equal(600, document.scenarios[1].iterations)
    assert.equal(600, total "ops_acked".count)
    assert.equal(600, total "op_latency".count)
    local in_series, in_latencies, in_nodes, in_partitions = 0, 0, 0, 0
    for _, point in ipairs(document.series.points) do
      in_series = in_series + point.counters.ops_acked
      for i = 2, #point.latency.counts, 2 do in_latencies = in_latencies + point.latency.counts[i] end
    end
    for _, metric in ipairs(document.metrics) do
      if metric.name == "op_latency" and metric.tags.node then in_nodes = in_nodes + metric.count end
    end
    for _, n in ipairs(document.partitions.ops) do in_partitions = in_partitions + n end
    assert.equal(600, in_series)
    assert.equal(600, in_latencies)
    assert.equal(600, in_nodes)
    assert.equal(600, in_partitions)
    assert.equal(1, #document.failovers)
    assert.equal("kill", document.faults[1].action)
  end)

  it("was written in every form from this document, and ends the run at the terminal", function()
    for _, form in ipairs(report.formats()) do assert.equal(report.render(document, form), content("run." .. form), form) end
    assert.truthy(said:find(report.summary(document), 1, true) or said:find("PASSED  600 operations acknowledged", 1, true), said)
  end)

  it("merges with itself only once, and is no different from itself", function()
    assert.matches("are the same report$", select(2, report.merge { document, document }))
    assert.not_equal("worse", report.diff(document, document).verdict)
  end)

  it("says of the failover in the page what the document says", function()
    local html = content "run.html"
    local ack = document.failovers[1].first_ack_s
    if ack then
      assert.truthy(html:find("first acknowledgement " .. require "wingman.text.quantities".duration(ack), 1, true))
    else
      assert.truthy(html:find("never acknowledged again", 1, true))
    end
    assert.equal(document.schema, cjson.decode(content "run.json").schema)
  end)
end)
