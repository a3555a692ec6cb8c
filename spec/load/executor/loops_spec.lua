--- The closed models, on a clock that the spec turns: how long users go on before the loop
--- turns, and how many of them work.
local fake_loop = require "spec.support.fake_loop"

describe("users of a closed model", function()
  local fake

  before_each(function() fake = fake_loop.install() end)
  after_each(function() fake:remove() end)

  -- A scenario whose users work for `work_us` and never wait; `begun` tells of each iteration
  -- the time, the turn of the loop and the user.
  local function scenario_of(executor, options, work_us)
    local scenario = { options = options, users = {}, begun = {} }
    scenario.run = { share = function(n) return n end, client = { core = {} } }
    function scenario:new_user()
      local vu = { iteration = 0 }
      vu.task = { serve = function()
        while self.executor:take(vu, fake.now_us) do
          vu.iteration = vu.iteration + 1
          self.begun[#self.begun + 1] = { at = fake.now_us, iteration = fake.iterations, user = vu.number }
          fake.now_us = fake.now_us + work_us
        end
        self.executor:idle(vu)
      end }
      self.users[#self.users + 1] = vu
      return vu
    end
    function scenario:stop()
      self.ended = fake.now_us
      self.executor:stop()
    end
    scenario.executor = require("wingman.load.executor." .. executor).new(scenario)
    return scenario
  end

  local function start(scenario)
    scenario.executor:start(fake.now_us)
    return fake.now_us
  end

  local function run(scenario)
    local began = start(scenario)
    while not scenario.ended do assert(fake:iterate(0), "nothing more is planned") end
    return began
  end

  it("let what was written first leave soon when nothing is under way, and go on for longer then", function()
    for in_flight, expected in pairs { [0] = 60, [1] = 1000 } do
      fake.in_flight = in_flight
      local scenario = scenario_of("shared_iterations", { vus = 3, iterations = 30000 }, 10)
      run(scenario)
      assert.equal(30000, #scenario.begun)
      local first, longest = scenario.begun[1], 0
      for _, one in ipairs(scenario.begun) do
        if one.iteration ~= first.iteration then first = one end
        longest = math.max(longest, one.at - first.at)
      end
      assert.equal(expected - 10, longest, in_flight .. " in flight") -- the last of a slice begins before its end
    end
  end)

  it("are at work until their time is over, and no iteration begins after it", function()
    local scenario = scenario_of("constant_vus", { vus = 4, duration = 2 }, 300)
    local began = run(scenario)
    local users = {}
    for _, one in ipairs(scenario.begun) do
      users[one.user] = true
      assert.is_true(one.at < began + 2e6 + 1000, tostring(one.at - began)) -- the slice that it falls into
    end
    assert.same({ true, true, true, true }, users)
    assert.is_true(scenario.ended >= began + 2e6 and scenario.ended < began + 2e6 + 1300, tostring(scenario.ended - began))
    assert.near(2e6 / 300, #scenario.begun, 5)
  end)

  it("follow a ramp up and down", function()
    local scenario = scenario_of("ramping_vus", { start_vus = 0, stages = { { duration = 1, target = 10 }, { duration = 1, target = 0 } } }, 100)
    local began, at_once = start(scenario), {}
    while not scenario.ended do
      assert(fake:iterate(0), "nothing more is planned")
      at_once[#at_once + 1] = { at = (fake.now_us - began) / 1e6, users = scenario.executor.active }
    end
    local most = 0
    for _, one in ipairs(at_once) do
      local line = 10 * (one.at < 1 and one.at or math.max(0, 2 - one.at))
      assert.is_true(math.abs(line - one.users) <= 1.6, ("%d users after %.3f s, and %.1f by the ramp"):format(one.users, one.at, line))
      most = math.max(most, one.users)
    end
    assert.is_true(most >= 9 and most <= 10, most .. " users at most")
  end)

  it("begin nothing during a pause, and have as much time left as before", function()
    local scenario = scenario_of("constant_vus", { vus = 2, duration = 2 }, 100)
    local began = start(scenario)
    fake.loop.timer(0.5, function() scenario.executor:pause() end)
    fake.loop.timer(1.5, function() scenario.executor:resume() end)
    while not scenario.ended do assert(fake:iterate(0), "nothing more is planned") end
    for _, one in ipairs(scenario.begun) do
      local at = one.at - began
      assert.is_true(at <= 0.501e6 or at >= 1.5e6, tostring(at))
    end
    assert.near(3e6, scenario.ended - began, 2000)
  end)

  it("are as many as steering says, up to max_vus", function()
    local scenario = scenario_of("externally_controlled", { vus = 1, max_vus = 8, duration = 60 }, 100)
    start(scenario)
    for _, count in ipairs { 8, 3, 0 } do
      assert.is_true(scenario.executor:set_vus(count))
      scenario.begun = {}
      for _ = 1, 50 do fake:iterate(0) end
      local users = {}
      for _, one in ipairs(scenario.begun) do users[one.user] = true end
      local at_work = 0
      for _ in pairs(users) do at_work = at_work + 1 end
      assert.equal(count, at_work)
    end
    assert.same({ nil, "max_vus is 8" }, { scenario.executor:set_vus(9) })
  end)
end)

describe("users of a closed model, on the real loop,", function()
  it("share the turns of the loop when there are thousands that wait for the cluster", function()
    local load = require "wingman.load"
    local loop = require "wingman.loop"
    local run_module = require "wingman.load.run"
    local test = load.test {
      cluster = "sim://3",
      scenarios = {
        waiting = { executor = "per-vu-iterations", vus = 3000, iterations = 2, keys = { count = 10000 },
                    exec = function(vu) assert(vu:wait(vu:map "m":set(vu:key(), vu.iteration))) end },
      },
    }
    local run = run_module.new(test.options, {})
    local executor, asked = run.scenarios[1].executor, 0
    local take = executor.take
    function executor.take(...)
      asked = asked + 1
      return take(...)
    end
    assert.is_true(loop.run(function() return run:execute() end))
    local iterations = run.scenarios[1].iterations
    run:close()
    assert.equal(6000, iterations)
    -- After an iteration, after the turn that it had to let pass, at the end.
    assert.is_true(asked <= 2 * iterations + 2 * 3000, ("asked %d times for %d iterations"):format(asked, iterations))
  end)
end)
