--- Steering a run over its socket.
local load_run = require "spec.support.load_run"

local ctl, status, status_when = load_run.ctl, load_run.status, load_run.status_when

local start, RATE = load_run.start_controlled, load_run.ENDLESS

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

end)
