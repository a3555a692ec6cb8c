local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local eventually = require "spec.support.eventually"
local hash_probe = require "wingman.cluster.hash_probe"

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

-- The hash that each node is found to have.
clusters.on_each(getfenv(), "a 0.11 cluster whose nodes hash differently", function(shared, it)
  it("is refused at the start, with an error that says which node has which", function()
    local client = shared:client()
    local ok, err = client:start()
    assert.is_nil(ok)
    assert.equal("HASHES_DIFFER", err.code)
    assert.truthy(err.message:find("fnv1a on node-2; xxh64 on node-1, node-3", 1, true), err.message)
    assert.same({ fnv1a = { "node-2" }, xxh64 = { "node-1", "node-3" } }, err.nodes)
    assert.equal("HASHES_DIFFER", client:health().warnings[1].code)
    assert.equal(1, #shared:logged "hashes_differ")
  end)

  it("gets no write once that is known", function()
    local client = shared:client()
    local name = shared:map_name()
    local map = client:map(name)
    client:start()
    for _, write in ipairs {
      function() return map:set("key", 1) end, function() return map:set("key", { n = 1 }) end,
      function() return map:remove "key" end,
    } do
      local seq, err = write()
      assert.is_nil(seq)
      assert.equal("HASHES_DIFFER", err.code)
    end
    assert.equal(0, client:pending_ops())
    local counts = assert(shared.cluster:counts(name))
    assert.same({ 0, 0, 0 }, { counts["node-1"], counts["node-2"], counts["node-3"] })
  end)

  it("takes writes again once the node that differs is gone", function()
    local client = shared:client { reconnect = function() return 0.02 end }
    client:start()
    assert(shared.cluster:kill "node-2")
    eventually("the conflict is over", function() return not client.provider.hash_conflict end)
    local map = client:map(shared:map_name())
    assert(map:set("key", 1))
    assert(client:drain(60))
    assert.equal("xxh64", client:router_stats().hash)
    assert(shared.cluster:restart "node-2")
    eventually("the hash of node-2 is noticed", function() return client.provider.hash_conflict end)
    local seq, err = map:set("key", 2)
    assert.same({ nil, "HASHES_DIFFER" }, { seq, err.code })
  end)

  it("is used as the option hash says", function()
    local client = shared:started { hash = "xxh64" }
    local map = client:map(shared:map_name())
    assert(map:set("key", 1))
    assert(client:drain(60))
    assert.same({}, client:health().warnings)
  end)
end, { "sim://3?dialect=0.11&hash=xxh64,fnv1a,xxh64" })

clusters.on_each(getfenv(), "a 0.11 cluster whose nodes hash alike", function(shared, it)
  it("is known once every node was asked, with data and without", function()
    for _ = 1, 2 do
      local client = shared:started()
      assert.equal("xxh64", client:router_stats().hash)
      assert.same({ ["node-1"] = "xxh64", ["node-2"] = "xxh64", ["node-3"] = "xxh64" }, client.provider.hashes)
      local map = client:map(shared:map_name())
      for i = 1, 300 do assert(map:set("key-" .. i, i)) end
      assert(client:drain(60))
      assert.same({}, client:health().warnings)
      assert.equal(300, #assert(client:query(map.name)))
    end
  end)

  it("goes on when a node comes back, which is asked again", function()
    local client = shared:started { reconnect = function() return 0.02 end }
    assert(shared.cluster:kill "node-2")
    eventually("2 nodes are connected", function() return #client:connected_nodes() == 2, client:connected_nodes() end)
    shared:restart("node-2", client)
    eventually("node-2 is asked again", function() return not client.provider.hash_is_old["node-2"] end)
    local map = client:map(shared:map_name())
    for i = 1, 300 do assert(map:set("key-" .. i, i)) end
    assert(client:drain(60))
    assert.equal("xxh64", client:router_stats().hash)
  end)
end, { "sim://3?dialect=0.11&hash=xxh64" })
