--- The open models on a clock that the spec turns, so that how late the loop is, is known.
local fake_loop = require "spec.support.fake_loop"

describe("an open model", function()
  local fake

  before_each(function() fake = fake_loop.install() end)
  after_each(function() fake:remove() end)

  -- A scenario of one user that works for `work_us` and never waits.
  local function scenario_of(options, work_us)
    local scenario = { options = options, users = {}, begun = {}, dropped = 0, drops = {} }
    scenario.run = { share = function(n) return n end, shard = { index = 0, count = 1 }, saw_loop_lateness = function() end, waiting_for_log = 0 }
    function scenario:new_user()
      local vu = { sleeping = false }
      vu.task = { serve = function()
        while true do
          local planned = self.executor:take(vu, fake.now_us)
          if not planned then break end
          self.begun[#self.begun + 1] = { planned = planned, at = fake.now_us }
          fake.now_us = fake.now_us + work_us
        end
        self.executor:idle(vu)
      end }
      self.users[#self.users + 1] = vu
      return vu
    end
    function scenario:drop(count, cause)
      self.dropped = self.dropped + count
      self.drops[cause] = (self.drops[cause] or 0) + count
    end
    function scenario:stop()
      self.ended = fake.now_us
      self.executor:stop()
    end
    scenario.executor = require "wingman.load.executor.arrivals".new(scenario, function()
      return { { seconds = options.duration, from = options.rate, to = options.rate } }
    end)
    return scenario
  end

  local function run(scenario, late_us)
    local start = fake.now_us
    scenario.executor:start(start)
    while not scenario.ended do assert(fake:iterate(late_us), "nothing more is planned") end
    return start
  end

  it("begins what is due at the very end, with no time of grace, too", function()
    for _, late_us in ipairs { 0, 300, 99000 } do
      local scenario = scenario_of({ rate = 5000, duration = 0.5, graceful_stop = 0 }, 1)
      run(scenario, late_us)
      assert.same({ 2500, 0 }, { #scenario.begun, scenario.dropped }, late_us .. " us late")
    end
  end)

  it("begins nothing after graceful_stop or a second, however late it is, and drops the rest as the generator's", function()
    for _, grace in ipairs { 0, 0.5, 30 } do
      local scenario = scenario_of({ rate = 2e5, duration = 1, graceful_stop = grace }, 20) -- 50,000 a second are possible
      local start = run(scenario, 0)
      local last = scenario.begun[#scenario.begun]
      local allowed = 1e6 + math.max(math.min(grace * 1e6, 1e6), 100000)
      assert.is_true(last.at < start + allowed and scenario.ended <= start + allowed + 1000, tostring(last.at - start))
      assert.equal(2e5, #scenario.begun + scenario.dropped)
      assert.same({ generator = scenario.dropped }, scenario.drops)
      assert.is_true(scenario.dropped > 20000)
    end
  end)

  it("does not count the time of a pause, and takes a new rate during one", function()
    local scenario = scenario_of({ rate = 100, duration = 2, graceful_stop = 0 }, 1)
    local start, steps = fake.now_us, {
      { at = 0.5, act = function(executor) executor:pause() end },
      { at = 1.5, act = function(executor) executor:set_rate(1000) end },
      { at = 2.0, act = function(executor)
        assert.equal(1000, executor:target())
        executor:resume()
      end },
    }
    for _, step in ipairs(steps) do fake.loop.timer(step.at, function() step.act(scenario.executor) end) end
    run(scenario, 0)
    assert.near(50 + 1500, #scenario.begun, 1)
    assert.near(3.5e6, scenario.ended - start, 1000)
    for _, one in ipairs(scenario.begun) do
      assert.is_true(one.at - start <= 500001 or one.at - start >= 2e6, tostring(one.at - start))
    end
  end)

  it("says what arrivals are dropped for: users that sleep, that wait for the cluster, for the log", function()
    for cause, given in pairs { users = { sleeping = true, room = 0 }, cluster = { sleeping = false, room = 0 }, log = { sleeping = false, room = 1 } } do
      local scenario = scenario_of({ rate = 100, duration = 1, graceful_stop = 0, max_vus = 1 }, 1)
      local make = scenario.new_user
      function scenario:new_user() -- its first iteration never ends
        local vu = make(self)
        vu.sleeping = given.sleeping
        vu.task.serve = function() self.begun[1] = self.begun[1] or self.executor:take(vu, fake.now_us) end
        return vu
      end
      scenario.run.waiting_for_log = given.room
      run(scenario, 0)
      assert.same({ [cause] = 99 }, scenario.drops)
    end
  end)
end)

describe("ramping-vus", function()
  it("has as many users as the line between its stages says", function()
    local ramping = require "wingman.load.executor.ramping_vus"
    local scenario = { run = {}, options = { start_vus = 2, stages = { { duration = 10, target = 12 }, { duration = 0, target = 20 },
      { duration = 5, target = 0 } } } }
    local executor = ramping.new(scenario)
    executor.start_us = 5e6
    for seconds, users in pairs { [0] = 2, [5] = 7, [9.9] = 11.9, [10] = 20, [12.5] = 10, [15] = 0, [100] = 0 } do
      assert.near(users, executor:target_at(5e6 + seconds * 1e6), 1e-9, seconds .. " s")
    end
    assert.equal(20, ramping.users(scenario.options))
  end)
end)
