--- Steps of a run's plan: when they come, what they steer, and what the run says of those that fail.
local load_run = require "spec.support.load_run"

local metric = load_run.metric

describe("the steps of a run", function()
  after_each(load_run.clean)

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
