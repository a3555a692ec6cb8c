--- Load tests that are refused before anything runs, or cannot begin: what is said, and the exit codes.
local load_run = require "spec.support.load_run"

local run, script = load_run.run, load_run.script

describe("wingman run of a load test that cannot run", function()
  after_each(load_run.clean)

  it("ends with 3 when nobody can be reached", function()
    local document, code, _, err = run [[
      local load = require "wingman.load"
      return load.test { cluster = { seeds = { "ws://127.0.0.1:1" } }, client = { start_timeout = 0.5 },
        scenarios = { a = { executor = "shared-iterations", iterations = 1, exec = function() end } } }]]
    assert.equal(3, code)
    assert.is_nil(document)
    assert.truthy(err:find("ws://127.0.0.1:1", 1, true), err)
  end)

  it("shows what the test is, and runs nothing, when it is asked for help", function()
    local text = "--- What it is for.\n" .. script([[executor = "shared-iterations", iterations = 1, exec = function() error "it runs" end]])
    local _, code, out, err = run(text, { "-", "--help" }) -- behind the script; in front of it, it asks about `wingman run`
    assert.same({ 0, "" }, { code, err })
    for _, words in ipairs { "What it is for.\n", "shared-iterations", "threshold  ops_unacknowledged count==0", "wingman run --help" } do
      assert.truthy(out:find(words, 1, true), out)
    end
  end)

  it("ends with 2 for a wrong option, and names it with the script's line", function()
    local _, code = run("return 1", { "--sharp", "1/2" })
    assert.equal(2, code)
    local err
    for options, words in pairs {
      ["--shard=3/3"] = "I from 0 to N-1", ["--shard=0/99999999999999999999"] = "N up to 1000000",
      ["--seed=9007199254740993"] = "below 2^53", ["--quiet=no"] = "--quiet takes no value", ["--seed=x"] = "a whole number", ["--out=csv"] = "FORMAT=FILE", ["--policy=/none.lua"] = "/none.lua",
      ["--seed=1e30"] = "a whole number", ["--start-at=nan"] = "Unix seconds", ["--start-at=-1"] = "Unix seconds",
      ["--start-at=inf"] = "more than 7 days away", ["--start-at=" .. os.time() * 1000] = "not milliseconds", ["--start-at=+1000h"] = "more than 7 days",
    } do
      _, code, _, err = run(script([[executor = "shared-iterations", iterations = 1, exec = print]]), { options })
      assert.equal(2, code, options)
      assert.truthy(err:find(words, 1, true), err)
    end
    for text, words in pairs {
      [script [[executor = "constant-vu", exec = print]]] = "executor: one of",
      [script [[executor = "constant-vus", vus = 1, exec = print]]] = "scenario 'main': option duration is needed",
      [script [[executor = "constant-vus", vus = 1, duration = 1, exec = print, keys = { distribution = "zip" }]]] = "did you mean 'zipf'?",
      [script [[executor = "constant-vus", vus = 0.5, duration = 1, exec = print]]] = "vus: a whole number from 1",
      [script [[executor = "constant-vus", vus = 1, duration = 1e300, exec = print]]] = "scenario 'main': option duration: a duration of at most 1000000000 s is expected",
      [script [[executor = "constant-arrival-rate", rate = 1, time_unit = 0, duration = 1, exec = print]]]
        = "scenario 'main': option time_unit: more than 0",
      [script [[executor = "constant-arrival-rate", rate = 0/0, duration = 1, exec = print]]] = "scenario 'main': option rate: a number from 0",
      [script [[executor = "constant-arrival-rate", rate = 2e9, duration = 1, exec = print]]] = "scenario 'main': option rate: at most",
      [script [[executor = "constant-arrival-rate", rate = 1, time_unit = 1e-300, duration = 1, exec = print]]] = "rate: at most",
      [script [[executor = "ramping-arrival-rate", stages = { { duration = 1, target = 2e9 } }, exec = print]]]
        = "scenario 'main': option stages[1].target: at most",
      [script [[executor = "constant-vus", vus = 1e9, duration = 1, exec = print]]] = "scenario 'main': option vus: a whole number from 1 to 1000000 is expected",
      [script [[executor = "externally-controlled", max_vus = 1000001, duration = 1, exec = print]]] = "max_vus: a whole number from 1 to 1000000 is expected",
      [script [[executor = "ramping-vus", stages = { { duration = 1, target = 1e7 } }, exec = print]]]
        = "scenario 'main': option stages[1].target: a number from 0 to 1000000 is expected",
      [script [[executor = "constant-arrival-rate", rate = 1, duration = 1, pre_allocated_vus = 2e6, exec = print]]]
        = "pre_allocated_vus: a whole number from 1 to 1000000 is expected",
      [script [[executor = "constant-arrival-rate", rate = 1, duration = 1, pre_allocated_vus = 6, max_vus = 5, exec = print]]]
        = "scenario 'main': option pre_allocated_vus: at most max_vus, which is 5",
      [script [[executor = "constant-vus", vus = 1, duration = "soon", exec = print]]] = "a duration is expected",
      [script [[executor = "constant-vus", vus = 1, duration = 1, rate = 5, exec = print]]] = "unknown option 'rate'",
      [script([[executor = "constant-vus", vus = 1, duration = 1, exec = print]], [[treshold = {}]])] = "unknown option 'treshold'; did you mean 'thresholds'?",
      [script([[executor = "constant-vus", vus = 1, duration = 1, exec = print]], [[thresholds = { oplatency = "avg<1s" }]])] = "no metric 'oplatency'",
      [script([[executor = "constant-vus", vus = 1, duration = 1, exec = print]], [[nemesis = { { at = 1, kil = "x" } }]])] = "nemesis[1]: unknown option 'kil'; did you mean 'kill'?",
      [script([[executor = "constant-vus", vus = 1, duration = 1, exec = print]], [[nemesis = { at = 1, kill = "x" }]])] = "a list of steps",
      [script([[executor = "constant-vus", vus = 1, duration = 1, exec = print]], [[nemesis = { { at = 1, rate = 0/0 } }]])] = "nemesis[1]: option rate:",
      [script([[executor = "constant-vus", vus = 1, duration = 1, exec = print]], [[nemesis = { { at = 1, vus = 2.5 } }]])] = "nemesis[1]: vus:",
    } do
      _, code, _, err = run(text)
      assert.equal(2, code, text .. err)
      assert.truthy(err:find(words, 1, true), err)
      assert.truthy(err:find("stdin:2: load.test: ", 1, true), err)
      assert.falsy(err:find("traceback", 1, true), err)
    end
  end)

  it("ends with 1 for what the script's own code raises", function()
    local _, code, _, err = run "local load, nothing\nreturn nothing.at_all"
    assert.equal(1, code)
    assert.truthy(err:find("stdin:2: ", 1, true), err)
  end)

  it("ends with 2 before the run for what cannot be had", function()
    local one = [[executor = "shared-iterations", iterations = 1, exec = function() error "the run began" end]]
    for text, words in pairs {
      [script(one, [[nemesis = { { at = "700s", kill = "node-1" } }]])] = "nemesis[1]: at = 11m40s is not before the end",
      [script(one, [[thresholds = { op_latency = { ["p(99)"] = "<1us" } }]])] = "a list of expressions",
      [script(one, [[thresholds = { op_latency = {} }]])] = "the list has no expression",
      [script(one, [[client = { routing = "dirct" }]])] = "option routing: one of direct, backup, forward or a function is expected, got 'dirct'; did you mean 'direct'?",
      [script(one, [[client = { batch = { opps = 1 } }]])] = "unknown option 'batch.opps'; did you mean 'batch.ops'?",
      [script(one):gsub("sim://3", "sim://3?dialct=v2")] = "unknown option 'dialct'; did you mean 'dialect'?",
      ["local load = require 'wingman.load'\nload.data '/none.csv'"] = "stdin:2: load.data: /none.csv",
      [script(one):gsub("return load.test", "load.test")] = "a load test was made but not returned",
    } do
      local _, code, _, err = run(text)
      assert.equal(2, code, text .. err)
      assert.truthy(err:find(words, 1, true), err)
    end
  end)

  it("ends with 2 before the run when a report could not be written", function()
    local text = script [[executor = "shared-iterations", iterations = 1, exec = function() error "the run began" end]]
    for _, target in ipairs { "html=/none/run.html", "json=/" } do
      local _, code, _, err = run(text, { "--out", target })
      assert.equal(2, code, err)
      assert.truthy(err:find("--out " .. target, 1, true), err)
      assert.falsy(err:find("the run began", 1, true), err)
    end
  end)

  it("ends with 2 before the run when two reports are for one file", function()
    local text = script [[executor = "shared-iterations", iterations = 1, exec = function() error "the run began" end]]
    local path = load_run.file ""
    local folder, name = path:match "^(.*)/([^/]*)$"
    for _, new in ipairs { "", ".new" } do -- a file that is there, and one that is not
      local first, second = ("json=%s%s"):format(path, new), ("csv=%s/.//%s%s"):format(folder, name, new)
      local code, _, err = load_run.finish(load_run.start(text, { "--out", first, "--out", second }))
      assert.equal(2, code, err)
      assert.equal(("wingman run: --out: %s and %s are the same file, and would leave only the second; "):format(first, second)
        .. "give each format a file of its own\nsee wingman run --help\n", err)
    end
    local code = load_run.finish(load_run.start(script [[executor = "shared-iterations", iterations = 1, exec = function() end]],
      { "--quiet", "--out", "json=/dev/null", "--out", "csv=/dev/null", "--out", "json=-", "--out", "csv=-" }))
    assert.equal(0, code)
  end)
end)
