--- The order of a query's rows.
local core = require "wingman.core"
local order = require "wingman.client.query.order"

local function keys_in_order(values, sort)
  local rows, keys = {}, {}
  for key, value in pairs(values) do rows[#rows + 1] = { key = key, value = value } end
  order.sort(rows, assert(order.read(sort)))
  for i, row in ipairs(rows) do keys[i] = row.key end
  return table.concat(keys, " ")
end

describe("the order of rows", function()
  local TEAMS = { a = { n = 2, t = "x" }, b = { n = 1, t = "y" }, c = { n = 2, t = "y" }, d = { n = 1, t = "x" } }

  it("is that of the keys when no sort is given, and between equal rows", function()
    assert.equal("a b c d", keys_in_order(TEAMS, {}))
    assert.equal("b d a c", keys_in_order(TEAMS, "n"))
    assert.equal("a c b d", keys_in_order(TEAMS, "n desc"))
    assert.equal("Z a ä", keys_in_order({ ["ä"] = 1, a = 1, Z = 1 }, {}))
  end)

  it("is given in any of the forms", function()
    for _, sort in ipairs { "n desc", { "n desc" }, { n = "desc" }, { { field = "n", direction = "desc" } } } do
      assert.equal("a c b d", keys_in_order(TEAMS, sort))
    end
    assert.equal("a d c b", keys_in_order(TEAMS, { "t", "n desc" }))
    assert.equal("a d c b", keys_in_order(TEAMS, { { field = "t", direction = "asc" }, "n desc" }))
    assert.equal("b a", keys_in_order({ a = { ["a field"] = 1 }, b = { ["a field"] = 2 } }, "a field desc"))
  end)

  it("has rows without the field last, in both directions, and kinds of values apart", function()
    local values = {
      a = {}, b = { n = core.null }, c = 7, d = { n = {} }, e = { n = true }, f = { n = false }, g = { n = "1" }, h = { n = "0" },
      i = { n = 10 }, j = { n = 9 }, k = { n = 0 / 0 },
    }
    assert.equal("j i h g f e d k a b c", keys_in_order(values, "n"))
    assert.equal("i j g h e f d k a b c", keys_in_order(values, "n desc"))
  end)

  it("of whole numbers beyond 2^53 is exact, among the other numbers", function()
    local values = {
      a = { n = 2 ^ 53 }, b = { n = 9007199254740993LL }, c = { n = 2 ^ 53 + 2 }, d = { n = 18446744073709551615ULL }, e = { n = 1e300 },
      f = { n = -9223372036854775807LL - 1 }, g = { n = -1 }, h = { n = "1" }, i = { n = true }, j = { n = -1e300 }, k = { n = 9223372036854775807LL },
    }
    assert.equal("j f g a b c k d e h i", keys_in_order(values, "n"))
    assert.equal("e d k c b a g f j h i", keys_in_order(values, "n desc"))
  end)

  it("is read, or nil", function()
    for _, sort in ipairs { "", " ", " desc", "n ", { "\t" }, "n up", { n = "up" }, { a = "asc", b = "asc" }, { 1 }, { "a", x = "asc" }, { {} }, 5, { [2] = "a" } } do
      assert.is_nil(order.read(sort))
    end
    assert.same({}, order.read {})
  end)
end)
