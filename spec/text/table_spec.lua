local text_table = require "wingman.text.table"

describe("text table", function()
  it("puts numbers to the right and text to the left, by their width on screen", function()
    local text = text_table.format({ { "node", "keys", "share" }, { "ä-1", 7910, "12.5 %" }, { "longer", 5, "7 %" } },
      { heading = true, indent = "  " })
    assert.equal("  node     keys   share\n  ä-1     7,910  12.5 %\n  longer      5     7 %\n", text)
  end)

  it("leaves sentences that begin with a number to the left", function()
    assert.equal("a  7 of them, all\nb  8\n", text_table.format { { "a", "7 of them, all" }, { "b", 8 } })
  end)

  it("writes counts and durations as people read them", function()
    assert.equal("0", text_table.count(0))
    assert.equal("999", text_table.count(999))
    assert.equal("1,000", text_table.count(1000))
    assert.equal("-1,234,567", text_table.count(-1234567))
    assert.equal("420 us", text_table.duration(0.00042))
    assert.equal("4.2 ms", text_table.duration(0.0042))
    assert.equal("420 ms", text_table.duration(0.42))
    assert.equal("4.20 s", text_table.duration(4.2))
  end)
end)
