--- A prompt inside a run.
local load_run = require "spec.support.load_run"
local process = require "wingman.loop.process"

local ctl, status, status_when, start, RATE = load_run.ctl, load_run.status, load_run.status_when, load_run.start_controlled, load_run.ENDLESS

-- Code in a run, at its prompt: exit code, output, errors.
local function at_prompt(path, code)
  local child = assert(process.spawn { file = process.wingman_path(), args = { "repl", "--attach", path, "-e", code }, stderr = true })
  return load_run.finish(child)
end

describe("a prompt inside a run", function()
  after_each(load_run.clean)

  it("looks at it and changes its rate, and is not there unless it was asked for", function()
    local path = load_run.file ""
    os.remove(path)
    local _, control, finish = start(RATE, { "--attach", path })
    local code, out, err = at_prompt(path, "client:dialect(), steering:status().scenarios[1].target")
    assert.same({ 0, '"v2"\n100\n' }, { code, out }, err)
    code, out, err = at_prompt(path, "{ run, steering }")
    assert.equal(0, code, err)
    assert.truthy(out:find "^{ <run %S+, running, %d+ of %d+ s>, <steering of run %S+, running, %d+ of %d+ s> }\n$", out)
    assert.equal(0, (at_prompt(path, "assert(steering:rate(300))")))
    assert.equal(300, status(control).scenarios[1].target)
    code, out, err = at_prompt(path, ".nodes")
    assert.equal(0, code, err)
    assert.truthy(out:find("node%-1 +ready"), out)
    status_when(control, "twice as many iterations as 100 a second give", function(now)
      return now.scenarios[1].iterations > 200 * now.elapsed_s
    end)
    ctl(control, "stop")
    assert.equal(130, (select(2, finish())))
    assert.equal(1, (at_prompt(path, "1")))
  end)
end)
