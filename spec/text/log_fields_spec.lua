local log_fields = require "wingman.text.log_fields"

describe("the fields of a log line", function()
  it("are sorted by name, and lists joined", function()
    assert.equal("count=2 failed_keys=a,b is_new=true", log_fields.format { is_new = true, failed_keys = { "a", "b" }, count = 2 })
    assert.equal("", log_fields.format {})
  end)

  it("hold nothing that a terminal would obey, and an error keeps its lines", function()
    local given = { node = "n\27[31m\n", keys = { "a\27b" }, error = "one\n\27two", count = 3 }
    assert.same({ node = "n\\027[31m ", keys = { "a\\027b" }, error = "one\n\\027two", count = 3 }, log_fields.plain(given))
    assert.equal("n\27[31m\n", given.node)
  end)
end)
