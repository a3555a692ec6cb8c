--- `wingman bench`: a load test from the command line alone.
local load_run = require "spec.support.load_run"
local process = require "wingman.loop.process"
local report = require "wingman.report"
local sim = require "wingman.sim"

local metric = load_run.metric

local function command(args, env)
  local given = { ASAN_OPTIONS = "detect_leaks=0" }
  for name, value in pairs(env or {}) do given[name] = value end
  local child = assert(process.spawn { file = process.wingman_path(), args = args, stderr = true, env = given })
  return load_run.finish(child)
end

-- Its report, exit code, output, errors.
local function bench(args, env)
  local out = load_run.file ""
  local all = { "bench", "--out", "json=" .. out, unpack(args) }
  local code, text, err = command(all, env)
  return report.read(out), code, text, err
end

describe("wingman bench", function()
  after_each(load_run.clean)

  it("writes on a schedule, and passes its thresholds or fails with 99", function()
    for expression, expected in pairs { ["count==200"] = 0, ["count==201"] = 99 } do
      local document, code, out, err = bench { "sim://3", "--rate", "200", "--duration=1s", "--keys", "sequential:50",
        "--threshold", "ops_acked " .. expression }
      assert.equal(expected, code, out .. err)
      assert.equal("constant-arrival-rate", document.scenarios[1].executor)
      assert.equal(200, metric(document, "ops_acked").count)
      assert.equal(3, #document.thresholds)
    end
  end)

  it("has users that wait for their acknowledgement, with --vus", function()
    local document, code, out, err = bench { "sim://2", "--vus", "3", "--duration", "300ms", "--value", "0" }
    assert.equal(0, code, out .. err)
    assert.equal("constant-vus", document.scenarios[1].executor)
    assert.equal(3, document.scenarios[1].vus_max)
    local acked = metric(document, "ops_acked").count
    assert.is_true(acked >= 3, acked .. " are acknowledged")
    assert.equal(acked, metric(document, "iterations").count)
    assert.is_true(metric(document, "batch_size").max <= 3, "more than three were under way")
  end)

  it("does not measure what it writes to warm up", function()
    local document, code, out, err = bench { "sim://2", "--rate", "100", "--duration", "500ms", "--warmup", "200ms" }
    assert.equal(0, code, out .. err)
    assert.equal(50, metric(document, "ops_acked").count)
    assert.equal(50, metric(document, "op_latency").count)
  end)

  it("takes values from a file, workers, connections, and the cluster of WINGMAN_CLUSTER", function()
    local values = load_run.file('[{"a":1},{"a":2}]', ".json")
    local document, code, out, err = bench({ "--rate", "100", "--duration", "500ms", "--value", "file:" .. values, "--workers", "2",
      "--connections", "2", "--map", "players" }, { WINGMAN_CLUSTER = "sim://2" })
    assert.equal(0, code, out .. err)
    assert.equal("sim://2", document.environment.cluster)
    assert.equal(2, document.shards[1].workers)
    assert.equal(50, metric(document, "ops_acked").count)
  end)

  it("saves the script that does the same, and takes no file's place", function()
    local path = load_run.file("", ".lua")
    local args = { "bench", "sim://2", "--rate", "100", "--duration", "500ms", "--warmup", "10ms", "--threshold", "ops_acked count==50",
      "--threshold", "ops_acked{scenario:writes} count==50", "--save", path }
    local code, _, err = command(args)
    assert.equal(2, code)
    assert.truthy(err:find("exists", 1, true), err)
    os.remove(path)
    args[#args + 1] = "--proxy=http://somebody:secret@127.0.0.1:1" -- which sim:// does not go through
    assert.equal(0, (command(args)))
    local file = assert(io.open(path))
    assert.falsy(file:read "*a":find("secret", 1, true))
    file:close()
    local out
    code, out, err = command { "run", "--quiet", path }
    assert.equal(0, code, out .. err)
    assert.truthy(out:find "^PASSED  50 operations", out)
  end)

  it("saves no URL whose query may hold a token: the script reads WINGMAN_CLUSTER", function()
    local path = load_run.file("", ".lua")
    os.remove(path)
    local code, out, err = command { "bench", "--rate", "100", "ws://127.0.0.1:9?token=secret,ws://127.0.0.1:10", "--duration=500ms", "--save", path }
    assert.equal(0, code, err)
    assert.truthy(out:find("with the URL in the variable WINGMAN_CLUSTER", 1, true), out)
    local file = assert(io.open(path))
    local text = file:read "*a"
    file:close()
    assert.falsy(text:find("secret", 1, true), text)
    assert.truthy(text:find("127.0.0.1:9?token=***", 1, true), text)
    code, out, err = command({ "run", "--quiet", path }, { WINGMAN_CLUSTER = "sim://2" })
    assert.equal(0, code, out .. err)
    code, out, err = command { "run", "--quiet", path }
    assert.equal(1, code, out)
    assert.truthy(err:find("the variable WINGMAN_CLUSTER is missing", 1, true), err)
    code, out, err = command { "bench", "ws://127.0.0.1:9?token=secret", "ws://127.0.0.1:10" }
    assert.same({ 2, "", "wingman bench: one URL is expected, got 'ws://127.0.0.1:9?token=***' and 'ws://127.0.0.1:10'\nsee wingman bench --help\n" }, { code, out, err })
  end)

  it("reads so many of its operations as --read says, of keys that it has written", function()
    local document, code, out, err = bench { "sim://2", "--rate", "1000", "--duration", "1200ms", "--read", "75%", "--keys", "zipf:300", "--workers", "2",
      "--warmup", "50ms", "--threshold", "reads count>0", "--threshold", "read_latency{map:bench} p(99)<60s" }
    assert.equal(0, code, out .. err)
    local reads, writes = metric(document, "reads").count, metric(document, "ops_acked").count
    -- What was due while the machine stood still may be dropped.
    assert.equal(1200, reads + writes + metric(document, "iterations_dropped").count)
    -- Of 1,200 drawn with the probability 0.75, five standard deviations are 75.
    assert.near(0.75 * (reads + writes), reads, 5 * math.sqrt((reads + writes) * 0.75 * 0.25))
    assert.equal(reads, metric(document, "read_latency").count)
    assert.equal(0, metric(document, "reads_absent").count)
    assert.equal(0, metric(document, "errors").count)
    assert.matches("[%d.]+ s  [%d,]+ acked/s [^\n]+ [%d,]+ reads/s  p50 [1-9]", out)
    assert.matches("\n  mixed +constant%-arrival%-rate [^\n]+\n +its reads +[%d.]+ [mu]?s +[%d.]+ [mu]?s\n", out)
    local measured = {}
    for _, one in ipairs(document.thresholds) do measured[one.metric] = one.value end
    assert.same({ errors = 0, ops_unacknowledged = 0, reads_absent = 0, reads_failed = 0, reads = reads }, { errors = measured.errors,
      ops_unacknowledged = measured.ops_unacknowledged, reads_absent = measured.reads_absent, reads_failed = measured.reads_failed, reads = measured.reads })
  end)

  it("only reads with --read 1, with users that wait for their answers, in each shard", function()
    for shard = 0, 1 do
      local document, code, out, err = bench { "sim://2?dialect=0.11", "--vus", "4", "--duration", "300ms", "--read", "1", "--keys", "50", "--shard", shard .. "/2" }
      assert.equal(0, code, out .. err)
      local reads = metric(document, "reads").count
      assert.is_true(reads > 0 and reads == metric(document, "iterations").count, reads .. " reads")
      assert.equal(0, metric(document, "reads_absent").count)
      assert.equal(0, metric(document, "ops_recorded").count)
      assert.equal("reads", document.scenarios[1].name)
    end
  end)

  it("fails when what it reads is not there, and takes your word with --loaded after a look", function()
    local _, code, out, err = bench { "sim://2", "--duration", "100ms", "--read", "0.5", "--loaded", "--keys", "20" }
    assert.equal(1, code, out)
    assert.truthy(err:find("20 of 20 keys that were looked for are not in the map 'bench'", 1, true), err)
    local cluster = assert(sim.start { nodes = 2 })
    finally(function() cluster:stop() end)
    local args = { table.concat(cluster.urls, ","), "--duration", "200ms", "--rate", "100", "--read", "1", "--keys", "20" }
    local env = { WINGMAN_TOKEN = cluster.token }
    _, code, out, err = bench(args, env)
    assert.equal(0, code, out .. err)
    args[#args + 1] = "--loaded"
    local document
    document, code, out, err = bench(args, env)
    assert.equal(0, code, out .. err)
    assert.equal(20, metric(document, "reads").count)
    assert.equal(0, metric(document, "ops_recorded").count)
    -- Who reads of a map what nobody wrote is warned, unless absent keys are what the test is about.
    for threshold, expected in pairs { ["reads count==20"] = 99, ["reads_absent count>0"] = 0 } do
      local path = load_run.file("", ".lua")
      os.remove(path)
      assert.equal(0, (command { "bench", "sim://2", "--rate", "100", "--duration", "200ms", "--read", "100%", "--loaded", "--threshold", threshold, "--save", path }))
      local file = assert(io.open(path))
      local text = file:read "*a"
      file:close()
      code, out, err = load_run.finish(load_run.start((text:gsub("    expect_keys%(map%)\n", ""))))
      assert.equal(expected, code, out .. err)
    end
  end)

  it("ends with 2 for a mistake, names it and what is near it", function()
    for _, case in ipairs {
      { { "sim://2", "--rat", "5" }, "unknown option '--rat'; did you mean '--rate'?" },
      { { "sim://2", "--stricd" }, "did you mean '--strict'?" },
      { { "sim://2", "--rate" }, "--rate needs a value" },
      { { "sim://2", "--rate", "fast" }, "--rate: a number of operations a second is expected, got 'fast'\nsee wingman bench --help\n" },
      { { "sim://2", "--vus", "0" }, "--vus: a whole number from 1" },
      { { "sim://2", "--rate", "1", "--vus", "1" }, "one of --rate and --vus" },
      { { "sim://2", "--keys", "zip:10" }, "did you mean 'zipf'?" },
      { { "sim://2", "--rate", "0" }, "--rate: a number of operations a second is expected, got 0" },
      { { "sim://2", "--shard", "2/2" }, "--shard: I/N with I from 0 to N-1 is expected" },
      { { "sim://2", "--workers", "0" }, "--workers: a whole number from 1 to 256 is expected, got 0" },
      { { "sim://2", "--duration", "soon" }, "--duration: a time" },
      { { "sim://2", "--warmup", "99999999999999999999" }, "--warmup: a time like 10s or 1m30s, of at most 1000000000 s, is expected" },
      { { "sim://2", "--read", "95" }, "--read: a share from 0 to 1, or a percentage like 95%, is expected, got '95'; did you mean 95%?" },
      { { "sim://2", "--read", "some" }, "--read: a share from 0 to 1, or a percentage like 95%, is expected, got 'some'" },
      { { "sim://2", "--read=101%" }, "got '101%'" },
      { { "sim://2", "--read=-0.1" }, "got '-0.1'" },
      { { "sim://2", "--read=nan" }, "got 'nan'" },
      { { "sim://2", "--loaded" }, "--loaded needs --read" },
      { { "sim://2", "--strict=no" }, "--strict takes no value, got 'no'" },
      { { "sim://2", "--value", "big" }, "or file:FILE is expected, got 'big'" },
      { { "sim://2", "--threshold", "p(99)<5ms" }, "'METRIC EXPRESSION'" },
      { { "sim://2", "--threshold", "op_latenzy p(99)<5ms" }, "no metric 'op_latenzy'" },
      { { "sim://2", "--value", "file:/none.csv" }, "/none.csv" },
      { { "sim://0" }, "a whole number from 1 to 64" },
      { { "sim://1", "sim://2" }, "one URL is expected" },
      { {}, "a URL is missing" },
    } do
      local code, out, err = command { "bench", unpack(case[1]) }
      assert.equal(2, code, out .. err)
      assert.truthy(err:find("wingman bench: ", 1, true), err)
      assert.truthy(err:find(case[2], 1, true), err)
      assert.falsy(err:find("traceback", 1, true), err)
    end
  end)

  it("does not pass when nothing of it is stored", function()
    local document, code, out, err = bench { "sim://2", "--rate", "100", "--duration", "200ms", "--map", "a b" }
    assert.equal(99, code, out .. err)
    assert.equal(20, metric(document, "errors").count)
  end)

  it("is one of the commands; an error about a wrong one names the nearest", function()
    local code, _, err = command { "benhc", "sim://1" }
    assert.equal(2, code)
    assert.truthy(err:find("'benhc' is not a command; did you mean 'bench'?", 1, true), err)
  end)
end)
