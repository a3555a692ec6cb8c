--- The hashes of Merkle trees, against the golden data of the reference, against what the sources of
--- head state, and against a slow computation of the same.
local bit = require "bit"
local core = require "wingman.core"
local support = require "spec.core.support"
local trees = require "spec.support.merkle_trees"

local merkle = support.vectors "merkle.json"
local kinds = { fnv1a = "fnv1a", ["xxh64 low 32 bits"] = "xxh64" }
local PARTITIONS = 271

local combine, mix = trees.combine, trees.mix

local function u32(v) return tonumber(v % 2 ^ 32) end
local function times(a, b) return tonumber((0ULL + a) * b % 2 ^ 32) end

-- Every hash that is not 0, by its path; the root always.
local function hashes(sums)
  local found = { [""] = sums:at(0, 0) }
  assert.equal(sums:root(), sums:at(0, 0))
  for depth = 1, 3 do
    for digits = 0, 16 ^ depth - 1 do
      local hash = sums:at(depth, digits)
      if hash ~= 0 then found[("%0" .. depth .. "x"):format(digits)] = hash end
    end
  end
  return found
end

local function text(stamp) return ("%.0f:%.0f:%s"):format(stamp.millis, stamp.counter, stamp.nodeId) end

-- The items of a case's records, added to sums.
local function added(case, sums)
  local kind = kinds[case.hash]
  for _, record in ipairs(case.records) do
    local item = core.merkle_item(kind, record.key, text(record.timestamp))
    sums:add(core["hash_" .. kind](record.key), item)
  end
  return sums
end

