local cjson = require "cjson"
local fixture = require "spec.report.fixture"
local process = require "wingman.loop.process"
local report = require "wingman.report"

describe("wingman report", function()
  local directory
  local whole, shards = fixture.sharded { shards = 3, rate = 200 }

  local function path(name) return directory .. "/" .. name end

  local function run(...)
    local child = assert(process.spawn { file = process.wingman_path(), args = { "report", ... }, stderr = true,
      env = { COLUMNS = "100", ASAN_OPTIONS = "detect_leaks=0" } })
    local out, err = child:read_all(60), child:read_all(60, "stderr")
    local code = child:wait(60)
    child:close()
    return code, out, err
  end

  setup(function()
    directory = os.tmpname()
    os.remove(directory)
    os.execute("mkdir " .. directory)
    assert(report.write(whole, "json=" .. path "whole.json"))
    for i, shard in ipairs(shards) do assert(report.write(shard, ("json=%s"):format(path(i .. ".json")))) end
    assert(report.write(fixture.document { rate = 200, slow = 2, seed = 3 }, "json=" .. path "slow.json"))
  end)
  teardown(function() os.execute("rm -rf " .. directory) end)

  it("shows reports", function()
    local code, out = run("show", path "whole.json")
    assert.equal(0, code)
    assert.equal(report.summary(whole, { width = 100 }), out)
    code, out = run("show", path "1.json", path "2.json")
    assert.equal(0, code)
    assert.equal(report.summary(shards[1], { width = 100 }) .. "\n" .. report.summary(shards[2], { width = 100 }), out)
  end)

  it("writes other forms", function()
    local code, out = run("show", path "whole.json", "--out", "html=" .. path "run.html", "--out=csv=-")
    assert.equal(0, code)
    assert.equal(report.render(whole, "csv"), out)
    local file = assert(io.open(path "run.html"))
    assert.equal(report.render(whole, "html"), file:read "*a")
    file:close()
  end)

  it("merges shards, and says which do not fit", function()
    local code, out = run("merge", path "3.json", path "1.json", path "2.json", "--json")
    assert.equal(0, code)
    assert.equal(report.render(assert(report.merge(shards)), "json"), out)
    local _, err
    code, out, err = run("merge", path "1.json", path "2.json", "--out=json=" .. path "merged.json")
    assert.equal(96, code)
    assert.matches("^PART  .*\nPARTS %s*2 of 3 shards", out)
    assert.matches("^wingman report: 2 of 3 shards are in this report", err)
    assert.equal(2, #assert(report.read(path "merged.json")).shards)
    code, out, err = run("merge", path "1.json", path "1.json")
    assert.same({ 1, "", ("wingman report: %s and %s are the same report\n"):format(path "1.json", path "1.json") }, { code, out, err })
    code, _, err = run("merge", path "1.json", path "whole.json")
    assert.equal(1, code)
    assert.matches("is of a run of 3 shards, .*whole.json of one of 1\n$", err)
  end)

  it("judges what it has merged, by its exit code", function()
    local function merged(change, ...)
      local _, parts = fixture.sharded { shards = 2, rate = 100, seconds = 5, kill = false }
      change(parts)
      for i, part in ipairs(parts) do assert(report.write(part, ("json=%s"):format(path("part" .. i .. ".json")))) end
      return run("merge", path "part1.json", path "part2.json", ...)
    end
    assert.equal(0, (merged(function() end)))
    local code, out = merged(function(parts)
      for _, part in ipairs(parts) do part.thresholds[1].expression = "p(99)<1us" end -- they passed: parts do not judge
    end)
    assert.equal(99, code)
    assert.matches("^FAILED  op_latency{scenario:writes} p%(99%)<1us was ", out)
    assert.equal(99, (merged(function(parts) parts[2].outcome, parts[2].thresholds[1].aborted = "aborted", true end)))
    assert.equal(1, (merged(function(parts) parts[1].outcome, parts[1].reason = "error", "the script raised an error" end)))
    assert.equal(130, (merged(function(parts) parts[1].outcome, parts[1].reason = "interrupted", "by SIGINT" end)))
    local function late(parts) parts[1].generator_late = true end
    assert.equal(0, (merged(late)))
    local strict, _, why = merged(late, "--strict")
    assert.same({ 98, "wingman report: --strict: the generator was late\n" }, { strict, why })
    strict, _, why = merged(function(parts)
      for _, metric in ipairs(parts[2].metrics) do if metric.name == "iterations_dropped" then metric.count = 1 end end
    end, "--strict")
    assert.same({ 98, "wingman report: --strict: 1 iteration was dropped\n" }, { strict, why })
  end)

  it("compares, with exit codes for what is worse and for what cannot be decided", function()
    local code, out = run("diff", path "whole.json", path "slow.json")
    assert.equal(99, code)
    assert.matches("^WORSE  p50 %+%d", out)
    assert.matches("\n +whole.json +slow.json +change", out)
    code, out = run("diff", path "slow.json", path "whole.json")
    assert.equal(0, code)
    assert.matches("^BETTER  p50 %-%d", out)
    code, out = run("diff", path "whole.json", path "whole.json")
    assert.equal(0, code)
    assert.matches("^SAME  no difference that this noise allows to see\n", out)
    assert.equal(0, (run("diff", path "whole.json", path "slow.json", "--tolerance", "300%")))
    for name, options in pairs { calm = { seed = 1 }, stalled = { seed = 2, stall = 2 }, short = { seconds = 3 } } do
      local all = { rate = 400, seconds = options.seconds or 12, kill = false, wander = 0.02, seed = options.seed, stall = options.stall }
      assert(report.write(fixture.document(all), "json=" .. path(name .. ".json")))
    end
    code, out = run("diff", path "calm.json", path "stalled.json")
    assert.equal(97, code)
    assert.matches("^UNKNOWN  too noisy to tell: .*p99 x %d+", out)
    code, out = run("diff", path "calm.json", path "short.json")
    assert.equal(97, code)
    assert.matches("^UNKNOWN  these runs are too short", out)
  end)

  it("gives a pipe whole rows, however long they are", function()
    local before = path(("before-%s.json"):format(("x"):rep(100)))
    assert(report.write(whole, "json=" .. before))
    local child = assert(process.spawn { file = process.wingman_path(), args = { "report", "diff", before, path "slow.json" },
      env = { COLUMNS = "" } })
    local out = child:read_all(60)
    child:close()
    local heading, first = out:match "\n([^\n]*x%.json[^\n]*)\n([^\n]*)"
    assert.truthy(heading:find("slow.json", 1, true), out)
    assert.matches("throughput .* same$", first)
  end)

  it("compares for programs", function()
    local code, out = run("diff", "--json", path "whole.json", path "slow.json")
    assert.equal(99, code)
    local got = cjson.decode(out)
    assert.equal("worse", got.verdict)
    assert.equal("p50", got.rows[2].name)
    assert.is_true(got.rows[2].low > 0.5 and got.rows[2].high > got.rows[2].change)
  end)

  it("names the file that cannot be read or written", function()
    local code, _, err = run("show", path "none.json")
    assert.same({ 1, ("wingman report: %s: No such file or directory\n"):format(path "none.json") }, { code, err })
    os.execute("echo '{\"schema\":\"wingman.report/1\"}' >" .. path "bad.json")
    code, _, err = run("diff", path "whole.json", path "bad.json")
    assert.equal(1, code)
    assert.matches("bad.json: checks: missing\n$", err)
    code, _, err = run("show", path "whole.json", "--out", "json=/nonexistent/x")
    assert.same({ 1, "wingman report: /nonexistent/x: No such file or directory\n" }, { code, err })
  end)

  it("says when standard output is full", function()
    local status = os.execute(("%s report show %s >/dev/full 2>%s"):format(process.wingman_path(), path "whole.json", path "err"))
    assert.equal(256, status)
    local file = assert(io.open(path "err"))
    assert.matches("^wingman report: standard output: No space left on device\n$", file:read "*a")
    file:close()
  end)

  it("names what is wrong with its arguments, with exit code 2", function()
    for message, arguments in pairs {
      ["show, diff or merge is expected"] = {},
      ["'draw' is none of show, diff, merge"] = { "draw" },
      ["show: a file is missing"] = { "show" },
      ["diff: two files are expected"] = { "diff", "a" },
      ["merge: a file is missing"] = { "merge" },
      ["unknown option '--tolerence'; did you mean '--tolerance'?"] = { "diff", "a", "--tolerence=3" },
      ["--out needs a value"] = { "show", "a", "--out" },
      ["--out 'xml' is not a format of reports; the formats are csv, hgrm, html,"] = { "show", "a", "--out", "xml=b" },
      ["--out: csv=/b and svg=//b are the same file"] = { "show", "a", "--out", "csv=/b", "--out", "svg=//b" },
      ["--tolerance: a number of per cent from 0 to 1000 is expected, got nan"] = { "diff", "a", "b", "--tolerance", "nan" },
      ["--tolerance: a number of per cent from 0 to 1000 is expected, got 'much'"] = { "diff", "a", "b", "--tolerance", "much" },
      ["show: --out takes one file"] = { "show", "a", "b", "--out", "csv=-" },
      ["diff: --strict is for merge"] = { "diff", "a", "b", "--strict" },
      ["diff: --out is for show and merge"] = { "diff", "a", "b", "--out", "csv=-" },
    } do
      local code, out, err = run(unpack(arguments))
      assert.same({ 2, "" }, { code, out })
      assert.truthy(err:find("wingman report: " .. message, 1, true), err)
      assert.truthy(err:find("\nsee wingman report --help\n", 1, true))
    end
    local code, out = run("merge", "--help")
    assert.equal(0, code)
    assert.matches("exit codes: 0 done", out)
  end)
end)
