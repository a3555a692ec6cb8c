--- Waiting for answers: what is asked when there is nobody to ask any more.
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"
local requests = require "wingman.cluster.requests"

describe("requests", function()
  local function nothing() return false end

  it("say that the connection is lost when nothing can be sent on it", function()
    local r = requests.new { send = function() return nil, "invalid" end }
    assert.same({ nil, "connection lost" }, { r:request(0, { type = "X" }, nothing, 1) })
  end)

  it("end every wait, and begin none after their end", function()
    local sent = 0
    local r = requests.new { send = function()
      sent = sent + 1
      return true
    end }
    local waiting = loop.spawn(function() return r:request(0, { type = "X" }, nothing, 5) end)
    eventually("the message is sent", function() return sent == 1, sent end)
    r:close()
    assert.same({ nil, "closed" }, { waiting:wait(1) })
    assert.same({ nil, "closed" }, { r:request(0, { type = "X" }, nothing, 1) })
    assert.equal(1, sent)
  end)

  it("end the waits of one owner when it cancels them", function()
    local r = requests.new { send = function() return true end }
    local function wait_as(owner) return loop.spawn(function() return r:request(0, { type = "X" }, nothing, 60, owner) end) end
    local mine, others = { wait_as "me", wait_as "me" }, wait_as "another"
    eventually("three wait", function()
      local count = 0
      for _ in pairs(r.waiting) do count = count + 1 end
      return count == 3, count
    end)
    r:cancel("me", "moved")
    for _, task in ipairs(mine) do assert.same({ nil, "moved" }, { task:wait(60) }) end
    assert.is_false(others.done)
    r:close()
    assert.same({ nil, "closed" }, { others:wait(60) })
  end)

  describe("that are alike", function()
    local r

    before_each(function() r = requests.new { send = function() return true end } end)
    after_each(function() r:close() end)

    local function about(what) return function(message) return message.about == what end end
    local function ask(what, timeout, connection_id, owner)
      return loop.spawn(function() return r:request(connection_id or 0, { type = "X" }, about(what), timeout or 60, owner) end)
    end
    local function answer(what, n, connection_id) return r:offer(connection_id or 0, { about = what, n = n }) end
    local function n_of(task) return assert(task:wait(60)).n end

    it("get their answers in the order in which they were asked", function()
      local tasks = {}
      for i = 1, 20 do tasks[i] = ask "a" end
      loop.sleep(0)
      for i = 1, 20 do assert.is_true(answer("a", i)) end
      for i, task in ipairs(tasks) do assert.equal(i, n_of(task)) end
    end)

    it("do not get the late answer to one that was given up", function()
      assert.same({ nil, "timeout" }, { ask("a", 0):wait(60) })
      local cancelled, second, other, elsewhere = ask("a", 60, 0, "owner"), ask "a", ask "b", ask("a", 60, 1)
      loop.sleep(0)
      r:cancel("owner", "moved")
      assert.same({ nil, "moved" }, { cancelled:wait(60) })
      assert.same({ true, true, true, true }, { answer("b", 1), answer("a", 1, 1), answer("a", 1), answer("a", 2) })
      assert.same({ 1, 1 }, { n_of(other), n_of(elsewhere) })
      assert.is_false(second.done)
      assert.is_true(answer("a", 3))
      assert.equal(3, n_of(second))
      assert.is_false(answer("a", 4))
    end)

    it("lose one answer at most to one that is never answered", function()
      assert.same({ nil, "timeout" }, { ask("a", 0):wait(60) })
      local second = ask("a", 0.05)
      loop.sleep(0)
      assert.is_true(answer("a", 1))
      assert.same({ nil, "timeout" }, { second:wait(60) })
      local third = ask "a"
      loop.sleep(0)
      assert.is_true(answer("a", 2))
      assert.equal(2, n_of(third))
    end)

    it("begin anew with the connection", function()
      assert.same({ nil, "timeout" }, { ask("a", 0):wait(60) })
      r:connection_lost(0)
      local second = ask "a"
      loop.sleep(0)
      assert.is_true(answer("a", 1))
      assert.equal(1, n_of(second))
    end)

    it("that were given up are remembered within a bound", function()
      for _ = 1, 1000 do ask("a", 0):wait(60) end
      assert.is_true(#r.given_up[0] <= 256)
    end)
  end)
end)
