--- What others write reaches the listeners of a map, and takes nothing away that was written later.
local announcement = require "spec.support.announcement"
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

  local function later_than(map, key, ms) return { millis = map:record(key).millis + ms, counter = 0, nodeId = "node-1" } end

  it("are taken once the own write of the key is acknowledged", function()
    local client = shared:started()
    local map = client:map(shared:map_name())
    assert(map:set("k", "mine"))
    assert(client:drain(60))
    announcement.put(map, "k", "theirs", later_than(map, "k", 1000))
    assert.equal("theirs", map:get "k")
    assert.is_nil((map:resend "k"))
  end)

  it("are none when a node tells an own write again, which stays this client's", function()
    local client, heard = shared:started(), 0
    local map = client:map(shared:map_name())
    map.core_map:hear()
    map.events:on("change", function() heard = heard + 1 end)
    assert(map:set("k", { a = 1, b = 2 }))
    assert(client:drain(60))
    announcement.put(map, "k", { b = 2, a = 1 }, later_than(map, "k", 1000))
    assert.equal(0, heard)
    assert.same({ 1, "k" }, { select("#", map:resend "k"), select(2, map.core_map:next_own(0)) }) -- for client:repair
  end)

  -- As when a node was stopped and went on, after the write had been sent to the next owner.
  it("are not own writes that come late at a node that does not own the key", function()
    local client = shared:started()
    local map = client:map(shared:map_name())
    map.core_map:hear()
    local key = clusters.keys_of(client, "node-2", 1)[1]
    assert(map:set(key, "first"))
    assert(map:set(key, "last"))
    assert(client:drain(60))
    local later = later_than(map, key, 60000)
    announcement.put(map, key, "last", later, "node-2")
    announcement.put(map, key, "first", { millis = later.millis + 60000, counter = 0, nodeId = "node-1" }, "node-1")
    assert.equal("last", map:get(key))
    announcement.remove(map, key, "node-2")
    announcement.remove(map, key, "node-1")
    assert.is_nil(map:get(key))
  end)

  it("are older than an own write whose echo has not come, whatever the times say", function()
    local client, map = slow_client()
    map.core_map:hear()
    local key = clusters.keys_of(client, "node-2", 1)[1]
    assert(map:set(key, "mine"))
    assert(client:drain(60))
    local later = later_than(map, key, 1000)
    announcement.put(map, key, "older", later, "node-2")
    assert.equal("mine", map:get(key))
    later.counter = 1
    announcement.put(map, key, "mine", later, "node-2")
    assert.equal("mine", map:get(key))
    later.counter = 2
    announcement.put(map, key, "theirs", later, "node-2")
    assert.equal("theirs", map:get(key))
  end)

  -- A node drops what it has to announce under load.
  it("are shown, and told, when the echo does not come", function()
    local client, map = slow_client()
    local heard, keys = {}, clusters.keys_of(client, "node-2", 3)
    map.core_map:hear()
    map.events:on("change", function(key, value) heard[#heard + 1] = { key, value } end)
    for _, key in ipairs(keys) do assert(map:set(key, "mine")) end
    local later = later_than(map, keys[1], 1000)
    announcement.put(map, keys[1], "older", later, "node-2")
    announcement.remove(map, keys[3], "node-2")
    assert(client:drain(60))
    announcement.put(map, keys[2], "theirs", later, "node-2")
    assert.equal("mine", map:get(keys[2]))
    eventually("the later one is shown", function() return map:get(keys[2]) == "theirs" end)
    assert.same({ { keys[2], "theirs" } }, heard)
    assert.same({ "mine", "mine" }, { map:get(keys[1]), map:get(keys[3]) })
  end)

  it("stay while the map becomes a replica, and after it was one", function()
    local client, other, heard = shared:started(), shared:started(), {}
    local map = client:map(shared:map_name())
    local theirs = other:map(map.name)
    map:on("change", function(key, value) heard[key] = value end, { replicate = false })
    local function follows(value)
      for _, node in ipairs(shared.cluster.nodes) do
        local key, round = clusters.keys_of(other, node.id, 1)[1], 0
        eventually("a change is heard of from " .. node.id, function()
          round = round + 1
          assert(theirs:set(key, value .. round))
          local shown = map:get(key)
          return shown and shown == heard[key] and shown:sub(1, 1) == value, shown, heard[key]
        end)
      end
    end
    follows "a"
    local copy = map:replicate()
    assert.equal(3, map:size())
    assert(map:synced(60))
    assert.equal(3, map:size())
    follows "b"
    copy:close()
    follows "c"
  end)
end, { "sim://3" })

clusters.on_each(getfenv(), "changes that a lone 0.11 server tells", function(shared, it)
  it("are shown when their times are later than the own write's", function()
    local client = shared:started()
    local map = client:map(shared:map_name())
    map.core_map:hear()
    assert(map:set("k", "mine"))
    local time = map:record "k"
    local function at(ms) return { millis = time.millis + ms, counter = 0, nodeId = "other" } end
    announcement.put(map, "k", "older", at(-1))
    assert.equal("mine", map:get "k")
    announcement.put(map, "k", "theirs", at(1))
    assert.equal("theirs", map:get "k")
    assert(client:drain(60))
    assert.equal("theirs", map:get "k")
    assert(map:remove "k")
    announcement.put(map, "k", "between", at(2))
    assert.is_nil(map:get "k")
  end)
end, { "sim://1?dialect=0.11" })
