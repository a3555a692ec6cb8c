local loop = require "wingman.loop"

describe("loop", function()
  it("runs timers in the order of their due times, and cancels them", function()
    local order = {}
    for _, ms in ipairs { 30, 10, 20 } do
      loop.timer(ms / 1000, function() order[#order + 1] = ms end)
    end
    local cancelled = loop.timer(0.015, function() order[#order + 1] = "cancelled" end)
    cancelled:cancel()
    cancelled:cancel()
    assert(loop.wait_until(function() return #order == 3 end, 2))
    assert.same({ 10, 20, 30 }, order)
    assert.equal(0, loop.timer_count())
  end)

  it("keeps the heap of timers in order, whatever is added and cancelled", function()
    local seed = os.time()
    math.randomseed(seed)
    local due, fired, timers = {}, {}, {}
    for i = 1, 300 do
      local seconds = math.random(0, 40) / 1000
      timers[i] = loop.timer(seconds, function() fired[#fired + 1] = timers[i].due end)
    end
    local left = 300
    for i = 1, 300 do
      if math.random() < 0.4 then
        timers[i]:cancel()
        left = left - 1
      else
        due[#due + 1] = timers[i].due
      end
    end
    table.sort(due)
    assert(loop.wait_until(function() return #fired == left end, 3), "seed " .. seed)
    assert.same(due, fired, "seed " .. seed)
  end)

  it("waits outside a task by pumping, inside by yielding", function()
    local begun, other = loop.now(), false
    loop.spawn(function() other = true end)
    loop.sleep(0.02)
    assert.is_true(other)
    assert.is_true(loop.now() - begun >= 0.02)
    local order = {}
    loop.spawn(function()
      loop.sleep(0.02)
      order[#order + 1] = "slow"
    end)
    loop.spawn(function()
      loop.sleep(0.01)
      order[#order + 1] = "fast"
    end)
    assert(loop.wait_until(function() return #order == 2 end, 1))
    assert.same({ "fast", "slow" }, order)
  end)

  it("settles a future once, and wakes everybody who waits for it", function()
    local future, got = loop.future(), {}
    for i = 1, 3 do
      loop.spawn(function() got[i] = { future:wait() } end)
    end
    loop.turn(0)
    future:resolve("a", "b")
    future:resolve "late"
    future:reject "later"
    assert(loop.wait_until(function() return #got == 3 end, 1))
    assert.same({ { "a", "b" }, { "a", "b" }, { "a", "b" } }, got)
    assert.equal("a", (future:wait()))
  end)

  it("gives nil and the reason for a rejected future, nil and timeout for a late one", function()
    local future = loop.future()
    local value, reason = future:wait(0.01)
    assert.is_nil(value)
    assert.equal("timeout", reason)
    future:reject "broken"
    value, reason = future:wait(0.01)
    assert.is_nil(value)
    assert.equal("broken", reason)
    assert.equal(0, loop.timer_count())
  end)

  it("reports an error of a task that nobody waits for, with its place", function()
    local heard
    loop.on_error(function(message) heard = message end)
    loop.spawn(function() error "lost in a task" end)
    loop.turn(0)
    loop.on_error(nil)
    assert.truthy(heard:find("lost in a task", 1, true))
    assert.truthy(heard:find("loop_spec", 1, true))
  end)

  it("steps within a budget and carries the rest over", function()
    local ran = 0
    for _ = 1, 1000 do
      loop.spawn(function()
        ran = ran + 1
        local t = loop.now()
        while loop.now() - t < 20e-6 do end
      end)
    end
    local begun = loop.now()
    loop.step(1000)
    assert.is_true(loop.now() - begun < 0.01)
    assert.is_true(ran > 0 and ran < 1000)
    assert(loop.wait_until(function() return ran == 1000 end, 2))
  end)
end)
