--- Steering a run over its socket, and its metrics for Prometheus.
local eventually = require "spec.support.eventually"
local load_run = require "spec.support.load_run"
local process = require "wingman.loop.process"
local report = require "wingman.report"
local sockets = require "spec.support.sockets"
local stream = require "wingman.loop.stream"

local metric = load_run.metric

local ctl, status, status_when = load_run.ctl, load_run.status, load_run.status_when

-- Starts a run with a control socket and waits until it answers.
local function start(scenario, options)
  local path = load_run.file ""
  os.remove(path)
  local out = load_run.file ""
  local all = { "--control", path, "--out", "json=" .. out, unpack(options or {}) }
  local child = load_run.start(load_run.script(scenario), all)
  assert(child:read_line(60))
  return child, path, function()
    local code, text, err = load_run.finish(child)
    return report.read(out), code, text, err
  end
end

-- Code in a run, at its prompt: exit code, output, errors.
local function at_prompt(path, code)
  local child = assert(process.spawn { file = process.wingman_path(), args = { "repl", "--attach", path, "-e", code }, stderr = true })
  return load_run.finish(child)
end

-- For longer than any order takes: these runs are ended by an order.
local RATE = [[executor = "constant-arrival-rate", rate = 100, duration = "1h", exec = function(vu) vu:map "m":set("k", 1) end]]

