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
          .. "ARGS of a script stand behind its name\n"):format(option, path), err)
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
      assert.equal(("wingman run: --quiet: only load tests take options; %s has run, and returned none: the options had no effect\n")
        :format(path), err)
    end
  end)

  it("runs such a script without options, and with those of clients", function()
    local path = load_run.file([[print(...)]], ".lua")
    assert.same({ 0, "--out\tx\n", "" }, { run("--insecure-skip-verify", path, "--out", "x") })
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
