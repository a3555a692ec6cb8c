local circuit = require "wingman.policy.circuit"

local function breaker(options) return circuit.consecutive(options) { url = "ws://x" } end

describe("circuit policy", function()
  it("opens after so many failures in a row, and turns half open after its time", function()
    local b = breaker { failures = 3, first = 10, reset = 10 }
    b:failure("lost", 100)
    b:failure("refused", 101)
    assert.equal("closed", b:state(101))
    assert.is_nil(b:due(101))
    b:failure("lost", 102)
    assert.equal("open", b:state(102))
    assert.equal(10, b:due(102))
    assert.equal("open", b:state(111.9))
    assert.equal("half_open", b:state(112))
    b:failure("lost", 113) -- the trial failed: as long again
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

  it("opens after five failures by default, for 1 s, then for twice as long each time up to 30 s", function()
    local b = breaker()
    for i = 1, 4 do b:failure("lost", i / 10) end
    assert.equal("closed", b:state(0.4))
    local now = 0.5
    for _, seconds in ipairs { 1, 2, 4, 8, 16, 30, 30 } do
      b:failure("lost", now)
      assert.near(seconds, b:due(now), 1e-9)
      assert.equal("open", b:state(now + seconds - 0.01))
      assert.equal("half_open", b:state(now + seconds))
      now = now + seconds
    end
  end)

  local function open_again(b, now)
    for i = 1, 5 do b:failure("lost", now + i / 100) end
    return b:due(now + 0.05)
  end

  it("remembers how long it was open until the node has done well for 30 s", function()
    local b = breaker()
    assert.near(1, open_again(b, 0), 1e-9)
    b:success(1.1)
    assert.near(2, open_again(b, 2), 1e-9)
    b:success(5)
    b:success(20)
    assert.near(4, open_again(b, 34), 1e-9)
    b:connected(39)
    b:success(40)
    assert.near(1, open_again(b, 71), 1e-9)
  end)

  it("is not open for longer because of failures while it is", function()
    local b = breaker { failures = 1, first = 1, reset = 8 }
    for i = 0, 9 do b:failure("connect", i / 10) end
    assert.near(1, b:due(0.9), 1e-9)
    assert.equal("half_open", b:state(1.91))
  end)

  it("says which option is none", function()
    assert.error_matches(function() circuit.consecutive { failurs = 5 } end, "unknown option 'failurs'")
    assert.error_matches(function() circuit.consecutive { reset = "soon" } end, "reset: a duration is expected .*, got 'soon'")
    assert.error_matches(function() circuit.consecutive { first = 0 } end, "circuit: option first: a duration from 0.001ms")
  end)

  it("lets a connection make up for those that did not come about, and not for those that broke", function()
    local b = breaker { failures = 3, first = 10, reset = 10 }
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
