--- The cluster provider: policies, endpoints, seeds, identities.
local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"
local inspect = require "wingman.inspect"
local loop = require "wingman.loop"
local policy = require("wingman").policy

local function set_all(map, count)
  for i = 1, count do assert(map:set("key-" .. i, i)) end
end

clusters.on_each(getfenv(), "cluster provider", function(shared, it)
  it("asks a routing policy per partition and change, never per operation", function()
    local calls = 0
    local client = shared:started { routing = function(partition, view)
      calls = calls + 1
      return policy.routing.direct(partition, view)
    end }
    eventually("3 nodes are connected", function() return #client:connected_nodes() == 3, client:connected_nodes() end)
    local last, since = calls, loop.now()
    eventually("no map has changed for a while", function()
      if calls ~= last then last, since = calls, loop.now() end
      return loop.now() - since > client.options.map_requests.debounce + 0.1, calls
    end)
    local before = calls
    assert.is_true(before >= 271)
    set_all(client:map(shared:map_name()), 2000)
    assert(client:drain(60))
    assert.equal(before, calls)
  end)

  it("keeps the last good table when a policy raises or answers nonsense, and says so", function()
    local client = shared:started()
    local name = shared:map_name()
    for _, bad in ipairs { function() error "policy broke" end, function() return "no-such-node" end, function() return 42 end } do
      inspect.policy(client, "routing", bad)
      set_all(client:map(name), 100)
      assert(client:drain(60))
    end
    local complaints = shared:logged "routing_policy"
    assert.equal(3, #complaints)
    assert.truthy(complaints[1].error:find("policy broke", 1, true))
    assert.truthy(complaints[1].error:find("traceback", 1, true))
    assert.truthy(complaints[2].error:find("'no-such-node' for partition 0 is no node that can be used", 1, true))
    assert.truthy(complaints[3].error:find("'42'", 1, true))
  end)

  it("holds what has moved since a policy last answered, and sends the rest", function()
    if shared.is_real then return end -- moves nothing on order
    local client = shared:started()
    eventually("3 nodes are connected", function() return #client:connected_nodes() == 3, client:connected_nodes() end)
    local keys, fails = clusters.keys_of(client, "node-1", 20), true
    local moved, others = keys[1], nil
    for _, key in ipairs(keys) do
      if client:partition_of(key) ~= client:partition_of(moved) then others = key end
    end
    inspect.policy(client, "routing", function(...)
      if fails then error "policy broke" end
      return policy.routing.direct(...)
    end)
    assert(shared.cluster:move(client:partition_of(moved), "node-2"))
    eventually("the partition belongs to node-2", function()
      local owner = client:partition_map().owners[client:partition_of(moved) + 1]
      return owner == "node-2", owner
    end)
    local map = client:map(shared:map_name())
    local seq = assert(map:set(moved, "once moved"))
    assert(client:wait(assert(map:set(others, "as ever")), 60))
    assert.equal(1, client:backlog().held)
    fails = false
    inspect.policy(client, "routing", policy.routing.direct)
    assert(client:wait(seq, 60))
    assert.equal("once moved", (map:read(moved)))
  end)

  it("says so when the policy holds everything, and starts all the same once it does not", function()
    local holds = true
    local client = shared:client {
      start_timeout = shared.is_real and 10 or 3, routing = function(...) return not holds and policy.routing.direct(...) or nil end,
    }
    local ok, err = client:start()
    assert.is_nil(ok)
    assert.truthy(err.message:find("the routing policy holds all of them", 1, true), err.message)
    assert.truthy(err.message:find(shared.cluster.urls[1] .. ": connected", 1, true), err.message)
    holds = false
    inspect.policy(client, "routing", client.options.routing)
    set_all(client:map(shared:map_name()), 10)
    assert(client:drain(60))
  end)

  it("learns which seed is which node, and counts a node once", function()
    local urls = { shared.cluster.urls[1], (shared.cluster.urls[1]:gsub("127%.0%.0%.1", "localhost")), shared.cluster.urls[2],
      shared.cluster.urls[3] }
    local client = shared:started { cluster = { seeds = urls } }
    eventually("3 nodes are connected", function() return #client:connected_nodes() == 3, client:connected_nodes() end)
    assert.same({ "node-1", "node-2", "node-3" }, client:connected_nodes())
    set_all(client:map(shared:map_name()), 200)
    assert(client:drain(60))
  end)

  it("starts though one seed is dead", function()
    -- It would wait for longer than it may, if it waited for that one.
    local client = shared:client {
      cluster = { seeds = { "ws://127.0.0.1:1", unpack(shared.cluster.urls) } }, start_timeout = 60,
      reconnect = function() return 3600 end,
    }
    assert(client:start())
    assert.equal(3, #client:connected_nodes())
  end)

  it("takes the address of a node from an explicit table", function()
    local nodes = {}
    for i, node in ipairs(shared.cluster.nodes) do nodes[node.id] = shared.cluster.urls[i] end
    local client = shared:started { cluster = { seeds = { shared.cluster.urls[2] }, nodes = nodes } }
    eventually("3 nodes are connected", function() return #client:connected_nodes() == 3, client:connected_nodes() end)
  end)

  it("finds the other nodes from one seed by the endpoint policy", function()
    local asked = {}
    local client = shared:started {
      cluster = { seeds = { shared.cluster.urls[1] } },
      endpoint = function(id, _, seeds)
        asked[id] = seeds
        for i, node in ipairs(shared.cluster.nodes) do
          if node.id == id then return shared.cluster.urls[i] end
        end
      end,
    }
    eventually("3 nodes are connected", function() return #client:connected_nodes() == 3, client:connected_nodes() end)
    assert.is_nil(asked["node-1"])
    assert.same({ shared.cluster.urls[1] }, asked["node-2"])
    set_all(client:map(shared:map_name()), 200)
    assert(client:drain(60))
  end)

  it("reports an endpoint policy that raises, and goes on without", function()
    local client = shared:started { cluster = { seeds = { shared.cluster.urls[1] } }, endpoint = function() error "no idea" end }
    assert.same({ "node-1" }, client:connected_nodes())
    assert.truthy(shared:logged("endpoint_policy")[1].error:find("no idea", 1, true))
  end)

  it("gives up when the reconnect policy raises, and says so", function()
    local client = shared:client { cluster = { seeds = { "ws://127.0.0.1:1" } }, reconnect = function() error "why" end,
      start_timeout = 2 }
    local ok, err = client:start()
    assert.is_nil(ok)
    assert.equal("ERROR", client.state.current)
    assert.truthy(shared:logged("reconnect_policy")[1].error:find("why", 1, true))
    assert.truthy(err.message:find("ws://127.0.0.1:1", 1, true))
  end)

  it("goes through the states, and keeps them", function()
    local client = shared:client()
    assert.equal("DISCONNECTED", client.state.current)
    assert(client:start())
    local states = {}
    for _, change in ipairs(client.state.history) do states[#states + 1] = change.to end
    assert.same({ "CONNECTING", "AUTHENTICATING", "SYNCING", "CONNECTED" }, states)
    client:close()
    assert.equal("DISCONNECTED", client.state.current)
  end)

  it("sends messages to the owner of a key, or to any node", function()
    local client = shared:started()
    local owner = client:partition_map().owners[client:partition_of "key-1" + 1]
    assert.equal(owner, client.provider:node_of("key-1").id)
    assert.is_table(client.provider:any_node())
    assert(client.provider:send({ type = "PING", timestamp = 1 }, "key-1"))
  end)
end)

-- A real node does so at times, but not when told to.
clusters.on_each(getfenv(), "cluster provider and stale maps", function(shared, it)
  it("does not believe a node that still gives partitions to a dead one", function()
    local client = shared:started { map_requests = { debounce = 0.05 } }
    assert(shared.cluster:fault("node-2", "map-stale", true))
    assert(shared.cluster:kill "node-3")
    local function owns_none()
      for _, id in ipairs(client:partition_map().owners) do
        if id == "node-3" then return false end
      end
      return true
    end
    eventually("the node owns nothing", owns_none)
    local node
    for _, candidate in ipairs(client.provider:nodes()) do
      if candidate.id == "node-2" then node = candidate end
    end
    local is_back = false
    client:on("node_connected", function(event) is_back = is_back or event.id == "node-2" end)
    assert(shared.cluster:fault("node-2", "close", 1001))
    eventually("node-2 is connected again", function() return is_back end)
    -- A new connection is asked, and answers with its old view under a new time.
    eventually("the node has sent the version of its map", function() return client.core:version_of(node.index) > 0, client.core:version_of(node.index) end)
    assert.is_true(owns_none())
    set_all(client:map(shared:map_name()), 500)
    assert(client:drain(60))
    assert(shared.cluster:fault("all", "none"))
    shared:restart("node-3", client)
  end)

  local function owned_by_node_3(client)
    for _, id in ipairs(client:partition_map().owners) do
      if id == "node-3" then return true end
    end
    return false
  end

  -- The others have said that node-3 is gone, and nothing since: then it came back, and
  -- is lost again. What happens to a key of it at that moment.
  local function lost_again(client)
    assert(shared.cluster:fault("all", "map-unpushed", true))
    local key = clusters.keys_of(client, "node-3", 1)[1]
    assert(shared.cluster:kill "node-3")
    assert(client:map(shared:map_name()):set(key, 1)) -- what has no route has the map asked for
    eventually("the map names other owners for the partitions of node-3", function() return not owned_by_node_3(client) end)
    return function(asked)
      local reported, route
      client:on("node_lost", function() reported, route = true, client.provider:node_of(asked) end)
      assert(shared.cluster:kill "node-3")
      eventually("the loss is reported", function() return reported end)
      return route
    end
  end

  it("does not believe a map from before the lost node had come back", function()
    local client = shared:started { map_requests = { debounce = 0.05, refresh = 600 } }
    local kill_again = lost_again(client)
    shared:restart("node-3", client)
    local key = clusters.keys_of(client, "node-3", 1)[1]
    assert.is_nil(kill_again(key), "a key of the dead node goes somewhere before anybody said so")
    local map = client:map(shared:map_name())
    assert(map:set(key, { n = 1 }))
    assert(client:drain(60))
    assert.same({ n = 1 }, assert(client:holdings(client:partition_map().owners[client:partition_of(key) + 1], map.name))[key].value)
    assert(shared.cluster:fault("all", "none"))
    shared:restart("node-3", client)
  end)

  it("believes it when its node has nothing newer", function()
    local client = shared:started { map_requests = { debounce = 0.05, refresh = 600, answer_timeout = 0.2 } }
    local kill_again = lost_again(client)
    assert(shared.cluster:fault("node-1", "map-stale", true))
    assert(shared.cluster:fault("node-2", "map-stale", true))
    shared:restart("node-3", client)
    local key = clusters.keys_of(client, "node-3", 1)[1]
    assert.is_nil(kill_again(key))
    assert(client:map(shared:map_name()):set(key, 1))
    assert(client:drain(60))
    assert(shared.cluster:fault("all", "none"))
    shared:restart("node-3", client)
  end)
end, { "sim://3", "sim://3?dialect=0.11" })
