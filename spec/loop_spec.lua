local eventually = require "spec.support.eventually"
local real_loop = require "wingman.loop"
local virtual_time = require "spec.support.virtual_time"

describe("loop", function()
  -- On a clock that moves only when the loop waits.
  local time, loop
  before_each(function()
    time = virtual_time.new()
    loop = time.loop
  end)

  it("refuses a time that is no number, which would hide all other timers", function()
    assert.has_error(function() loop.timer(0 / 0, function() end) end)
    assert.has_error(function() loop.future():wait(0 / 0) end)
    assert.equal(0, loop.timer_count())
  end)

  it("runs timers in the order of their due times, and cancels them", function()
    local order = {}
    for _, ms in ipairs { 30, 10, 20 } do
      loop.timer(ms / 1000, function() order[#order + 1] = ms end)
    end
    local cancelled = loop.timer(0.015, function() order[#order + 1] = "cancelled" end)
    cancelled:cancel()
    cancelled:cancel()
    loop.sleep(0.03)
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
    loop.sleep(0.04)
    assert.equal(left, #fired, "seed " .. seed)
    assert.same(due, fired, "seed " .. seed)
  end)

  it("waits outside a task by pumping, inside by yielding", function()
    local begun, other = loop.now(), false
    loop.spawn(function() other = true end)
    loop.sleep(0.02)
    assert.is_true(other)
    assert.near(0.02, loop.now() - begun, 1e-6)
    local order = {}
    loop.spawn(function()
      loop.sleep(0.02)
      order[#order + 1] = "slow"
    end)
    loop.spawn(function()
      loop.sleep(0.01)
      order[#order + 1] = "fast"
    end)
    loop.sleep(0.02)
    assert.same({ "fast", "slow" }, order)
  end)

  it("waits by the clock of the machine, and not for less than was asked for", function()
    local begun, ran = real_loop.now(), nil
    real_loop.timer(0.02, function() ran = real_loop.now() end)
    eventually("the timer runs", function() return ran end)
    assert.is_true(ran - begun >= 0.02, "it ran after " .. ran - begun)
  end)

  it("refuses at once, at the caller's line, to spawn what is no function", function()
    for _, wrong in ipairs { "x", {}, 5, false } do
      local ok, err = pcall(function() local _ = loop.spawn(wrong) end)
      assert.is_false(ok, type(wrong) .. " was taken")
      assert.truthy(err:find("loop_spec.lua:%d+: spawn: a function is expected, got " .. type(wrong)), err)
    end
  end)

  it("settles a future once, and wakes everybody who waits for it", function()
    local future, got = loop.future(), {}
    for i = 1, 3 do
      loop.spawn(function() got[i] = { future:wait() } end)
    end
    loop.iterate(0)
    future:resolve("a", "b")
    future:resolve "late"
    future:reject "later"
    loop.iterate(0)
    assert.same({ { "a", "b" }, { "a", "b" }, { "a", "b" } }, got)
    assert.equal("a", (future:wait()))
  end)

  it("hands on values and arguments as they were: none, nil, false, many", function()
    local function pack(...) return { n = select("#", ...), ... } end
    for _, values in ipairs { pack(), pack(nil), pack(false), pack(1, nil), pack(false, 2), pack(nil, nil, 3), pack(1, false, nil, nil) } do
      local future, got, heard = loop.future(), nil, nil
      loop.spawn(function() got = pack(future:wait()) end)
      loop.spawn(function() heard = pack(future:wait(60)) end)
      loop.iterate(0)
      assert.is_true(future:resolve(unpack(values, 1, values.n)))
      assert.is_false(future:resolve "late")
      assert.is_false((future:reject "late"))
      loop.iterate(0)
      assert.same({ values, values, values }, { got, heard, pack(future:wait()) })
    end
    for _, pair in ipairs { { n = 2, false, nil }, { n = 2, nil, false }, { n = 2, 1, "a" }, { n = 2 } } do
      local got
      loop.soon(function(...) got = pack(select(1, ...), select(2, ...)) end, pair[1], pair[2])
      loop.iterate(0)
      assert.same({ pair[1], pair[2] }, { got[1], got[2] })
    end
    assert.equal(0, loop.timer_count())
  end)

  it("runs what is made ready in turn, and keeps no more than is left, when there is always more", function()
    local ran, order_kept = 0, true
    local function again(i)
      order_kept = order_kept and i == ran
      ran = ran + 1
      if ran < 300000 then loop.soon(again, ran + 2) end
    end
    for i = 0, 2 do loop.soon(again, i) end -- so the queue is never empty
    local function turn_until(count)
      for _ = 1, 200000 do
        if ran >= count then return end
        loop.iterate(0)
      end
    end
    turn_until(3)
    collectgarbage()
    local before = collectgarbage "count"
    turn_until(250000)
    collectgarbage()
    assert.is_true(collectgarbage "count" - before < 200, "KiB more")
    turn_until(300002)
    assert.equal(300002, ran)
    assert.is_true(order_kept)
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
    local task = loop.spawn(function() error "lost in a task" end)
    loop.iterate(0)
    loop.on_error(nil)
    assert.truthy(heard:find("lost in a task", 1, true))
    assert.truthy(heard:find("loop_spec", 1, true))
    local value, err = task:wait(60)
    assert.same({ nil, heard }, { value, err }, "a later wait does not get the error")
  end)

  it("steps within a budget and carries the rest over", function()
    local ran = 0
    for _ = 1, 1000 do
      loop.spawn(function()
        ran = ran + 1
        time:pass(2 ^ -16) -- 15.3 us
      end)
    end
    assert.is_false(loop.step(1000))
    assert.equal(33, ran) -- half of the budget
    for _ = 2, 31 do loop.step(1000) end
    assert.equal(1000, ran)
    assert.is_true(loop.step(1000))
  end)
end)
