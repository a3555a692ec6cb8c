--- What others write reaches the listeners of a map, and takes nothing away that was written later.
local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"

-- Servers of the v2 family tell other clients about changes.
clusters.on_each(getfenv(), "changes by others", function(shared, it)
  it("reach the listeners of a map", function()
    local reader, writer = shared:started(), shared:started()
    local name, changes = shared:map_name(), {}
    reader:map(name):on("change", function(key, value, origin)
      assert.is_true(origin == "remote" or origin == "repair", origin)
      changes[key] = value == nil and "removed" or value
    end)
    -- The reader is subscribed once it hears of a write to each node.
    local markers, round = {}, 0
    for i, id in ipairs(writer:connected_nodes()) do markers[i] = clusters.keys_of(writer, id, 51)[51] end
    eventually("the reader hears of each node", function()
      round = round + 1
      for _, marker in ipairs(markers) do
        assert(writer:map(name):set(marker, round))
        if not changes[marker] then return false, changes end
      end
      return true
    end)
    for i = 1, 50 do assert(writer:map(name):set("key-" .. i, { i = i })) end
    assert(writer:drain(60))
    eventually("all changes are heard of", function()
      for i = 1, 50 do
        if not changes["key-" .. i] then return false, "key-" .. i end
      end
      return true
    end)
    assert.same({ i = 50 }, reader:map(name):get "key-50")
    assert(writer:map(name):remove "key-50")
    assert(writer:drain(60))
    eventually("the removal is heard of", function() return changes["key-50"] == "removed", changes["key-50"] end)
    assert.is_nil(reader:map(name):get "key-50")
  end)
end, { "sim://3", "topgun://3" })

clusters.on_each(getfenv(), "changes of others", function(shared, it)
  -- A client whose writes are acknowledged after longer than usual, and a map of it.
  local function slow_client()
    local client = shared:started()
    local function delay_acks(ms)
      for _, node in ipairs(client:connected_nodes()) do assert(shared.cluster:fault(node, "ack-delay", ms)) end
    end
    delay_acks(150)
    finally(function() delay_acks(0) end)
    return client, client:map(shared:map_name())
  end

  it("are taken once the own write of the key is acknowledged", function()
    local client = shared:started()
    local map = client:map(shared:map_name())
    assert(map:set("k", "mine"))
    assert(client:drain(60))
    local later = { millis = map:record("k").millis + 1000, counter = 0, nodeId = "node-1" }
    assert.is_true(map:merge("k", "theirs", later, false, true))
    assert.equal("theirs", map:get "k")
  end)

  it("leave this client an own write that a node tells again", function()
    local client = shared:started()
    local map = client:map(shared:map_name())
    assert(map:set("k", { a = 1, b = 2 }))
    assert(client:drain(60))
    local later = { millis = map:record("k").millis + 1000, counter = 0, nodeId = "node-1" }
    assert.is_false(map:merge("k", { b = 2, a = 1 }, later, false, true))
    assert.equal(client.options.client_id, map:record("k").node) -- for client:repair
  end)

  -- As when they were forwarded, or the node was stopped and went on: they come back as
  -- changes, after a later write was acknowledged.
  it("are not own writes that come back late, each once", function()
    local client, map = slow_client()
    assert(map:set("k", "first"))
    assert(map:remove "k")
    assert(map:set("k", "last"))
    assert(client:drain(60))
    local later = { millis = map:record("k").millis + 60000, counter = 0, nodeId = "node-1" }
    assert.is_false(map:merge("k", "first", later, false, true))
    map:forget "k"
    assert.equal("last", map:get "k")
    map:forget "k" -- another client's
    assert.is_nil(map:get "k")
    assert.is_true(map:merge("k", "first", later, false, true))
    assert.equal("first", map:get "k")
  end)

  it("are older than an own write that waited long for its turn", function()
    local client, map = slow_client()
    assert(map:set("k", "mine"))
    local recorded = map:record("k").millis
    assert(client:drain(60))
    assert.is_false(map:merge("k", "theirs", { millis = recorded + 50, counter = 0, nodeId = "node-1" }, false, true))
    assert.equal("mine", map:get "k")
  end)
end, { "sim://3" })
