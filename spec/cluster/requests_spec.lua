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
end)
