--- What a node holds no more after its connection was away: was it removed, or has the node lost it?
local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"

local env = getfenv()

--- Seconds for which the reader stays away, while the writer is back at once.
local AWAY = 0.5

clusters.on_each(env, "what is gone after a reconnection", function(shared, it)
  it("was removed, if the node holds something from before", function()
    local writer = shared:started { reconnect = function() return 0.01 end }
    local reader = shared:started { reconnect = function() return AWAY end }
    local written, map = writer:map "gone", reader:map "gone"
    for i = 1, 60 do assert(written:set("k" .. i, i)) end
    assert(writer:drain(60))
    local copy = map:replicate()
    assert(map:synced(60))
    assert(shared.cluster:fault("all", "reset"))
    eventually("the reader is away", function() return #reader:connected_nodes() == 0 end)
    eventually("the writer is back", function() return #writer:connected_nodes() == 1 end)
    for i = 1, 50 do assert(written:remove("k" .. i)) end
    assert(writer:drain(60))
    assert.equal(60, map:size())
    assert(map:synced(60))
    assert.same({ 10, 0 }, { map:size(), copy:status().lost })
  end)
end, { "sim://1" })

clusters.on_each(env, "a node that came up empty", function(shared, it)
  local function restart(client, id)
    assert(shared.cluster:kill(id))
    eventually(id .. " is lost", function() return #client:connected_nodes() == 1 end)
    shared:restart(id, client)
    eventually(id .. " is back", function() return #client:connected_nodes() == 2 end)
  end

  it("shows what another one holds: a watch is told, and `behind` says when", function()
    local client = shared:started()
    local map, told = client:map "moved", {}
    local copy = map:replicate()
    map:watch(nil, function(key, value) told[key] = value end)
    eventually("both are connected", function() return #client:connected_nodes() == 2 end)
    local keys = clusters.keys_of(client, "node-1", 40)
    for _, key in ipairs(keys) do assert(map:set(key, "first")) end
    assert(client:drain(60))
    for _, key in ipairs(keys) do assert(shared.cluster:move(client:partition_of(key), "node-2")) end
    eventually("they have moved", function()
      for _, key in ipairs(keys) do
        if client:partition_map().owners[client:partition_of(key) + 1] ~= "node-2" then return false end
      end
      return true
    end)
    local writer = shared:started()
    for _, key in ipairs(keys) do assert(writer:map("moved"):set(key, "second")) end
    assert(writer:drain(60))
    assert(map:synced(60))
    eventually("all is told", function() return copy:status().behind == 0 end)
    assert.equal("second", told[keys[1]])
    restart(client, "node-2")
    assert(map:synced(60))
    eventually("all is told", function() return copy:status().behind == 0 end)
    for _, key in ipairs(keys) do assert.same({ "first", "first" }, { map:get(key), told[key] }) end
    assert.equal(0, copy:status().lost)
  end)
end, { "sim://2" })
