--- `wingman run`: what it says of options that a script has no use for.
local load_run = require "spec.support.load_run"
local process = require "wingman.loop.process"

local function run(...)
  return load_run.finish(assert(process.spawn { file = process.wingman_path(), args = { "run", ... }, stderr = true }))
end

describe("wingman run", function()
  after_each(load_run.clean)

  it("runs no script that is certainly no load test with the options of one", function()
    for _, text in ipairs {
      [[print "ran"]],
      [[local wingman = require "wingman" wingman.run(function() print "ran" end)]],
      [[local wingman = require('wingman') print "ran" return 0]],
      [[local sim = require "wingman.sim" print "ran"]],
      [[local workload, loaded = 1, 2 print "ran"]],
    } do
      local path = load_run.file(text, ".lua")
      for _, option in ipairs { "--out=json=/tmp/none.json", "--quiet", "--workers=2" } do
        local code, out, err = run(option, path)
        assert.same({ 2, "" }, { code, out }, text)
        assert.equal(("wingman run: %s: only load tests take options, and %s is none: it never loads wingman.load; it was not run. "
          .. "ARGS of a script stand behind its name\nsee wingman run --help\n"):format(option, path), err)
      end
    end
  end)

  it("says of another script that it has run, and that the options had no effect", function()
    for _, text in ipairs {
      [[local load = require "wingman.load" print "ran"]],
      [[require("wingman." .. "load") print "ran"]],
      [[local json = require "cjson" print "ran"]],
      [[assert(loadstring 'print "ran"')()]],
    } do
      local path = load_run.file(text, ".lua")
      local code, out, err = run("--quiet", path)
      assert.same({ 2, "ran\n" }, { code, out }, text)
      assert.equal(("wingman run: --quiet: only load tests take options; %s has run, and returned none: the options had no effect\nsee wingman run --help\n")
        :format(path), err)
    end
  end)

  it("runs such a script without options, and with those of clients", function()
    local path = load_run.file([[print(...)]], ".lua")
    assert.same({ 0, "--out\tx\n", "" }, { run("--insecure-skip-verify", path, "--out", "x") })
  end)

  it("takes options of load tests in front of the script and behind it, and refuses a wrong one in the same words", function()
    local test = load_run.file(load_run.script [[executor = "per-vu-iterations", vus = 1, iterations = 1, exec = function() end]], ".lua")
    local report = load_run.file ""
    local code, out, err = run("--seed", "7", test, "word", "--quiet", "--out=json=" .. report)
    assert.equal(0, code, out .. err)
    assert.truthy(io.open(report):read "*a":find('"seed":7', 1, true))
    for text, words in pairs {
      ["--seed: a whole number below 2^53 is expected, got 'x'"] = { "--seed", "x" },
      ["--workers needs a value"] = { "--workers=" },
      ["--quiet takes no value, got '1'"] = { "--quiet=1" },
      ["unknown option '--quit'; did you mean '--quiet'?"] = { "--quit" },
      ["--prometheus: "] = { "--prometheus", "nowhere" },
      ["--out: "] = { "--out", "xml=file" },
      ["--policy: cannot open /none.lua"] = { "--policy", "/none.lua" },
    } do
      words[#words + 1] = test
      local front_code, front_out, front = run(unpack(words))
      table.insert(words, 1, table.remove(words))
      local behind_code, behind_out, behind = run(unpack(words))
      assert.same({ 2, "", 2, "" }, { front_code, front_out, behind_code, behind_out }, text)
      assert.equal(front, behind)
      assert.truthy(front:find("^wingman run: [^\n]+\nsee wingman run %-%-help\n$") and front:find(text, 1, true), front)
    end
  end)

  it("runs a load test that another file returns, with options", function()
    local test = load_run.file([[
      local load = require "wingman.load"
      return load.test { cluster = "sim://1", scenarios = { s = { executor = "per-vu-iterations", vus = 1, iterations = 1, exec = function() end } } }
    ]], ".lua")
    local code, out, err = run("--quiet", load_run.file(("return dofile '%s'"):format(test), ".lua"))
    assert.equal(0, code, out .. err)
  end)
end)
