local circuit = require "wingman.policy.circuit"

local function breaker(options) return circuit.consecutive(options) { url = "ws://x" } end

describe("circuit policy", function()
  it("opens after so many failures in a row, and turns half open after its time", function()
    local b = breaker { failures = 3, reset = 10 }
    b:failure("lost", 100)
    b:failure("refused", 101)
    assert.equal("closed", b:state(101))
    assert.is_nil(b:due(101))
    b:failure("lost", 102)
    assert.equal("open", b:state(102))
    assert.equal(10, b:due(102))
    assert.equal("open", b:state(111.9))
    assert.equal("half_open", b:state(112))
    b:failure("lost", 113) -- the probe failed: as long again
    assert.equal("open", b:state(122.9))
    assert.equal("half_open", b:state(123))
    b:success(123)
    assert.equal("closed", b:state(123))
  end)

  it("counts anew after a success", function()
    local b = breaker { failures = 2 }
    b:failure("lost", 1)
    b:success(2)
    b:failure("lost", 3)
    assert.equal("closed", b:state(3))
  end)

  it("has the reference's defaults", function()
    local b = breaker()
    for i = 1, 4 do b:failure("lost", i) end
    assert.equal("closed", b:state(4))
    b:failure("lost", 5)
    assert.equal("open", b:state(34.9))
    assert.equal("half_open", b:state(35))
  end)

  it("lets a connection make up for those that did not come about, and not for those that broke", function()
    local b = breaker { failures = 3, reset = 10 }
    b:failure("lost", 1)
    for i = 2, 9 do b:failure("connect", i) end
    assert.equal("open", b:state(9))
    b:connected(9)
    assert.equal("closed", b:state(9))
    b:failure("lost", 10)
    b:connected(10)
    b:failure("lost", 11)
    b:connected(11)
    assert.equal("open", b:state(11))
  end)

  it("opens for one batch that nobody answers", function()
    local b = breaker { failures = 5, reset = 10 }
    b:failure("unanswered", 1)
    assert.equal("open", b:state(1))
    b:connected(2)
    assert.equal("closed", b:state(2))
  end)

  it("never opens when told so", function()
    local b = circuit.never {}
    for i = 1, 100 do b:failure("lost", i) end
    assert.equal("closed", b:state(100))
    assert.is_nil(b:due(100))
  end)
end)
