--- Steps of a run's plan: when they come, what they steer, and what the run says of those that fail.
local load_run = require "spec.support.load_run"
local virtual_time = require "spec.support.virtual_time"

local metric = load_run.metric

describe("a plan", function()
  local clock, steps_of, steering

  before_each(function()
    clock = virtual_time.new()
    steps_of, steering = clock:require "wingman.load.control.planned_faults", clock:require "wingman.load.control.steering"
  end)

  -- A run with one scenario, which records its orders with their times; and how to end it.
  local function start(steps)
    local run = { reported = {}, faults = {} }
    local executor = {}
    for _, order in ipairs { "pause", "resume", "set_rate" } do
      executor[order] = function(_, value)
        run.reported[#run.reported + 1] = { order, value, at = clock:now() - run.begun }
        return true
      end
    end
    run.begun = clock:now()
    run.scenarios = { { name = "a", state = "running", executor = executor } }
    run.steering = steering.new(run)
    function run.elapsed() return clock:now() - run.begun end
    function run.fault(_, fault) run.faults[#run.faults + 1] = fault end
    function run.fault_done() end
    run.options = { nemesis = steps_of.check(steps, run.scenarios) }
    return run, steps_of.start(run)
  end

  local function near(expected, got) assert.is_true(math.abs(expected - got) < 1e-6, ("%f, not %f"):format(got, expected)) end

  it("has each step at its time, whatever the one before it took", function()
    local run = start {
      { at = "500ms", call = function() clock.loop.sleep(0.7) end }, { at = "1s", rate = 1000 },
      { at = "1500ms", call = function(steered) assert(steered:pause "a") end },
      { at = "2s", call = function(steered) assert(steered:resume()) end },
    }
    clock.loop.sleep(3)
    for i, expected in ipairs { { "set_rate", 1000, 1.2 }, { "pause", nil, 1.5 }, { "resume", nil, 2 } } do
      assert.same({ expected[1], expected[2] }, { run.reported[i][1], run.reported[i][2] })
      near(expected[3], run.reported[i].at)
    end
    for _, fault in ipairs(run.faults) do assert.is_true(fault.ok, fault.detail) end
  end)

  it("has steps of the same time in the order in which they are listed", function()
    local steps, order, expected = {}, {}, { 10, 20, 30, 40, 50 }
    for i = 1, 50 do
      steps[i] = { at = i % 10 == 0 and 0.1 or 0.2, call = function() order[#order + 1] = i end }
      if i % 10 ~= 0 then expected[#expected + 1] = i end
    end
    start(steps)
    clock.loop.sleep(0.3)
    assert.same(expected, order)
  end)

  it("has failed where the run was over before a step's time", function()
    local run, finish = start { { at = 1, rate = 5 }, { at = 3, rate = 7 } }
    clock.loop.sleep(2)
    finish()
    clock.loop.sleep(2)
    assert.same({ true, false, 1 }, { run.faults[1].ok, run.faults[2].ok, #run.reported })
    assert.truthy(run.faults[2].detail:find("planned for 3s", 1, true), run.faults[2].detail)
  end)
end)

describe("the steps of a run", function()
  after_each(load_run.clean)

  it("steer it, with a new rate, a pause, and as much time left after it", function()
    local document, code, out, err = load_run.run [[
      local load = require "wingman.load"
      local times = {}
      local function step(name, act)
        return function(run)
          local before = run:status().elapsed_s
          act(run)
          times[#times + 1] = ("%s %.6f %.6f"):format(name, before, run:status().elapsed_s)
        end
      end
      return load.test { cluster = "sim://1",
        scenarios = { a = { executor = "constant-arrival-rate", rate = 100, duration = "1s", exec = function() end } },
        teardown = function() print("TIMES " .. table.concat(times, " ")) end,
        nemesis = {
          { at = "200ms", rate = 1000, scenario = "a" },
          { at = "400ms", call = step("pause", function(run) assert(run:pause "a") end) },
          { at = "500ms", call = step("resume", function(run) assert(run:resume()) end) } } }]]
    assert.equal(0, code, out .. err)
    local times = {}
    for name, before, after in out:match("TIMES ([^\n]*)"):gmatch "(%S+) (%S+) (%S+)" do
      times[name] = { before = tonumber(before), after = tonumber(after) }
    end
    -- The rate changed after 0.2 s at the earliest, and before the step behind it.
    local count = metric(document, "iterations").count
    local least, most = 100 * times.pause.before + 1000 * (1 - times.pause.before), 100 * 0.2 + 1000 * 0.8
    assert.is_true(count >= least - 2 and count <= most + 2, ("%d of %.0f to %.0f"):format(count, least, most))
    assert.is_true(document.duration_s >= 1 + times.resume.before - times.pause.after - 0.001, tostring(document.duration_s))
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
