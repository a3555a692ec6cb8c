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
end)
