local sorted = require "wingman.base.sorted"

describe("sorted keys", function()
  it("of names are in the order of their bytes", function()
    assert.same({ "B", "a", "a-1", "a1", "b" }, sorted.keys { b = 1, a1 = 2, B = false, ["a-1"] = 4, a = 5 })
  end)

  it("of numbers are ascending, with gaps as without", function()
    assert.same({ -3, 1, 2, 10 }, sorted.keys { [10] = true, [2] = true, [-3] = true, [1] = true })
  end)

  it("are a new list: the table stays as it is, and an empty one has none", function()
    local set = { "x", "y" }
    table.remove(sorted.keys(set))
    assert.same({ "x", "y" }, set)
    assert.same({}, sorted.keys {})
  end)
end)
