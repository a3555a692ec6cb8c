local core = require "wingman.core"
local hash_probe = require "wingman.hash_probe"

local function path_of(hash) return ("%08x"):format(hash % 2 ^ 32):sub(1, 3) end

describe("hash probe", function()
  it("judges by the path of a leaf", function()
    for i = 1, 200 do
      local key = "some key " .. i
      local fnv, xxh = path_of(core.hash_fnv1a(key)), path_of(core.hash_xxh64(key))
      if fnv ~= xxh then
        assert.equal("fnv1a", hash_probe.judge(fnv, { key }))
        assert.equal("xxh64", hash_probe.judge(xxh, { key }))
      end
      assert.is_nil(hash_probe.judge("zzz", { key }))
    end
  end)

  it("does not judge a leaf whose keys disagree", function()
    assert.is_nil(hash_probe.judge(path_of(core.hash_fnv1a "a"), { "a", "b" }))
    assert.is_nil(hash_probe.judge("abc", {}))
  end)

  it("finds a key that a node owns by either hash, and that tells them apart", function()
    local map = { partition_count = 271, owners = {} }
    for p = 0, 270 do map.owners[p + 1] = "node-" .. p % 3 + 1 end
    for id = 1, 3 do
      local key = hash_probe.probe_key(map, "node-" .. id, "client/")
      assert.is_string(key)
      local fnv, xxh = core.hash_fnv1a(key), core.hash_xxh64(key)
      assert.equal("node-" .. id, map.owners[fnv % 271 + 1])
      assert.equal("node-" .. id, map.owners[xxh % 271 + 1])
      assert.not_equal(path_of(fnv), path_of(xxh))
    end
    assert.is_nil(hash_probe.probe_key(map, "node-4", "client/"))
  end)
end)
