--- When a chunk is whole: the parser says so.
local reader = require "wingman.repl.reader"

-- The states that lines lead to.
local function states(...)
  local r, list = reader.new(), {}
  for i, line in ipairs { ... } do list[i] = r:add(line) end
  return list
end

describe("the reader", function()
  it("wants more until a chunk is whole", function()
    assert.same({ "chunk" }, states "x = 1")
    assert.same({ "more", "more", "chunk" }, states("for i = 1, 2 do", "print(i)", "end"))
    assert.same({ "more", "chunk" }, states("x = {", "1 }"))
    assert.same({ "more", "chunk" }, states("{", "1 }"))
    assert.same({ "more", "chunk" }, states("f(1,", "2)"))
    assert.same({ "more", "more", "chunk" }, states("s = [[", "text do", "]]"))
    assert.same({ "more", "chunk" }, states("1 +", "2"))
    assert.same({ "more", "more", "more", "chunk" }, states("function f()", "", "return 1", "end"))
  end)

  it("tells an error at once", function()
    assert.same({ "error" }, states "x = = 1")
    assert.same({ "error" }, states 'x = "no end')
    assert.same({ "more", "error" }, states("for i = 1, 2 do", "end end"))
    assert.same({ "error", "chunk" }, states("this is no Lua", "1"))
  end)

  it("has nothing to do for an empty line, and for a comment", function()
    assert.same({ "nothing", "nothing", "chunk" }, states("", "   ", "-- words"))
  end)

  it("makes expressions return their values", function()
    local _, chunk = reader.new():add "1, nil, 3"
    assert.same({ n = 3, 1, nil, 3 }, (function(...) return { n = select("#", ...), ... } end)(chunk()))
    _, chunk = reader.new():add "= 5"
    assert.equal(5, chunk())
  end)

  it("abandons a chunk with the parser's words", function()
    local r = reader.new()
    assert.is_nil(r:abandon())
    r:add "if x then"
    assert.is_true(r:is_open())
    assert.truthy(r:abandon():find("'end' expected", 1, true))
    assert.is_false(r:is_open())
  end)
end)
