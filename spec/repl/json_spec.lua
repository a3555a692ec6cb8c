--- Values as JSON, exactly.
local cjson = require "cjson"
local json = require "wingman.repl.json"
local wingman = require "wingman"

describe("a value as JSON", function()
  it("has numbers that are the same number when they are read back", function()
    local expected = {
      [1796043355185123] = "1796043355185123", [2 ^ 53] = "9007199254740992", [0.1 + 0.2] = "0.30000000000000004", [0.1] = "0.1",
      [1 / 3] = "0.3333333333333333", [1e300] = "1e+300", [-2.5] = "-2.5", [2 ^ 60] = "1.152921504606847e+18", [5e-324] = "4.9406564584125e-324",
    }
    for number, text in pairs(expected) do
      assert.equal(text, (json.encode(number)))
      assert.equal(number, tonumber(text))
    end
    math.randomseed(7)
    for _ = 1, 2000 do
      local number = (math.random() - 0.5) * 10 ^ math.random(-300, 300)
      assert.equal(number, tonumber((json.encode(number))))
    end
    assert.equal("-0", (json.encode(-0.0)))
  end)

  it("has all digits of 64-bit integers", function()
    assert.equal("9007199254740993", (json.encode(9007199254740993LL)))
    assert.equal("-9223372036854775807", (json.encode(-9223372036854775807LL)))
    assert.equal("18446744073709551615", (json.encode(18446744073709551615ULL)))
  end)

  it("has arrays and objects, marked ones and nulls too, its keys in order", function()
    local value = { b = { 1, "x", { true } }, a = wingman.null, ["key \"1\""] = wingman.bin "bytes", list = wingman.array {},
      holes = wingman.array { n = 3, 1, nil, 3 }, empty = {}, sparse = { [3] = "c" } }
    assert.equal('{"a":null,"b":[1,"x",[true]],"empty":{},"holes":[1,null,3],"key \\"1\\"":"bytes","list":[],"sparse":{"3":"c"}}',
      (json.encode(value)))
    assert.equal("null", (json.encode(nil)))
    assert.equal('"\239\191\189x"', (json.encode "\255x"))
    assert.same({ "a\n\0\226\130\172" }, cjson.decode((json.encode { "a\n\0\226\130\172" })))
  end)

  it("is none of what has no JSON form, and says why", function()
    local loop = {}
    loop.loop = loop
    local deep = {}
    for _ = 1, 200 do deep = { deep } end
    for _, case in ipairs { { print, "function" }, { 0 / 0, "nan" }, { math.huge, "inf" }, { loop, "holds itself" }, { deep, "deeper than 128" },
      { { [{}] = 1 }, "key is a table" }, { { [true] = 1 }, "key is a boolean" } } do
      local text, err = json.encode(case[1])
      assert.is_nil(text)
      assert.truthy(err:find(case[2], 1, true), err)
    end
    local shared = { 1 }
    assert.equal("[[1],[1]]", (json.encode { shared, shared }), "the same table twice is no table in itself")
  end)
end)
