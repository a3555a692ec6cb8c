--- The rows of a query, for people and by key.
local core = require "wingman.core"
local rows = require "wingman.client.query.rows"
local wingman = require "wingman"

describe("rows", function()
  local function text(list) return tostring(rows.of(list)) end

  it("show a column for each field", function()
    assert.equal("key   n  team\nann  12  red\nbob      a\\027b", text {
      { key = "ann", value = { n = 12, team = "red" } }, { key = "bob", value = { team = "a\27b" } },
    })
  end)

  it("show the values in one column when these are no records, or have too many fields", function()
    assert.equal('key  value\na    false\nb    { n = 1 }', text { { key = "a", value = false }, { key = "b", value = { n = 1 } } })
    local wide = {}
    for i = 1, 9 do wide["f" .. i] = i end
    assert.truthy(text({ { key = "a", value = wide } }):find("^key  value\na    { f1 = 1, "))
    assert.equal("no rows", text {})
  end)

  it("show 50 at most, and none wider than the terminal", function()
    local list = {}
    for i = 1, 60 do list[i] = { key = ("k"):rep(100) .. i, value = core.null } end
    local shown = text(list)
    assert.truthy(shown:find("\n10 more$"), shown)
    assert.equal(51, select(2, shown:gsub("\n", "\n")))
    for line in shown:gmatch "[^\n]+" do assert.is_true(#line <= 82, line) end
  end)

  it("show the beginning of a key or a text that is very long, at once", function()
    local long = ("ü"):rep(16000)
    local began = os.clock()
    local shown = text { { key = long, value = { text = long } } }
    assert.is_true(os.clock() - began < 0.3, "seconds: " .. os.clock() - began)
    assert.truthy(shown:find("üüü…$"), shown)
  end)

  it("by key are the values", function()
    assert.same({ a = false, b = 0 }, wingman.by_key { { key = "a", value = false }, { key = "b", value = 0 } })
    for _, case in ipairs { { nil, "rows of a query are expected, got nil" }, { { 7 }, "a row { key, value } is expected at 1" } } do
      local ok, err = pcall(function() return (wingman.by_key(case[1])) end)
      assert.is_false(ok)
      assert.truthy(err:find("rows_spec.lua:%d+: wingman.by_key: "), err)
      assert.truthy(err:find(case[2], 1, true), err)
    end
  end)
end)
