--- Repair where the times of records mislead: a v2 node that was stopped with a batch
--- in its sockets applies it when it goes on, stamped with that time.
local core = require "wingman.core"
local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"

local function is_connected(client, id)
  local node = clusters.node_of(client, id)
  return node and node.usable
end

-- On a busy machine the short heartbeat may end a connection once more.
local function repaired(client, name)
  return (eventually("a repair finds every owner", function() return client:repair(name) end))
end

clusters.on_each(getfenv(), "repair", function(shared, it)
  -- Writes `first` while the key's owner is paused, `last` once its successor has taken
  -- `first`, and gives the partition back when the owner goes on.
  local function overtaken(name, key, first, last)
    -- Not shorter: a client that stood still itself ends the connection with an answer unread,
    -- and such an end takes what the node has not read yet along.
    local client = shared:started { heartbeat = { interval = 0.1, timeout = 2 }, circuit = "never",
      reconnect = function() return 0.05 end, map_requests = { debounce = 0.05, refresh = 0.3, answer_timeout = 0.2 } }
    local map, partition = client:map(name), client:partition_of(key)
    local owner = client:partition_map().owners[partition + 1]
    local successor = owner == "node-1" and "node-2" or "node-1"
    assert(shared.cluster:pause(owner))
    first(map)
    eventually("writes are sent to the owner", function() return clusters.node_of(client, owner).in_flight_ops > 0, clusters.node_of(client, owner).in_flight_ops end)
    assert(shared.cluster:move(partition, successor))
    assert(client:drain(60))
    last(map)
    assert(client:drain(60))
    assert(shared.cluster:resume(owner))
    assert(shared.cluster:move(partition, owner))
    eventually("the owner is back", function()
      return is_connected(client, owner) and client:partition_map().owners[partition + 1] == owner
    end)
    local function at_owner()
      local records = eventually("the owner tells what it has", function() return client:holdings(owner, name) end)
      local record = records[key]
      return record and record.value ~= core.null and record.value or nil
    end
    return client, at_owner
  end

  it("undoes a write that a resumed node applied after its removal elsewhere", function()
    local name = shared:map_name()
    local client, at_owner = overtaken(name, "key-1", function(map) assert(map:set("key-1", { n = 1, text = "old" })) end,
      function(map) assert(map:remove "key-1") end)
    if not shared.is_0_11 then
      eventually("the node applies what it was sent", at_owner)
      assert.same({ n = 1, text = "old" }, at_owner())
      assert.equal(1, repaired(client, name))
      assert(client:drain(60))
    end
    assert.is_nil(at_owner())
    assert.equal(0, repaired(client, name))
  end)

  it("replaces a write that a resumed node applied after a newer one elsewhere", function()
    local name = shared:map_name()
    local client, at_owner = overtaken(name, "key-1", function(map) assert(map:set("key-1", { n = 1 })) end,
      function(map) assert(map:set("key-1", { n = 2 })) end)
    if not shared.is_0_11 then eventually("the node applies what it was sent", at_owner) end
    for _ = 1, 5 do
      if repaired(client, name) == 0 then break end
      assert(client:drain(60))
    end
    assert.same({ n = 2 }, at_owner())
  end)

  it("undoes a write that a node acknowledged late, after its removal was recorded for its successor", function()
    local name, key = shared:map_name(), "key-1"
    local client = shared:started { map_requests = { debounce = 0.05, refresh = 0.3, answer_timeout = 0.2 } }
    local map, partition = client:map(name), client:partition_of(key)
    local owner = client:partition_map().owners[partition + 1]
    local successor = owner == "node-1" and "node-2" or "node-1"
    local function wait_for_owner(id)
      eventually("the map names the new owner", function() return client:partition_map().owners[partition + 1] == id, client:partition_map().owners[partition + 1] end)
    end
    assert(shared.cluster:pause(owner))
    assert(map:set(key, { n = 1 }))
    eventually("writes are sent to the owner", function() return clusters.node_of(client, owner).in_flight_ops > 0, clusters.node_of(client, owner).in_flight_ops end)
    assert(shared.cluster:move(partition, successor))
    wait_for_owner(successor)
    assert(map:remove(key))
    assert(shared.cluster:resume(owner))
    assert(client:drain(60))
    assert(shared.cluster:move(partition, owner))
    wait_for_owner(owner)
    if not shared.is_0_11 then
      assert.same({ n = 1 }, assert(client:holdings(owner, name))[key].value)
      assert.equal(1, repaired(client, name))
      assert(client:drain(60))
    end
    local record = assert(client:holdings(owner, name))[key]
    assert.is_true(record == nil or record.value == core.null)
  end)

  it("says so when an owner is not there to be compared with", function()
    local name = shared:map_name()
    local client = shared:started { reconnect = function() return 60 end }
    local id = client:connected_nodes()[1]
    assert(client:map(name):set(clusters.keys_of(client, id, 1)[1], 1))
    assert(client:drain(60))
    assert(shared.cluster:fault(id, "close", 1012))
    eventually("the loss of the connection is noticed", function() return not is_connected(client, id) end)
    local count, err = client:repair(name)
    assert.is_nil(count)
    assert.equal("NOT_CONNECTED", err.code)
    assert.equal(("map '%s' cannot be compared: owner %s is not connected"):format(name, id), err.message)
  end)

  it("leaves alone what another client wrote, of the same key", function()
    local name = shared:map_name()
    local client, at_owner = overtaken(name, "key-1", function(map) assert(map:set("key-1", { n = 1 })) end,
      function(map) assert(map:set("key-1", { n = 2 })) end)
    local other = shared:started()
    assert(other:map(name):set("key-1", { n = 3 }))
    assert(other:drain(60))
    assert.equal(0, repaired(client, name))
    assert.same({ n = 3 }, at_owner())
  end)

  it("ends with CLOSED when the client is closed while it goes on with what it has read", function()
    local client, name = shared:started(), shared:map_name()
    assert(client:map(name):set("key", 1))
    assert(client:drain(60))
    local holdings, unread = client.holdings, #client:connected_nodes()
    function client.holdings(...) -- close resumes whoever waits before it returns
      local records, err = holdings(...)
      unread = unread - 1
      if unread == 0 then client:close() end
      return records, err
    end
    local count, err = client:repair(name)
    assert.same({ nil, "CLOSED" }, { count, err and err.code })
  end)
end, { "sim://3", "sim://3?dialect=0.11" })
