local core = require "wingman.core"
local support = require "spec.core.support"
local bit = require "bit"

--- FNV-1a over UTF-16 code units, in Lua, to compare with.
local function fnv1a_of_units(units)
  local h = 0x811c9dc5
  for _, unit in ipairs(units) do
    h = bit.bxor(h, unit) % 2 ^ 32
    -- In two halves: the whole product has more than 53 bits.
    local low, high = h % 65536, math.floor(h / 65536)
    h = (low * 0x01000193 + (high * 0x0193 % 65536) * 65536) % 2 ^ 32
  end
  return h
end

describe("hash", function()
  local vectors = support.vectors "hash.json"

  it("agrees with every vector", function()
    local exact, lone = 0, 0
    for _, case in ipairs(vectors.cases) do
      -- An unpaired surrogate is no UTF-8, so its FNV-1a cannot come out of a
      -- byte string; the bytes that XXH64 gets are given as `hashed`.
      local has_utf8 = case.utf8 ~= core.null
      local key = support.unhex(has_utf8 and case.utf8 or case.hashed)
      assert.equal(case.xxh32bits, core.hash_xxh64(key), "xxh64 of " .. support.hex(key))
      assert.equal(case.p_xxh, core.partition("xxh64", key, vectors.partitionCount))
      if has_utf8 then
        assert.equal(case.fnv1a, core.hash_fnv1a(key), "fnv1a of " .. support.hex(key))
        assert.equal(case.p_fnv, core.partition("fnv1a", key, vectors.partitionCount))
        exact = exact + 1
      else
        lone = lone + 1
      end
    end
    assert.equal(520, vectors.count)
    assert.equal(507, exact)
    assert.equal(13, lone)
  end)

  it("counts every byte outside well-formed UTF-8 as one U+FFFD", function()
    local bad = 0xfffd
    local cases = {
      { "\128", { bad } },
      { "a\255b", { 97, bad, 98 } },
      { "\237\160\128", { bad, bad, bad } },               -- a surrogate
      { "\192\175", { bad, bad } },                        -- overlong
      { "\224\128\175", { bad, bad, bad } },
      { "\240\128\128\175", { bad, bad, bad, bad } },
      { "\244\144\128\128", { bad, bad, bad, bad } },      -- above U+10FFFF
      { "\240\159\152", { bad, bad, bad } },               -- cut
      { "\240\159\152\128", { 0xd83d, 0xde00 } },
      { "\239\191\191", { 0xffff } },
      { "\195", { bad } },
      { "\195\169\195", { 0xe9, bad } },
      { "\0", { 0 } },
    }
    for _, case in ipairs(cases) do
      assert.equal(fnv1a_of_units(case[2]), core.hash_fnv1a(case[1]), support.hex(case[1]))
    end
  end)

  it("knows beside FNV-1a whether the key is UTF-8 (seed " .. support.seed .. ")", function()
    math.randomseed(support.seed)
    local pieces = { "abcd", "a", "é", "€", "\240\159\152\128", "\255", "\195", "\237\160\128", "abcdefghijk" }
    for _ = 1, 5000 do
      local parts = {}
      for i = 1, math.random(0, 6) do parts[i] = pieces[math.random(#pieces)] end
      local key = table.concat(parts)
      local hash, valid = core.hash_fnv1a_utf8(key)
      assert.same({ core.hash_fnv1a(key), core.utf8_valid(key) }, { hash, valid }, support.hex(key))
    end
  end)

  it("hashes any bytes at all (seed " .. support.seed .. ")", function()
    math.randomseed(support.seed)
    for _ = 1, 5000 do
      local key = support.random_bytes(math.random(0, 40))
      local h = core.hash_fnv1a(key)
      assert.is_true(h >= 0 and h < 2 ^ 32)
      assert.is_true(core.hash_xxh64(key) < 2 ^ 32)
    end
  end)

  it("finds UTF-8 valid or not", function()
    for text, valid in pairs { [""] = true, abc = true, ["12345678\255"] = false, ["12345678\195\169"] = true,
      ["\237\159\191"] = true, ["\237\160\128"] = false, ["\224\160\128"] = true, ["\194"] = false } do
      assert.equal(valid, core.utf8_valid(text), support.hex(text))
    end
  end)

  it("refuses what is no key, no hash, no count", function()
    assert.has_error(function() core.hash_fnv1a(12) end)
    assert.has_error(function() core.hash_xxh64() end)
    assert.has_error(function() core.partition("md5", "a", 271) end)
    assert.has_error(function() core.partition("fnv1a", "a", 0) end)
    assert.has_error(function() core.partition("fnv1a", "a", -1) end)
    assert.equal(0, core.partition("fnv1a", "a", 1))
  end)
end)
