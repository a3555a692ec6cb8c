--- Command lines, read by the rules of options.
local arguments = require "wingman.options.arguments"

local RULES = {
  rate = { type = "number", default = 5, min = 1 }, max_vus = { type = "number", whole = true, min = 1 },
  wait = { type = "duration", default = 1 }, json = { type = "boolean" }, out = { type = "table" },
  share = { type = "number", max = 100, parse = function(text) return tonumber((text:gsub("%%$", ""))) end },
}

local MORE = arguments.all(RULES, {
  shard = { type = "string", read = function(text)
    local index, count = text:match "^(%d)/(%d)$"
    if not index then return nil, ("I/N is expected, got '%s'"):format(text) end
    return { tonumber(index), tonumber(count) }
  end },
  code = { type = "table", read = function(text) return "[" .. text .. "]" end },
  e = { type = "table", flag = "-e", list = "code", may_be_empty = true },
})

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
      ["--code needs a value"] = { "--code", "" },
      ["--shard: I/N is expected, got 'x'"] = { "--shard", "x" },
      ["unknown option '-shard'; did you mean '--shard'?"] = { "-shard", "1/2" },
      ["'-e=1': the value of -e, if it takes one, is the next word"] = { "-e=1" },
      ["-e needs a value"] = { "-e" },
    } do
      assert.same({ nil, text }, { arguments.read(MORE, words) })
    end
  end)

  it("have values of their own kinds, words of their own, and lists that share an order", function()
    local read = assert(arguments.read(MORE, { "--shard=1/4", "-e", "a", "--code", "b", "-e", "", "-", "-5", "-inf" }))
    assert.same({ 1, 4 }, read.shard)
    assert.same({ "a", "[b]", "" }, read.code)
    assert.same({ "-", "-5", "-inf" }, read.words)
  end)

  it("are read in front of the first other word, and later ones join them", function()
    local seen = {}
    local how = { only_in_front = true, seen = function(...) seen[#seen + 1] = { ... } end }
    local read = assert(arguments.read(RULES, { "--rate", "7", "--json", "--out=x", "script", "--rat", "--help" }, how))
    assert.same({ words = { "script", "--rat", "--help" }, rate = 7, wait = 1, json = true, out = { "x" } }, read)
    assert.same({ { "rate", "--rate", "7" }, { "json", "--json" }, { "out", "--out=x" } }, seen)
    assert.is_true(arguments.read(RULES, { "--json", "-h", "script" }, how).help)
    local both = assert(arguments.read(arguments.all(RULES, { more = { type = "number", default = 3 } }), { "--rate=9", "--out", "y", "z" }, { into = read }))
    assert.same({ words = { "z" }, rate = 9, wait = 1, json = true, out = { "x", "y" }, more = 3 }, both)
  end)
end)
