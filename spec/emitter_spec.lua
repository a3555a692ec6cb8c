local emitter = require "wingman.emitter"

describe("emitter", function()
  it("calls listeners in order, with every argument", function()
    local e, seen = emitter.new(), {}
    e:on("x", function(a, b) seen[#seen + 1] = { 1, a, b } end)
    e:on("x", function(a, b) seen[#seen + 1] = { 2, a, b } end)
    e:emit("x", nil, "b")
    e:emit("y", 1)
    assert.same({ { 1, nil, "b" }, { 2, nil, "b" } }, seen)
  end)

  it("lets a listener leave while it is called", function()
    local e, calls = emitter.new(), 0
    local function once()
      calls = calls + 1
      e:off("x", once)
    end
    e:on("x", once)
    e:on("x", function() calls = calls + 10 end)
    e:emit "x"
    e:emit "x"
    assert.equal(21, calls)
    assert.is_true(e:has "x")
  end)

  it("calls the others when one raises, and then raises", function()
    local e, called = emitter.new(), false
    e:on("x", function() error "first" end)
    e:on("x", function() called = true end)
    assert.error_matches(function() e:emit "x" end, "first")
    assert.is_true(called)
  end)

  it("refuses a listener that is no function", function()
    assert.error_matches(function() emitter.new():on("x", 1) end, "a function is expected, got number")
  end)
end)
