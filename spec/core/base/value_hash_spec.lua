--- Hashes of values: equal for what means the same, whoever encoded it.
local core = require "wingman.core"

local function hash(bytes) return assert(core.value_hash(bytes)) end

describe("value hash", function()
  it("does not see the order of keys", function()
    assert.equal(hash "\130\161a\1\161b\192", hash "\130\161b\192\161a\1")
    assert.equal(hash "\129\161m\130\161a\1\161b\2", hash "\129\161m\130\161b\2\161a\1")
  end)

  it("does not see the form of a number or a length", function()
    local one = hash "\1"
    for _, form in ipairs { "\204\1", "\205\0\1", "\206\0\0\0\1", "\207\0\0\0\0\0\0\0\1", "\208\1", "\211\0\0\0\0\0\0\0\1",
      "\202\63\128\0\0", "\203\63\240\0\0\0\0\0\0" } do assert.equal(one, hash(form)) end
    assert.equal(hash "\0", hash "\203\128\0\0\0\0\0\0\0") -- -0
    assert.equal(hash "\161x", hash "\217\1x")
    assert.equal(hash "\145\1", hash "\220\0\1\1")
    assert.equal(hash "\129\161a\1", hash "\222\0\1\161a\1")
  end)

  it("sees everything else", function()
    local seen = {}
    for _, value in ipairs { "\192", "\194", "\195", "\0", "\1", "\255", "\161a", "\161b", "\196\1a", "\144", "\128",
      "\145\1", "\146\1\2", "\146\2\1", "\145\145\1", "\129\161a\1", "\129\161a\2", "\129\161b\1", "\129\1\161a",
      "\130\161a\1\161b\2", "\130\161a\2\161b\1", "\145\129\161a\1", "\203\63\224\0\0\0\0\0\0",
      "\207\255\255\255\255\255\255\255\255", "\207\255\255\255\255\255\255\255\254" } do
      local of = hash(value)
      assert.is_nil(seen[of], value:gsub(".", function(c) return ("%02x "):format(c:byte()) end))
      seen[of] = value
    end
  end)

  it("refuses what is no whole value", function()
    for _, bytes in ipairs { "", "\193", "\145", "\161", "\1\1", ("\145"):rep(200) .. "\1" } do
      assert.is_nil(core.value_hash(bytes))
    end
  end)
end)
