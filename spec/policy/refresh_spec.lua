local refresh = require "wingman.policy.refresh"

describe("refresh policy backoff", function()
  it("doubles from half a second to 30 s", function()
    local policy, waits = refresh.backoff(), {}
    for requests = 1, 9 do waits[requests] = policy(requests) end
    assert.same({ 0.5, 1, 2, 4, 8, 16, 30, 30, 30 }, waits)
  end)

  it("takes other numbers", function()
    local policy = refresh.backoff { first = 0.1, factor = 3, max = 0.5 }
    assert.near(0.1, policy(1), 1e-9)
    assert.near(0.3, policy(2), 1e-9)
    assert.near(0.5, policy(3), 1e-9)
  end)
end)
