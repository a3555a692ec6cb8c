--- Steering a run over its socket, and its metrics for Prometheus.
local cjson = require "cjson"
local load_run = require "spec.support.load_run"
local loop = require "wingman.loop"
local process = require "wingman.process"
local report = require "wingman.load.report"
local stream = require "wingman.stream"

local metric = load_run.metric

local function ctl(path, ...)
  local child = assert(process.spawn { file = process.wingman_path(), args = { "ctl", path, ... }, stderr = true })
  return load_run.finish(child)
end

-- Starts a run with a control socket and waits until it answers.
local function start(scenario, options)
  local path = load_run.file ""
  os.remove(path)
  local out = load_run.file ""
  local all = { "--control", path, "--out", "json=" .. out, unpack(options or {}) }
  local child = load_run.start(load_run.script(scenario), all)
  assert(child:read_line(20))
  return child, path, function()
    local code, text, err = load_run.finish(child)
    return report.read(out), code, text, err
  end
end

local function status(path)
  local code, out, err = ctl(path, "status", "--json")
  assert.equal(0, code, err)
  return cjson.decode(out)
end

-- Code in a run, at its prompt: exit code, output, errors.
local function at_prompt(path, code)
  local child = assert(process.spawn { file = process.wingman_path(), args = { "repl", "--attach", path, "-e", code }, stderr = true })
  return load_run.finish(child)
end

local RATE = [[executor = "constant-arrival-rate", rate = 100, duration = "4s", exec = function(vu) vu:map "m":set("k", 1) end]]

