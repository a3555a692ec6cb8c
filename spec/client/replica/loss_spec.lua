--- What the event "lost" of a replica says, and what its listeners may do.
local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"

clusters.on_each(getfenv(), "the event lost", function(shared, it)
  local client, map, copy, keys, told

  -- A replica of 20 records of node-2.
  local function begin()
    client = shared:started()
    eventually("every node is connected", function() return #client:connected_nodes() == 3 end)
    map, keys, told = client:map(shared:map_name()), clusters.keys_of(client, "node-2", 20), {}
    for i, key in ipairs(keys) do assert(map:set(key, i)) end
    assert(client:drain(60))
    copy = map:replicate()
    copy:on("lost", function(node, lost)
      table.sort(lost)
      told[#told + 1] = { node, lost }
    end)
    assert(map:synced(60))
    table.sort(keys)
  end

  local function kill_node_2()
    assert(shared.cluster:kill "node-2")
    eventually("it is lost", function() return #client:connected_nodes() == 2 end)
  end

  it("names the node that came up empty, and the keys that it had, once", function()
    begin()
    kill_node_2()
    shared:restart("node-2", client)
    eventually("the loss is told", function() return #told > 0 end)
    assert(map:synced(60))
    assert.same({ { "node-2", keys } }, told)
    assert.equal(20, copy:status().lost)
    assert.equal("node-2", shared:logged("replica_lost")[1].node)
  end)

  it("may close the replica, whose last state is off", function()
    begin()
    local states = {}
    copy:on("state", function(to) states[#states + 1] = to end)
    copy:on("lost", function() copy:close() end)
    kill_node_2()
    shared:restart("node-2", client)
    eventually("the loss is told", function() return #told > 0 end)
    eventually("a later turn has come", function() return map:replicate():status().state == "live" end)
    assert.equal("off", states[#states])
    assert.equal("off", copy:status().state)
  end)
end, { "sim://3" })
