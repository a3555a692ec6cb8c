--- How a metric is named with its tags.
local selector = require "wingman.metrics.selector"

describe("a selector", function()
  it("is read with its tags, in quotes or without", function()
    for text, tags in pairs {
      ["m"] = {}, [" m { a : x , b=y } "] = { a = "x", b = "y" }, ["m{}"] = {}, ["m{check:is ok}"] = { check = "is ok" },
      ['m{group:"login: a, b"}'] = { group = "login: a, b" }, ['m{"a b":"}", c:d}'] = { ["a b"] = "}", c = "d" },
      ['m{a:"say \\"hi\\" \\\\"}'] = { a = 'say "hi" \\' }, ["m{node:ws://127.0.0.1:9000}"] = { node = "ws://127.0.0.1:9000" },
      ["m{a:}"] = { a = "" },
    } do
      local name, got = selector.parse(text)
      assert.equal("m", name, tostring(got))
      assert.same(tags, got, text)
    end
  end)

  it("names what cannot be read, and says what to write for a comma", function()
    for text, words in pairs {
      ["m n"] = "a metric's name", ["m{a"] = "a metric's name", ["m{a}"] = "'a' is no tag:value", ["m{a:x,}x"] = "a metric's name",
      ["m{group:a, b}"] = '\'b\' is no tag:value; quotes go around a value with a comma, as in {group:"a, b"}',
      ['m{a:"x}'] = "is no tag:value", ['m{a:"x"y}'] = "is no tag:value", ["m{,}"] = "is no tag:value",
    } do
      local name, wrong = selector.parse(text)
      assert.is_nil(name, text)
      assert.truthy(wrong:find(words, 1, true), wrong)
    end
  end)

  it("has another text for other tags, and says the same when it is read", function()
    local sets = {
      {}, { a = "x,b:y" }, { a = "x", b = "y" }, { a = 'x",b:"y' }, { ["a:x,b"] = "y" }, { a = "" }, { a = " x " }, { a = "x" },
      { a = 'x"' }, { a = "x\\" }, { a = 'x\\"' }, { a = "{x}" }, { ["\n"] = "\255" },
    }
    local seen = {}
    for i, tags in ipairs(sets) do
      local text = selector.tags_text(tags)
      assert.is_nil(seen[text], text)
      seen[text] = i
      local _, read = selector.parse("m" .. text)
      assert.same(tags, read, text)
    end
  end)
end)
