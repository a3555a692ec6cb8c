local connection_state = require "wingman.cluster.connection_state"

describe("connection state", function()
  it("tells changes, with reason and history, and only changes", function()
    local heard = {}
    local state = connection_state.new(function(to, from, reason) heard[#heard + 1] = { to, from, reason } end)
    assert.equal("DISCONNECTED", state.current)
    state:set "CONNECTING"
    state:set "CONNECTING"
    state:set("ERROR", "refused")
    assert.same({ { "CONNECTING", "DISCONNECTED", nil }, { "ERROR", "CONNECTING", "refused" } }, heard)
    assert.equal(2, #state.history)
    assert.equal("refused", state.history[2].reason)
    assert.is_true(state.history[2].at >= state.history[1].at)
  end)

  it("keeps a bounded history", function()
    local state = connection_state.new()
    for i = 1, 300 do state:set(i % 2 == 0 and "CONNECTED" or "BACKOFF") end
    assert.equal(100, #state.history)
    assert.equal("CONNECTED", state.history[100].to)
  end)

  it("refuses a state that there is not", function()
    assert.has_error(function() connection_state.new():set "CONFUSED" end)
  end)
end)