describe("the control socket", function()
  after_each(load_run.clean)

  it("pauses, resumes and tells the status; the end comes later by the pause", function()
    local _, path, finish = start(RATE)
    assert.equal(0, (ctl(path, "pause")))
    local first = status(path)
    assert.equal("paused", first.scenarios[1].state)
    loop.sleep(1)
    local second = status(path)
    assert.equal(first.scenarios[1].iterations, second.scenarios[1].iterations)
    assert.equal(0, (ctl(path, "resume", "main")))
    local document, code, out, err = finish()
    assert.equal(0, code, out .. err)
    assert.equal(400, metric(document, "iterations").count)
    assert.is_true(document.duration_s >= 5, tostring(document.duration_s))
  end)

  it("takes a new rate during a pause, which makes the pause no longer", function()
    local document, code, out, err = load_run.run [[
      local load = require "wingman.load"
      return load.test { cluster = "sim://1",
        scenarios = { a = { executor = "constant-arrival-rate", rate = 100, duration = "2s", exec = function() end } },
        nemesis = { { at = "500ms", call = function(run) assert(run:pause()) end },
                    { at = "1500ms", rate = 1000 },
                    { at = "2s", call = function(run)
                        assert(run:status().scenarios[1].target == 1000)
                        assert(run:resume())
                      end } } }]]
    assert.equal(0, code, out .. err)
    for _, fault in ipairs(document.faults) do assert.is_true(fault.ok, fault.detail) end
    assert.near(50 + 1500, metric(document, "iterations").count, 400)
    assert.near(3.5, document.scenarios[1].duration_s, 0.5)
  end)

  it("changes the rate", function()
    local _, path, finish = start(RATE)
    assert.equal(0, (ctl(path, "rate", "1000")))
    assert.equal(1000, status(path).scenarios[1].target)
    local document, code = finish()
    assert.equal(0, code)
    assert.is_true(metric(document, "iterations").count > 600, tostring(metric(document, "iterations").count))
  end)

  it("changes the users of an externally controlled scenario", function()
    local _, path, finish = start [[executor = "externally-controlled", vus = 1, max_vus = 8, duration = "4s",
      exec = function(vu) vu:sleep(0.05) end]]
    assert.equal(0, (ctl(path, "vus", "8", "main")))
    local code, _, err = ctl(path, "vus", "9")
    assert.equal(1, code)
    assert.truthy(err:find("max_vus is 8", 1, true))
    assert.equal(0, (ctl(path, "vus", "0")))
    loop.sleep(0.3)
    assert.equal(0, status(path).scenarios[1].busy)
    local document = finish()
    assert.equal(8, document.scenarios[1].vus_max)
  end)

  it("stops a run, and its report is written", function()
    local _, path, finish = start(RATE)
    assert.equal(0, (ctl(path, "stop")))
    local document, code = finish()
    assert.equal(130, code)
    assert.equal("interrupted", document.outcome)
  end)

  it("refuses what it does not know, by name", function()
    local _, path, finish = start(RATE)
    for _, case in ipairs {
      { { "dance" }, "'dance' is no order" }, { { "rate" }, "a number of iterations" }, { { "rate", "-1" }, "0 or more" },
      { { "rate", "fast" }, "got fast" }, { { "vus" }, "a whole number" },
      { { "pause", "other" }, "'other'" }, { { "vus", "3" }, "no running scenario" }, { { "log", "loud" }, "debug, info" },
    } do
      local code, _, err = ctl(path, unpack(case[1]))
      assert.equal(1, code)
      assert.truthy(err:find(case[2], 1, true), err)
    end
    assert.equal(2, (ctl(path)))
    ctl(path, "stop")
    finish()
    local code, _, err = ctl(path, "status")
    assert.equal(1, code)
    assert.truthy(err:find(path, 1, true))
  end)

  it("refuses numbers that make no sense, with workers and without, and goes on", function()
    for _, workers in ipairs { "1", "2" } do
      local _, path, finish = start(RATE, { "--workers", workers })
      for _, rate in ipairs { "nan", "-nan", "inf", "1e999", "-0", "-1", "2e9" } do
        local code, _, err = ctl(path, "rate", rate)
        assert.equal(1, code, rate)
        assert.truthy(err:find("0 or more and at most 1000000000", 1, true), err)
      end
      for _, count in ipairs { "nan", "inf", "-0", "-1", "2.5", "1e9" } do
        local code, _, err = ctl(path, "vus", count)
        assert.equal(1, code, count)
        assert.truthy(err:find("a whole number of users", 1, true), err)
      end
      assert.equal(100, status(path).scenarios[1].target)
      ctl(path, "stop")
      finish()
    end
  end)

  it("takes steps of the same time in the order in which they are listed", function()
    local document, code, out, err = load_run.run [[
      local load = require "wingman.load"
      local steps, order = {}, {}
      for i = 1, 50 do
        steps[i] = { at = i % 10 == 0 and 0.1 or 0.2, call = function() order[#order + 1] = i end }
      end
      return load.test { cluster = "sim://1", nemesis = steps,
        scenarios = { a = { executor = "constant-arrival-rate", rate = 100, duration = "500ms", exec = function() end } },
        teardown = function() print("ORDER " .. table.concat(order, " ")) end }]]
    assert.equal(0, code, out .. err)
    assert.equal(50, #document.faults)
    local expected = { 10, 20, 30, 40, 50 }
    for i = 1, 50 do
      if i % 10 ~= 0 then expected[#expected + 1] = i end
    end
    assert.equal(table.concat(expected, " "), out:match "ORDER ([%d ]+)")
  end)

  it("is steered by steps of the script, too", function()
    local document, code, out, err = load_run.run [[
      local load = require "wingman.load"
      return load.test { cluster = "sim://1",
        scenarios = { a = { executor = "constant-arrival-rate", rate = 100, duration = "2s", exec = function() end } },
        nemesis = { { at = "500ms", rate = 1000, scenario = "a" },
                    { at = "1s", call = function(run) assert(run:pause "a") end },
                    { at = "1500ms", call = function(run) assert(run:resume()) end } } }]]
    assert.equal(0, code, out .. err)
    local count = metric(document, "iterations").count
    assert.is_true(count > 1000 and count < 1600, tostring(count))
    assert.is_true(document.duration_s >= 2.4)
    assert.is_true(document.faults[1].ok and document.faults[2].ok and document.faults[3].ok)
  end)

  it("has not passed when a step of its plan could not be done", function()
    for step, words in pairs { [ [[run = "exit 3"]] ] = "exit code 3", [ [[kill = "node-9"]] ] = "node-9" } do
      for _, options in ipairs { {}, { "--quiet" }, { "--workers", "2" } } do
        local document, code, out, err = load_run.run(([[
          local load = require "wingman.load"
          return load.test { cluster = "sim://1",
            scenarios = { a = { executor = "constant-arrival-rate", rate = 100, duration = "500ms", exec = function() end } },
            nemesis = { { at = "100ms", %s } } }]]):format(step), options, load_run.NO_LEAK_CHECK)
        assert.equal(1, code, out .. err)
        assert.equal("error", document.outcome)
        assert.truthy(document.reason:find("did not take place", 1, true) and document.reason:find(words, 1, true), document.reason)
        assert.is_false(document.faults[1].ok)
        assert.truthy((out .. err):find("did not take place", 1, true), out .. err)
      end
    end
  end)
end)

describe("the metrics of a run for Prometheus", function()
  after_each(load_run.clean)

  it("are served while it runs", function()
    local port
    do -- a port that is free now
      local listener = assert(stream.listen { port = 0 })
      port = listener.port
      listener:close()
    end
    local _, path, finish = start(RATE, { "--prometheus", "127.0.0.1:" .. port })
    local conn = assert(stream.connect { port = port })
    assert(conn:write "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    local text = ""
    while true do
      local more = conn:read(10)
      if not more then break end
      text = text .. more
    end
    conn:close()
    assert.truthy(text:find("HTTP/1.1 200 OK", 1, true))
    local acked = tonumber(text:match "wingman_ops_acked_total (%d+)")
    assert.is_true(acked and acked > 0 or false, text:sub(1, 2000))
    ctl(path, "stop")
    finish()
  end)
end)

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
    assert.truthy(out:find "^{ <run %S+, running, %d of %d+ s>, <steering of run %S+, running, %d of %d+ s> }\n$", out)
    assert.equal(0, (at_prompt(path, "assert(steering:rate(300))")))
    assert.equal(300, status(control).scenarios[1].target)
    code, out, err = at_prompt(path, ".nodes")
    assert.equal(0, code, err)
    assert.truthy(out:find("node%-1 +ready"), out)
    local document
    document, code, _, err = finish()
    assert.equal(0, code, err)
    assert.is_true(document.scenarios[1].iterations > 450)
    assert.equal(1, (at_prompt(path, "1")))
  end)
end)