describe("the control socket", function()
  after_each(load_run.clean)

  it("pauses, resumes and tells the status", function()
    local _, path, finish = start(RATE)
    assert.equal(0, (ctl(path, "pause")))
    local first = status(path)
    assert.equal("paused", first.scenarios[1].state)
    local second = status_when(path, "half a second later", function(now) return now.elapsed_s >= first.elapsed_s + 0.5 end)
    assert.equal(first.scenarios[1].iterations, second.scenarios[1].iterations)
    assert.equal(0, (ctl(path, "resume", "main")))
    status_when(path, "iterations after the pause", function(now)
      return now.scenarios[1].state == "running" and now.scenarios[1].iterations > second.scenarios[1].iterations
    end)
    assert.equal(0, (ctl(path, "stop")))
    assert.equal(130, (select(2, finish())))
  end)

  -- What a step sees is told with the time, as a schedule has it, just before and after it.
  local STEPS = [[
    local load = require "wingman.load"
    local times = {}
    local function step(name, act)
      return function(run)
        local before = run:status().elapsed_s
        act(run)
        times[#times + 1] = ("%%s %%.6f %%.6f"):format(name, before, run:status().elapsed_s)
      end
    end
    return load.test { cluster = "sim://1",
      scenarios = { a = { executor = "constant-arrival-rate", rate = 100, duration = "2s", exec = function() end } },
      teardown = function() print("TIMES " .. table.concat(times, " ")) end,
      nemesis = { %s } }]]
  local function times_of(out)
    local times = {}
    for name, before, after in out:match("TIMES ([^\n]*)"):gmatch "(%S+) (%S+) (%S+)" do
      times[name] = { before = tonumber(before), after = tonumber(after) }
    end
    return times
  end

  it("has a new rate that is given during a pause, after as long a pause and with as much time left", function()
    local document, code, out, err = load_run.run(STEPS:format [[
      { at = "500ms", call = step("pause", function(run) assert(run:pause()) end) },
      { at = "1s", rate = 1000 },
      { at = "1500ms", call = step("resume", function(run)
          assert(run:status().scenarios[1].target == 1000)
          assert(run:resume())
        end) }]])
    assert.equal(0, code, out .. err)
    for _, fault in ipairs(document.faults) do assert.is_true(fault.ok, fault.detail) end
    local times, count = times_of(out), metric(document, "iterations").count
    -- 100 a second until the pause, 1,000 in what it left of the two seconds.
    local least = 100 * times.pause.after + 1000 * (2 - times.pause.after)
    local most = 100 * times.pause.before + 1000 * (2 - times.pause.before)
    assert.is_true(count >= least - 2 and count <= most + 2, ("%d of %.0f to %.0f"):format(count, least, most))
    local paused = times.resume.before - times.pause.after
    assert.is_true(document.scenarios[1].duration_s >= 2 + paused - 0.001, ("%f, paused for %f"):format(document.scenarios[1].duration_s, paused))
  end)

  it("changes the rate", function()
    local _, path, finish = start(RATE)
    assert.equal(0, (ctl(path, "rate", "1000")))
    assert.equal(1000, status(path).scenarios[1].target)
    status_when(path, "three times as many iterations as 100 a second give", function(now)
      return now.scenarios[1].iterations > 300 * now.elapsed_s
    end)
    ctl(path, "stop")
    assert.equal(130, (select(2, finish())))
  end)

  it("changes the users of an externally controlled scenario", function()
    local _, path, finish = start [[executor = "externally-controlled", vus = 1, max_vus = 8, duration = "1h",
      exec = function(vu) vu:sleep(0.05) end]]
    assert.equal(0, (ctl(path, "vus", "8", "main")))
    status_when(path, "8 users at work", function(now) return now.scenarios[1].busy == 8 end)
    local code, _, err = ctl(path, "vus", "9")
    assert.equal(1, code)
    assert.truthy(err:find("max_vus is 8", 1, true))
    assert.equal(0, (ctl(path, "vus", "0")))
    status_when(path, "no user at work", function(now) return now.scenarios[1].busy == 0 end)
    ctl(path, "stop")
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
        scenarios = { a = { executor = "constant-arrival-rate", rate = 100, duration = "2s", exec = function() end } },
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
    local document, code, out, err = load_run.run(STEPS:format [[
      { at = "500ms", rate = 1000, scenario = "a" },
      { at = "1s", call = step("pause", function(run) assert(run:pause "a") end) },
      { at = "1200ms", call = step("resume", function(run) assert(run:resume()) end) }]])
    assert.equal(0, code, out .. err)
    local times, count = times_of(out), metric(document, "iterations").count
    -- The rate changed after 0.5 s at the earliest, and before the step behind it.
    local least, most = 100 * times.pause.before + 1000 * (2 - times.pause.before), 100 * 0.5 + 1000 * 1.5
    assert.is_true(count >= least - 2 and count <= most + 2, ("%d of %.0f to %.0f"):format(count, least, most))
    assert.is_true(document.duration_s >= 2 + times.resume.before - times.pause.after - 0.001, tostring(document.duration_s))
    assert.is_true(document.faults[1].ok and document.faults[2].ok and document.faults[3].ok)
  end)

  it("has not passed when a step of its plan could not be done", function()
    for step, words in pairs { [ [[run = "exit 3"]] ] = "exit code 3", [ [[kill = "node-9"]] ] = "node-9" } do
      for _, options in ipairs { {}, { "--quiet" }, { "--workers", "2" } } do
        local document, code, out, err = load_run.run(([[
          local load = require "wingman.load"
          return load.test { cluster = "sim://1",
            scenarios = { a = { executor = "constant-arrival-rate", rate = 100, duration = "500ms", exec = function() end } },
            nemesis = { { at = "100ms", %s } } }]]):format(step), options)
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
    local port = sockets.free_tcp_port()
    local _, path, finish = start(RATE, { "--prometheus", "127.0.0.1:" .. port })
    local function scraped()
      local conn = assert(stream.connect { port = port })
      assert(conn:write "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
      local text = ""
      while true do
        local more = conn:read(60)
        if not more then break end
        text = text .. more
      end
      conn:close()
      return text
    end
    local _, text = eventually("an acknowledgement is counted", function()
      local text = scraped()
      return (tonumber(text:match "wingman_ops_acked_total (%d+)") or 0) > 0, text
    end)
    assert.truthy(text:find("HTTP/1.1 200 OK", 1, true), text)
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
