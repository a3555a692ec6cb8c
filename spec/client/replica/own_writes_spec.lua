--- When an own write that was acknowledged, and whose announcement never came, is shown no more; that a replica keeps
--- up with writing that does not end; and that it knows a node at each of its addresses.
local checker = require "spec.support.replica_checker"
local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"

local env = getfenv()

-- Two clients that are connected to every node, and a map of each.
local function two(shared)
  local clients, maps, name = {}, {}, shared:map_name()
  for i = 1, 2 do
    clients[i] = shared:started()
    maps[i] = clients[i]:map(name)
    eventually("every node is connected", function() return #clients[i]:connected_nodes() == #shared.cluster.nodes end)
  end
  return clients[1], maps[1], clients[2], maps[2]
end

local function assert_right(map, observer)
  assert(map:synced(60))
  local differences
  eventually("the replica is what the nodes hold", function()
    differences = checker.differences(map, checker.expected(observer, map.name))
    return not differences, differences
  end)
end

-- Silences the connections of a node that listen to changes: what it says on them is lost.
local function silence(cluster, id)
  for _, session in ipairs(assert(cluster:connections(id))) do
    if session.carried.QUERY_SUB then assert(cluster:fault(id, "drop", session.number)) end
  end
end

clusters.on_each(env, "a replica of a client that writes", function(shared, it)
  it("shows what the new owner has, when the node that acknowledged an own write is gone", function()
    local writer, map, other, others = two(shared)
    assert(map:synced(60))
    local key = clusters.keys_of(writer, "node-1", 1)[1]
    silence(shared.cluster, "node-1")
    assert(map:set(key, "own"))
    assert(writer:drain(60))
    assert.equal("own", map:get(key))
    assert(shared.cluster:kill "node-1")
    for _, client in ipairs { writer, other } do
      eventually("another node owns the key", function() return client:partition_map().owners[client:partition_of(key) + 1] ~= "node-1" end)
    end
    assert(others:set(key, "foreign"))
    assert(other:drain(60))
    eventually("it is shown", function() return map:get(key) == "foreign", map:get(key) end)
    assert(others:remove(key))
    assert(other:drain(60))
    eventually("it is removed", function() return map:get(key) == nil, map:get(key) end)
    shared:restart("node-1", writer)
    assert_right(map, other)
  end)
end, { "sim://3" })

clusters.on_each(env, "a replica that was closed", function(shared, it)
  it("hides nothing from the next one of its map", function()
    local writer, map, other, others = two(shared)
    assert(map:synced(60))
    for i = 1, 300 do assert(map:set("k" .. i, "own")) end
    assert(writer:drain(60))
    map:replicate():close() -- most of the writes were not seen back
    for i = 1, 300 do
      if i % 3 > 0 then assert(others:set("k" .. i, "foreign")) else assert(others:remove("k" .. i)) end
    end
    assert(other:drain(60))
    assert_right(map, other)
    for i = 1, 300 do assert(others:set("k" .. i, i)) end
    assert(other:drain(60))
    assert_right(map, other)
  end)
end, { "sim://3?event_queue=1", "topgun://3" })

clusters.on_each(env, "a replica while others write without end", function(shared, it)
  it("goes on reading what differs, at the pace of its comparisons", function()
    local writer, map, _, others = two(shared)
    map:replicate { check = 0.05 }
    local is_on = true
    assert(map:synced(60))
    loop.spawn(function()
      local i = 0
      while is_on do
        for _ = 1, 20 do
          i = i + 1
          assert(others:set("k" .. i % 500, { v = i }))
        end
        loop.sleep(0.01) -- more would leave a busy machine no time to read
      end
    end)
    local function walks()
      local count = 0
      for _, node in ipairs(writer.provider:nodes()) do count = count + select(6, map.core_map:replica_node(node.index)) end
      return count
    end
    -- With pauses that are doubled for each the last ones would take minutes.
    local before = walks()
    eventually("it has read often", function() return walks() - before > 45, walks() - before end)
    is_on = false
  end)
end, { "sim://3?event_queue=1", "sim://3?dialect=0.11" })

clusters.on_each(env, "a replica of nodes with several addresses", function(shared, it)
  it("follows a node that is reached at another one", function()
    local seeds = {}
    for _, url in ipairs(shared.cluster.urls) do
      seeds[#seeds + 1] = url
      seeds[#seeds + 1] = (url:gsub("127%.0%.0%.1", "localhost"))
    end
    local other, reader = shared:started(), shared:started { cluster = { seeds = seeds } }
    local others, map = other:map "m", reader:map "m"
    for i = 1, 60 do assert(others:set("k" .. i, i)) end
    assert(other:drain(60))
    assert(map:synced(60))
    for round = 1, 4 do
      assert(shared.cluster:fault("all", "reset"))
      for i = 1, 60 do
        if (i + round) % 4 == 0 then assert(others:remove("k" .. i)) else assert(others:set("k" .. i, round)) end
      end
      assert(other:drain(60))
      assert_right(map, other)
      assert.equal("live", map:replicate():status().state)
    end
  end)
end, { "sim://2", "sim://2?dialect=0.11" })
