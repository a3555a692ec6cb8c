local emitter = require "wingman.base.emitter"

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

  it("hands errors to who asked for them, and does not raise then", function()
    local failed, called = {}, 0
    local e = emitter.new { failed = function(event, err) failed[#failed + 1] = event .. ": " .. err:match "[^\n]+" end }
    e:on("x", function() error("first", 0) end)
    e:on("x", function() error("second", 0) end)
    e:on("x", function() called = called + 1 end)
    e:emit "x"
    assert.same({ "x: first", "x: second" }, failed)
    assert.equal(1, called)
  end)

  it("refuses events that do not exist, and names what is near and what there is", function()
    local e = emitter.new { names = { opened = true, closed = true } }
    assert.error_matches(function() e:on("opend", print) end, "on: there is no event 'opend'; did you mean 'opened'%?; the events are closed, opened")
    assert.error_matches(function() e:on("start", print) end, "on: there is no event 'start'; the events are closed, opened")
    assert.error_matches(function() e:off("clsoed", print) end, "off: there is no event 'clsoed'; did you mean 'closed'%?")
    assert.error_matches(function() e:on(nil, print) end, "there is no event 'nil'")
    e:on("closed", print)
  end)

  it("refuses a listener that is no function", function()
    assert.error_matches(function() emitter.new():on("x", 1) end, "a function is expected, got number")
  end)
end)