describe("Merkle sums", function()
  it("mix by a function that the sources of head give a value of", function()
    assert.equal(0xbc1dab1c, combine { 100, 200 })
    assert.equal(0, mix(0))
  end)

  for _, case in ipairs(merkle.lww) do
    if case.records then
      it(("of the reference's tree '%s' (%s): items, and every place"):format(case.name, case.hash), function()
        for _, record in ipairs(case.records) do
          assert.equal(record.itemHash, core.merkle_item(kinds[case.hash], record.key, text(record.timestamp)))
        end
        local expected = {}
        for path, hash in pairs(case.nodes) do expected[path] = hash end
        assert.same(expected, hashes(added(case, core.merkle_sums("plain", PARTITIONS))))
      end)

      if case.v2nodes then
        it(("of the reference's tree '%s' (%s) as head combines it"):format(case.name, case.hash), function()
          local expected = { [""] = 0 }
          for path, hash in pairs(case.v2nodes) do expected[path] = mix(hash) end
          assert.same(expected, hashes(added(case, core.merkle_sums("mixed", 1))))
        end)
      end
    end
  end

  it("count a record by its own hash, wherever the text ends", function()
    for _, key in ipairs { "", "k", "é日😀", ("long"):rep(100), "a:b", "\255", "ab\195" } do
      for _, stamp in ipairs { "0:0:a", "1795443741000:12:node-1", "9007199254740991:9007199254740991:é😀" } do
        assert.equal(core.hash_fnv1a(key .. ":" .. stamp), core.merkle_item("fnv1a", key, stamp), key)
        assert.equal(core.hash_xxh64(key .. ":" .. stamp), core.merkle_item("xxh64", key, stamp), key)
      end
    end
  end)

  -- A change of one of some keys: they come, get other records, and go.
  local function step(sums, items, keys)
    local key = math.random(keys)
    local held, item = items[key], math.random(0, 2 ^ 32 - 1)
    if not held then
      -- Many keys share a leaf, a partition, or both.
      items[key] = { key_hash = core.hash_fnv1a("key-" .. key) % (key % 3 == 0 and 2 ^ 22 or 2 ^ 32), item = item }
      sums:add(items[key].key_hash, item)
    elseif math.random(3) == 1 then
      sums:remove(held.key_hash, held.item)
      items[key] = nil
    else
      sums:change(held.key_hash, held.item, item)
      held.item = item
    end
  end

  for rule, slowly in pairs { plain = trees.plain, mixed = trees.mixed } do
    it(("'%s' stay what the records make, whatever changes (seed %d)"):format(rule, support.seed), function()
      math.randomseed(support.seed)
      local sums, items = core.merkle_sums(rule, PARTITIONS), {}
      for _ = 1, 5 do
        for _ = 1, 2000 do step(sums, items, 800) end
        assert.is_nil(support.difference(slowly(items), hashes(sums)))
      end
      for key, held in pairs(items) do
        sums:remove(held.key_hash, held.item)
        items[key] = nil
      end
      assert.same({ [""] = 0 }, hashes(sums))
    end)

    it(("'%s' are the same in whatever order the records came"):format(rule), function()
      local forth, back = core.merkle_sums(rule, PARTITIONS), core.merkle_sums(rule, PARTITIONS)
      for i = 1, 500 do forth:add(core.hash_fnv1a("k" .. i), i) end
      for i = 500, 1, -1 do back:add(core.hash_fnv1a("k" .. i), i) end
      assert.not_equal(0, forth:root())
      assert.same(hashes(forth), hashes(back))
    end)

    it(("'%s' begin anew when they are cleared"):format(rule), function()
      local sums = core.merkle_sums(rule, PARTITIONS)
      for i = 1, 200 do sums:add(core.hash_fnv1a("k" .. i), i) end
      sums:clear()
      assert.same({ [""] = 0 }, hashes(sums))
      sums:add(0x12345678, 7)
      assert.same((rule == "plain" and trees.plain or trees.mixed) { { key_hash = 0x12345678, item = 7 } }, hashes(sums))
    end)
  end

  it("of head see two records that a plain sum takes for two others", function()
    local function root(rule, first, second)
      local sums = core.merkle_sums(rule, PARTITIONS)
      sums:add(5, first)
      sums:add(5, second)
      return sums:root()
    end
    assert.equal(root("plain", 100, 200), root("plain", 250, 50))
    assert.not_equal(root("mixed", 100, 200), root("mixed", 250, 50))
  end)

  it("of head keep no memory of places that hold nothing any more", function()
    local sums, most = core.merkle_sums("mixed", PARTITIONS), nil
    for round = 1, 20 do
      for i = 1, 1000 do sums:add(core.hash_fnv1a(round .. "/" .. i), i) end
      most = most or sums:bytes()
      for i = 1, 1000 do sums:remove(core.hash_fnv1a(round .. "/" .. i), i) end
    end
    assert.is_true(sums:bytes() <= 2 * most, ("%d bytes, %d at first"):format(sums:bytes(), most))
  end)

  -- The item whose mixed hash is minus that of another: every step of mix can be undone.
  local function opposite(item)
    local function unshift(h, by) return u32(bit.bxor(0ULL + h, bit.rshift(0ULL + h, by), by < 16 and bit.rshift(0ULL + h, 2 * by) or 0)) end
    local function inverse(odd)
      local x = odd
      for _ = 1, 5 do x = times(x, u32(2 - times(odd, x))) end
      return x
    end
    local h = times(unshift(u32(-mix(item)), 16), inverse(0xc2b2ae35))
    return unshift(times(unshift(h, 13), inverse(0x85ebca6b)), 16)
  end

  it("of head hold a place whose records' hashes cancel each other, as a server may order", function()
    local sums, items = core.merkle_sums("mixed", PARTITIONS), {}
    for i = 1, 1000 do
      local key_hash = core.hash_fnv1a("k" .. i)
      sums:add(key_hash, i)
      sums:add(key_hash, opposite(i))
      items[i] = { key_hash = key_hash, item = opposite(i) }
    end
    assert.same({ [""] = 0 }, hashes(sums))
    assert.is_true(sums:bytes() > 1000 * 3 * 12, sums:bytes() .. " bytes: places were given up")
    for i = 1, 1000 do sums:remove(items[i].key_hash, i) end
    assert.is_nil(support.difference(trees.mixed(items), hashes(sums)))
  end)
end)
