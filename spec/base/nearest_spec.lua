local nearest = require "wingman.base.nearest"

describe("nearest", function()
  local names = { "rate", "duration", "max_vus", "exec", "start_time" }

  it("finds a name with a letter too much, too few, wrong or swapped", function()
    assert.are.equal("duration", nearest.find("durration", names))
    assert.are.equal("duration", nearest.find("duraton", names))
    assert.are.equal("rate", nearest.find("rats", names))
    assert.are.equal("exec", nearest.find("exce", names))
  end)

  it("takes capitals and hyphens for what they stand for", function()
    assert.are.equal("max_vus", nearest.find("Max-VUs", names))
  end)

  it("prefers the nearest, and of two as near the first in the alphabet", function()
    assert.are.equal("abcdef", nearest.find("abcdeg", { "abcdxx", "abcdef" }))
    assert.are.equal("aab", nearest.find("aa", { "aac", "aab" }))
  end)

  it("finds none that is too far away", function()
    assert.is_nil(nearest.find("colour", names))
    assert.is_nil(nearest.find("re", names))
    assert.is_nil(nearest.find("", names))
  end)

  it("takes a table whose keys are the names", function()
    assert.are.equal("strict", nearest.find("strickt", { strict = true, quiet = true }))
  end)

  it("ends an error with a question, or with nothing", function()
    assert.are.equal("; did you mean 'rate'?", nearest.hint("rat", names))
    assert.are.equal("", nearest.hint("colour", names))
    assert.are.equal("", nearest.hint(12, names))
  end)

  it("says of a flag what is near, whether the names have dashes or not", function()
    assert.are.equal("unknown option '--rat'; did you mean '--rate'?", nearest.unknown_flag("--rat=5", { "rate" }, { quiet = true }))
    assert.are.equal("'--json=x': the value of --json, if it takes one, is the next word", nearest.unknown_flag("--json=x", { "--json" }))
    assert.are.equal("unknown option '--jsom'; did you mean '--json'?", nearest.unknown_flag("--jsom", { ["--json"] = "json", ["-"] = "x" }))
    assert.are.equal("unknown option '-z'", nearest.unknown_flag("-z", { "rate" }))
  end)
end)
