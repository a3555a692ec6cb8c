--- Reads in load tests: what map:read and queries leave in the report, in each of its forms.
local histogram = require "wingman.histogram"
local load_run = require "spec.support.load_run"
local report = require "wingman.report"

local run, metric = load_run.run, load_run.metric

-- Two scenarios, one that reads and one that also writes and queries.
local SCRIPT = [[
  local load = require "wingman.load"
  return load.test {
    cluster = "%s",
    setup = function(hand)
      for i = 1, 20 do assert(hand:map "m":set("k" .. i, i)) end
      assert(hand.client:drain "30s")
      assert(hand:map "m":read "k1" == 1) -- not measured
    end,
    scenarios = {
      reads = { executor = "per-vu-iterations", vus = 2, iterations = 10, exec = function(vu)
        assert(vu:map "m":read("k" .. vu.iteration) == vu.iteration)
        assert(vu:map "m":read "none" == nil)
        vu:map "m":get "k1"
        vu:group("several", function() assert(vu:map "m":read({ "k1", "k2", "none" }).k2 == 2) end)
      end },
      mixed = { executor = "per-vu-iterations", vus = 1, iterations = 5, exec = function(vu)
        vu:wait(vu:map "other":set("k", vu.iteration))
        assert(#vu:query("m", { limit = 3 }) == 3)
        assert(#vu.client:query("other") == 1)
        local value, err = vu:map "m":read("k1", { node = "nobody" })
        assert(value == nil and err.code == "NOT_CONNECTED")
      end },
    },
    thresholds = { ["read_latency{scenario:reads}"] = "p(99)<60s", ["query_latency{map:m}"] = "count==5", reads_failed = "count==5",
      ["reads_failed{code:TIMEOUT}"] = "count==0", ["reads{scenario:reads,map:m}"] = "count==100" },
  }]]

local function check(document)
  assert.is_true(report.validate(document))
  local function count(name, tags)
    local found = assert(metric(document, name, tags), name)
    return found.count
  end
  assert.same({ 100, 40, 5 }, { count "reads", count "reads_absent", count "reads_failed" })
  assert.same({ 60, 60 }, { count "read_latency", count("read_latency", { scenario = "reads", map = "m" }) })
  assert.same({ 20, 60 }, { count("read_latency", { scenario = "reads", group = "several" }), count("reads", { scenario = "reads", group = "several", map = "m" }) })
  assert.same({ 5, 5 }, { count("reads_failed", { code = "NOT_CONNECTED" }), count("reads_failed", { scenario = "mixed", code = "NOT_CONNECTED" }) })
  assert.same({ 10, 5, 5 }, { count "queries", count("queries", { scenario = "mixed", map = "m" }), count("query_rows", { scenario = "mixed", map = "other" }) })
  assert.same({ 3, 3 }, { metric(document, "query_rows", { scenario = "mixed", map = "m" }).min, metric(document, "query_rows").max })
  assert.equal(5, count("errors", { code = "NOT_CONNECTED" }))
  assert.equal(5, count "ops_acked")
  local sums = { reads = 0, queries = 0, read_latency = 0, query_latency = 0 }
  for _, point in ipairs(document.series.points) do
    for _, name in ipairs { "reads", "queries" } do sums[name] = sums[name] + point.counters[name] end
    for _, name in ipairs { "read_latency", "query_latency" } do
      if point[name] then sums[name] = sums[name] + assert(histogram.import(point[name])):count() end
    end
  end
  assert.same({ reads = 100, queries = 10, read_latency = 60, query_latency = 10 }, sums)
end

describe("reads of a load test", function()
  after_each(load_run.clean)

  for _, cluster in ipairs { "sim://2", "sim://2?dialect=0.11" } do
    it("are counted, timed and shown (" .. cluster .. ")", function()
      local document, code, out, err = run(SCRIPT:format(cluster))
      assert.equal(0, code, out .. err)
      check(document)
      assert.matches("^PASSED 5 operations acknowledged in [^,]+, none unacknowledged, 100 reads, 40 of absent keys, 5 failed, 10 queries, 5 errors ", (out:match("PASSED.*"):gsub("%s+", " ")))
      for _, line in ipairs { "\n  throughput [^\n]+ ops/s acknowledged +[%d.,]+ reads/s", "\n  writes +p50 [^\n]+", "\n  reads +p50 [^\n]+", "\n  queries +p50 [^\n]+",
        "reads of absent keys 40", "reads failed 5" } do
        assert.matches(line, out)
      end
      local page = report.render(document, "html")
      for _, text in ipairs { "<dt>reads/s</dt>", "<dt>write p99</dt>", "<dt>read p99</dt>", "<dt>query p99</dt>", "<dt>reads failed</dt><dd class=\"bad\">5<", "<td>read_latency</td>",
        "<td>query_rows</td>", ">read, ", ">query, " } do
        assert.truthy(page:find(text, 1, true), text)
      end
      local head, line = report.render(document, "csv"):match "^([^\n]+)\n([^\n]+)"
      for _, name in ipairs { "reads", "queries", "read_latency_p99_s", "query_latency_max_s", "latency_p50_s" } do
        assert.truthy(("," .. head .. ","):find("," .. name .. ",", 1, true), head)
      end
      local _, commas = head:gsub(",", "")
      assert.equal(commas, select(2, line:gsub(",", "")))
      local text = report.render(document, "prometheus")
      assert.truthy(text:find("\nwingman_reads_total 100\n", 1, true))
      assert.truthy(text:find('\nwingman_read_latency_by_map_scenario_seconds_count{map="m",scenario="reads"} 60\n', 1, true))
      assert.truthy(text:find('\nwingman_reads_failed_by_code_total{code="NOT_CONNECTED"} 5\n', 1, true))
    end)
  end

  it("are the sum of what workers read, and of shards that are merged", function()
    local document, code, out, err = run(SCRIPT:format "sim://2", { "--workers", "2" })
    assert.equal(0, code, out .. err)
    check(document)
    local paths = { load_run.file "", load_run.file "", load_run.file "" }
    for i = 1, 2 do
      code, out, err = load_run.finish(load_run.start(SCRIPT:format "sim://2", { "--shard", (i - 1) .. "/2", "--out", "json=" .. paths[i] }))
      assert.equal(0, code, out .. err)
    end
    code, out, err = load_run.finish(assert(require("wingman.loop.process").spawn { file = require("wingman.loop.process").wingman_path(),
      args = { "report", "merge", paths[1], paths[2], "--out", "json=" .. paths[3] }, stderr = true }))
    assert.equal(0, code, out .. err)
    check(report.read(paths[3]))
  end)

  it("find in workers what they go through open, where the set-up has read", function()
    for _, case in ipairs { { 'assert(select(2, hand:map "m":read "k") == nil)', "true" }, { "", "false" } } do
      local document, code, out, err = run(([[
        local load = require "wingman.load"
        return load.test {
          cluster = "sim://2", thresholds = { checks = "rate==1" },
          setup = function(hand) %s end,
          scenarios = { main = { executor = "per-vu-iterations", vus = 2, iterations = 1, exec = function(vu)
            local listeners, ready = vu.client.listeners, true
            for _, node in ipairs(vu.client.provider:nodes()) do ready = ready and listeners:of(node) ~= nil end
            vu:check("open", ready == %s)
            vu:map "m":read "k"
          end } },
        }]]):format(unpack(case)), { "--workers", "2" })
      assert.equal(0, code, out .. err)
      assert.equal(2, metric(document, "reads").count)
    end
  end)

  it("count from when they were due", function()
    local document, code, out, err = run [[
      local load = require "wingman.load"
      local loop = require "wingman.loop"
      return load.test {
        cluster = "sim://2",
        scenarios = { main = { executor = "constant-arrival-rate", rate = 200, duration = "500ms", graceful_stop = "60s", max_vus = 1, pre_allocated_vus = 1,
          exec = function(vu)
            vu:map "m":read "k"
            local ends = loop.now() + 0.01 -- two iterations are due meanwhile
            repeat until loop.now() >= ends
          end } },
      }]]
    assert.equal(0, code, out .. err)
    local latency, lateness = metric(document, "read_latency"), metric(document, "lateness")
    assert.is_true(latency.mean >= lateness.mean and lateness.mean > 0, ("%g and %g"):format(latency.mean, lateness.mean))
    assert.equal("generator", document.limit)
    assert.matches("which is in the latency of reads", document.limit_reason)
  end)

  it("have to succeed where a test has a threshold on their latency", function()
    local document, code, out, err = run [[
      local load = require "wingman.load"
      return load.test {
        cluster = "sim://2",
        scenarios = { main = { executor = "per-vu-iterations", vus = 1, iterations = 2, exec = function(vu)
          vu:map "m":read("k", { node = vu.iteration == 2 and "nobody" or nil })
        end } },
        thresholds = { read_latency = "p(99)<60s" },
      }]]
    assert.equal(99, code, out .. err)
    assert.equal("reads_failed", document.thresholds[3].metric)
    assert.same({ true, true, false }, { document.thresholds[1].passed, document.thresholds[2].passed, document.thresholds[3].passed })
  end)
end)
