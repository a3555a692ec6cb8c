--- How values look: Lua that can be pasted, aligned, cut, and harmless at a terminal.
local core = require "wingman.core"
local escape = require "wingman.base.escape"
local printer = require "wingman.text.printer"
local wingman = require "wingman"

local function format(value, width)
  return printer.new({ width = function() return width or 80 end }):format(value)
end

-- What a printed value is when it is pasted.
local function pasted(text)
  return setfenv(assert(loadstring("return " .. text)), { wingman = wingman, math = math })()
end

describe("printed values", function()
  it("are the same when they are pasted", function()
    local values = {
      0, -0, 1, -17, 0.1, 1 / 3, 1e300, -1e-300, 2 ^ 53 - 1, 2 ^ 63, math.huge, -math.huge, true, false,
      "", "plain", 'a "quoted" \\ one', "line\nend\ttab\0zero\0019", "žluťoučký 猫", "\255\254", "\27[31m",
      {}, { 1, 2, 3 }, { x = 1, y = { z = "a" } }, { ["end"] = 1, ["a b"] = 2, [3] = 3, [true] = 4 }, { 1, nil, 3 },
      { { name = "ann", x = 1 }, { name = "bob", x = 22.5 } },
    }
    for _, value in ipairs(values) do
      for _, width in ipairs { 20, 80 } do assert.same(value, pasted(format(value, width))) end
    end
    assert.equal("0/0", format(0 / 0))
    assert.equal("-0", format(-0.0))
    assert.equal(core.null, pasted(format(core.null)))
    assert.equal("9007199254740993ULL", format(9007199254740993ULL))
  end)

  it("are the same when they are pasted, whatever they are (random values)", function()
    local seed = tonumber(os.getenv "WINGMAN_SEED") or os.time()
    math.randomseed(seed)
    local function any(depth)
      local kind = math.random(depth > 0 and 5 or 3)
      if kind == 1 then return math.random() < 0.5 and math.random(-1000, 1000) or math.random() * 10 ^ math.random(-20, 20) end
      if kind == 2 then
        local bytes = {}
        for i = 1, math.random(0, 12) do bytes[i] = string.char(math.random(0, 255)) end
        return table.concat(bytes)
      end
      if kind == 3 then return math.random() < 0.5 end
      local t = {}
      for i = 1, math.random(0, 6) do
        if kind == 4 then t[i] = any(depth - 1) else t[any(0)] = any(depth - 1) end
      end
      return t
    end
    for _ = 1, 500 do
      local value = any(4)
      local text = format(value, math.random(20, 120))
      local ok, result = pcall(pasted, text)
      assert(ok, ("seed %d: %s\n%s"):format(seed, tostring(result), text))
      assert.same(value, result, "seed " .. seed)
    end
  end)

  it("are aligned in columns where records are alike", function()
    assert.equal([[
{
  ann     = { name = "Ann Smith", x =  1 },
  barbara = { name = "Barbara",   x = 22 },
}]], format({ ann = { name = "Ann Smith", x = 1 }, barbara = { name = "Barbara", x = 22 } }, 60))
  end)

  it("have their keys in the order of their numbers", function()
    local text = format({ ["player-10"] = 1, ["player-9"] = 2, ["player-100"] = 3 })
    assert.equal('{ ["player-9"] = 2, ["player-10"] = 1, ["player-100"] = 3 }', text)
  end)

  it("fit into the width, where they can", function()
    local value = {}
    for i = 1, 30 do value["key" .. i] = { a = i, b = { "x", "y", i } } end
    for _, width in ipairs { 40, 60, 100 } do
      for line in format(value, width):gmatch "[^\n]+" do assert.is_true(escape.width(line) <= width, line) end
    end
  end)

  it("are cut with a count", function()
    local long = {}
    for i = 1, 5010 do long[i] = i * 1000 end
    assert.truthy(format(long):find("-- 4,910 more\n}", 1, true))
    assert.same({ 1000, 2000 }, { unpack(pasted(format(long)), 1, 2) })
    local text = format(("a"):rep(7000))
    assert.truthy(text:find("--[[ 5,000 bytes more ]]", 1, true))
    assert.is_true(#text < 2100)
    local deep = {}
    local inner = deep
    for _ = 1, 50 do
      inner.t = {}
      inner = inner.t
    end
    assert.truthy(format(deep):find("deeper", 1, true))
  end)

  it("end where a table is inside itself", function()
    local t = { name = "t" }
    t.self = t
    t.list = { 1, { back = t } }
    local text = format(t)
    assert.truthy(text:find("nil --[[ the table of _ ]]", 1, true))
    assert.equal("t", pasted(text).name)
    local shared = { 1 }
    assert.equal("{ { 1 }, { 1 } }", format { shared, shared })
  end)

  it("say in a few words what is no data", function()
    assert.equal("<function, built in>", format(print))
    assert.truthy(format(function() end):match "^<function .*printer_spec.lua:%d+>$")
    local err = require("wingman.base.error").new("TIMEOUT", "it took long")
    assert.equal("TIMEOUT: it took long", format(err))
    assert.equal("<an object whose __tostring fails>", format(setmetatable({}, { __tostring = function() error "no" end })))
  end)

  it("cannot touch the terminal", function()
    -- ESC, CSI as C1 in UTF-8 and alone, BEL, a text turned around, an overlong form
    for _, bad in ipairs { "\27[2J", "\194\155", "\155", "\7", "\226\128\174", "\192\155", "\127" } do
      for _, shown in ipairs { format(bad), format { [bad] = bad }, escape.plain(bad), format(("x"):rep(10) .. bad) } do
        assert.is_nil(shown:find "[%z\1-\9\11-\31\127]", shown)
        assert.is_nil(shown:find(bad, 1, true), shown)
      end
    end
    assert.equal("a b猫", escape.plain "a\nb猫")
  end)

  it("are coloured only where that is wanted", function()
    local coloured = printer.new { colour = true, width = function() return 60 end }
    local value = { a = "x", b = { 1, true } }
    assert.truthy(coloured:format(value):find("\27[32m", 1, true))
    assert.equal(format(value, 60), (coloured:format(value):gsub("\27%[%d*m", "")))
  end)
end)
