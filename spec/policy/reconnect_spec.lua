local reconnect = require "wingman.policy.reconnect"

describe("reconnect policy exponential", function()
  it("replaces a connection at once that was ended for a batch without an answer", function()
    local policy = reconnect.exponential { jitter = 0 }
    assert.same({ 0, 2, 1 }, { policy({}, 1, "ack_timeout"), policy({}, 2, "ack_timeout"), policy({}, 1, "lost") })
  end)

  it("doubles from 1 s up to 30 s, with jitter downwards, ten times", function()
    local policy = reconnect.exponential()
    local longest = { 1, 2, 4, 8, 16, 30, 30, 30, 30, 30 }
    for _ = 1, 50 do
      for attempt, most in ipairs(longest) do
        local delay = policy({}, attempt, "closed")
        assert.is_true(delay <= most and delay >= most / 2, attempt .. ": " .. delay)
      end
    end
    assert.is_nil(policy({}, 11, "closed"))
  end)

  it("spreads the delays", function()
    local policy, seen, different = reconnect.exponential(), {}, 0
    for _ = 1, 20 do
      local delay = policy({}, 1, "closed")
      if not seen[delay] then different = different + 1 end
      seen[delay] = true
    end
    assert.is_true(different > 10)
  end)

  it("takes other numbers", function()
    local policy = reconnect.exponential { first = 0.1, factor = 3, max = 0.5, attempts = 3, jitter = 0 }
    assert.near(0.1, policy({}, 1), 1e-9)
    assert.near(0.3, policy({}, 2), 1e-9)
    assert.near(0.5, policy({}, 3), 1e-9)
    assert.is_nil(policy({}, 4))
  end)

  it("never does not", function() assert.is_nil(reconnect.never({}, 1)) end)
end)
