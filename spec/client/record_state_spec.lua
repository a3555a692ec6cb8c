--- What map:record says of a record: its state, and which node holds it.
local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"
local wingman = require "wingman"

local function assert_state(map, key, state, holder)
  local record = map:record(key)
  assert.same({ state, holder }, { record.state, record.holder })
end

clusters.on_each(getfenv(), "the state of a record", function(shared, it)
  it("is pending, then acknowledged; nothing more is known of a map that is not followed", function()
    local client = shared:started()
    local map = client:map(shared:map_name())
    assert(map:set("k", 1))
    assert(map:remove "r")
    assert_state(map, "k", "pending")
    assert(client:drain(60))
    assert_state(map, "k", "acknowledged")
    assert_state(map, "r", "acknowledged")
    assert(map:set("k", 2))
    assert_state(map, "k", "pending")
    assert.is_nil(map:record "none")
  end)

  it("is synced in a replica once a node was seen to hold it, whoever wrote it", function()
    local writer, reader = shared:started(), shared:started()
    local own = writer:map(shared:map_name())
    local theirs = reader:map(own.name)
    assert(own:synced(60))
    for i, node in ipairs(shared.cluster.nodes) do assert(own:set(clusters.keys_of(writer, node.id, 1)[1], i)) end
    assert_state(own, clusters.keys_of(writer, "node-1", 1)[1], "pending")
    assert(writer:drain(60))
    assert(own:synced(60))
    assert(theirs:synced(60))
    for _, node in ipairs(shared.cluster.nodes) do
      local key = clusters.keys_of(writer, node.id, 1)[1]
      for _, map in ipairs { own, theirs } do
        assert.equal("synced", map:record(key).state)
        if not shared.is_0_11 then assert.equal(node.id, map:record(key).holder) end -- there a backup may hold it as well
      end
    end
  end)
end, { "sim://3", "sim://3?dialect=0.11", "topgun://3" })

clusters.on_each(getfenv(), "the state of a record", function(shared, it)
  it("names who acknowledged it while its node's announcements are lost, and is lost when that comes up empty", function()
    local client = shared:started()
    local map = client:map(shared:map_name())
    local keys = clusters.keys_of(client, "node-2", 20)
    assert(map:synced(60))
    for _, session in ipairs(assert(shared.cluster:connections "node-2")) do
      if session.carried.QUERY_SUB then assert(shared.cluster:fault("node-2", "drop", session.number)) end
    end
    assert(map:set(keys[1], 1))
    assert(client:drain(60))
    assert_state(map, keys[1], "acknowledged", "node-2")
    for _, key in ipairs(keys) do assert(map:set(key, 2)) end
    assert(client:drain(60))
    assert(shared.cluster:kill "node-2")
    eventually("it is lost", function() return #client:connected_nodes() == 2 end)
    shared:restart("node-2", client)
    eventually("all is synced or lost", function()
      for _, key in ipairs(keys) do
        if map:record(key).state == "pending" then return false, key end
      end
      return #client:connected_nodes() == 3
    end)
    for _, key in ipairs(keys) do assert(map:set(key, 3)) end
    assert(client:drain(60))
    assert(map:synced(60))
    for _, key in ipairs(keys) do assert_state(map, key, "synced", "node-2") end
    assert(shared.cluster:kill "node-2")
    eventually("it is lost again", function() return #client:connected_nodes() == 2 end)
    shared:restart("node-2", client)
    eventually("its records are lost", function() return map:record(keys[1]).state == "lost", map:record(keys[1]) end)
    for _, key in ipairs(keys) do assert_state(map, key, "lost") end
    assert(map:set(keys[1], 4))
    assert_state(map, keys[1], "pending")
  end)
end, { "sim://3" })

describe("the state of a record", function()
  it("is dropped when its operation was displaced from a full op log", function()
    local client = wingman.client { server = "ws://127.0.0.1:1", log_to = function() end, oplog = { when_full = "drop_oldest", max_ops = 2 } }
    local map = client:map "m"
    for _, key in ipairs { "a", "b", "c" } do assert(map:set(key, 1)) end
    assert_state(map, "a", "dropped")
    assert_state(map, "b", "pending")
    assert(map:set("a", 2))
    assert_state(map, "a", "pending")
    assert_state(map, "b", "dropped")
    assert(map:resend "b")
    assert_state(map, "b", "pending")
    client:close()
  end)
end)
