--- Command lines, read by the rules of options.
local arguments = require "wingman.options.arguments"

local RULES = {
  rate = { type = "number", default = 5, min = 1 }, max_vus = { type = "number", whole = true, min = 1 },
  wait = { type = "duration", default = 1 }, json = { type = "boolean" }, out = { type = "table" },
  share = { type = "number", max = 100, parse = function(text) return tonumber((text:gsub("%%$", ""))) end },
}

describe("the options of a command line", function()
  it("are read with their defaults, in both forms, and the other words are kept", function()
    assert.same({ words = {}, rate = 5, wait = 1, out = {} }, arguments.read(RULES, {}))
    assert.same({ words = { "a", "b" }, rate = 7, max_vus = 3, wait = 0.25, json = true, out = { "x", "y" }, share = 5 },
      arguments.read(RULES, { "a", "--rate", "7", "--max-vus=3", "--wait", "250ms", "--json", "b", "--out", "x", "--out=y", "--share", "5%" }))
  end)

  it("are not read when help is asked for", function()
    assert.is_true(arguments.read(RULES, { "--nonsense", "--help" }).help)
    assert.is_true(arguments.read(RULES, { "-h" }).help)
  end)

  it("say what is wrong", function()
    for text, words in pairs {
      ["--rate: a number from 1 is expected, got 'fast'"] = { "--rate", "fast" },
      ["--rate: a number from 1 is expected, got 0"] = { "--rate=0" },
      ["--rate needs a value"] = { "--rate" },
      ["--max-vus needs a value"] = { "--max-vus=" },
      ["--max-vus: a whole number from 1 is expected, got 1.5"] = { "--max-vus", "1.5" },
      ["--share: a number up to 100 is expected, got '5 apples'"] = { "--share", "5 apples" },
      ["--json takes no value, got '1'"] = { "--json=1" },
      ["unknown option '--rat'; did you mean '--rate'?"] = { "--rat", "5" },
      ["unknown option '--procsy'; did you mean '--proxy'?"] = { "--procsy" },
    } do
      assert.same({ nil, text }, { arguments.read(RULES, words, { proxy = true }) })
    end
  end)
end)
