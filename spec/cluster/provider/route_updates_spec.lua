--- What it takes to follow a change: how often the routing policy is asked, how often Lua calls the core
--- for routes, how many partition maps are decoded, and how many partitions get another connection.
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local eventually = require "spec.support.eventually"
local msgpack = require "wingman.base.msgpack"
local sim_support = require "spec.core.sim.support"
local wingman = require "wingman"

local PARTITIONS = 271

local COUNTED = { "set_route", "set_routes", "route", "routes", "partitions_at", "choose_map", "partition_map" }

-- Counts the calls of the core's methods about routes and maps, by their names.
local function count_crossings(client)
  local methods, originals, crossings = getmetatable(client.core).__index, {}, { counts = {} }
  for _, name in ipairs(COUNTED) do
    local method = methods[name]
    originals[name] = method
    methods[name] = method and function(...)
      crossings.counts[name] = (crossings.counts[name] or 0) + 1
      return method(...)
    end
  end
  function crossings.of(name) return crossings.counts[name] or 0 end
  function crossings.stop()
    for name, method in pairs(originals) do methods[name] = method end
  end
  return crossings
end

-- A routing policy that notes what it is asked.
local function noting()
  local notes = { asked = 0, inputs = {} }
  function notes.policy(partition, view)
    notes.asked = notes.asked + 1
    local input = ("%d %s %s %s"):format(partition.id, partition.owner, table.concat(partition.backups, ","),
      table.concat(view:nodes(), ","))
    notes.inputs[input] = (notes.inputs[input] or 0) + 1
    return wingman.policy.routing.direct(partition, view)
  end
  function notes.forget() notes.asked, notes.inputs = 0, {} end
  function notes.most()
    local most, what = 0, nil
    for input, times in pairs(notes.inputs) do
      if times > most then most, what = times, input end
    end
    return most, what
  end
  return notes
end

-- Partitions that two lists of owners give to different nodes.
local function differences(a, b)
  local count = 0
  for i = 1, PARTITIONS do count = count + (a[i] ~= b[i] and 1 or 0) end
  return count
end

clusters.on_each(getfenv(), "what a change of routes takes", function(shared, it)
  local client, notes, crossings

  before_each(function()
    notes = noting()
    client = shared:client { routing = notes.policy, reconnect = function() return 0.05 end }
    crossings = count_crossings(client)
  end)
  after_each(function() crossings.stop() end)

  local function start()
    assert(client:start())
    eventually("3 nodes are connected", function() return #client:connected_nodes() == 3, client:connected_nodes() end)
    eventually("each partition has a route", function()
      return client:router_stats().routed_partitions == PARTITIONS, client:router_stats().routed_partitions
    end)
  end

  it("at the start is one question for each partition and set of nodes, and one call for the answers", function()
    start()
    local most, what = notes.most()
    assert.equal(1, most, what)
    assert.equal(0, crossings.of "set_route" + crossings.of "route")
    local calls = crossings.of "set_routes" -- a 0.11 cluster's hash is awaited first: all partitions are held
    assert.is_true(calls <= notes.asked / PARTITIONS + 1, calls .. " calls, " .. notes.asked .. " questions")
    assert.is_true(client:router_stats().route_changes <= 3 * PARTITIONS, client:router_stats().route_changes)
  end)

  it("when a node dies is one call for the loss and one for each map, and a change for each partition that is held or moves", function()
    start()
    local owners, held, moved, maps = client:partition_map().owners, 0, 0, 0
    for _, id in ipairs(owners) do held = held + (id == "node-3" and 1 or 0) end
    client:on("map_changed", function()
      moved, maps = moved + differences(owners, client:partition_map().owners), maps + 1
      owners = client:partition_map().owners
    end)
    notes.forget()
    crossings.counts = {}
    local before = client:router_stats()
    assert(shared.cluster:kill "node-3")
    eventually("each partition has a route again", function()
      local stats = client:router_stats()
      return #client:connected_nodes() == 2 and stats.routed_partitions == PARTITIONS, stats.routed_partitions
    end)
    local most, what = notes.most()
    assert.equal(1, most, what)
    assert.equal(0, crossings.of "set_route" + crossings.of "route")
    assert.is_true(crossings.of "set_routes" <= 1 + maps, crossings.of "set_routes" .. " calls for " .. maps .. " maps")
    local changes = client:router_stats().route_changes - before.route_changes
    assert.is_true(changes <= held + moved, ("%d changes; %d partitions were held, %d moved"):format(changes, held, moved))
    shared:restart("node-3", client)
  end)
end)

clusters.on_each(getfenv(), "what a change of routes takes, with orders", function(shared, it)
  local client, notes, crossings

  before_each(function()
    notes = noting()
    client = shared:client { routing = notes.policy, map_requests = { debounce = 0.02, refresh = 60 } }
    crossings = count_crossings(client)
    assert(client:start())
    eventually("3 nodes are connected", function() return #client:connected_nodes() == 3, client:connected_nodes() end)
    local requests = client.provider.map_refresh
    eventually("no map is awaited", function() return not requests.debounce_timer and not requests.answer_timer end)
  end)
  after_each(function() crossings.stop() end)

  local function forget()
    notes.forget()
    crossings.counts = {}
    return client:router_stats()
  end

  -- The held map with the partition at another node; as PARTITION_MAP of a version.
  local function map_with(partition, owner, version)
    local held, nodes, partitions = client:partition_map(), msgpack.array {}, msgpack.array {}
    for i, node in ipairs(held.nodes) do nodes[i] = { nodeId = node.id, endpoints = { websocket = node.endpoint }, status = node.status } end
    for p = 0, PARTITIONS - 1 do
      partitions[p + 1] = { partitionId = p, ownerNodeId = p == partition and owner or held.owners[p + 1],
        backupNodeIds = msgpack.array { unpack(held.backups[p + 1]) } }
    end
    return core.encode { type = "PARTITION_MAP", payload = {
      version = version, partitionCount = PARTITIONS, nodes = nodes, partitions = partitions, generatedAt = core.wall_ms() + 1e9,
    } }
  end

  local function push(id, bytes) assert(shared.cluster:command(("send %s binary %s"):format(id, sim_support.hex(bytes)))) end

  local function another_than(id) return id == "node-1" and "node-2" or "node-1" end

  local function versions()
    local list = {}
    for i, node in ipairs(client.provider.connections.nodes) do list[i] = client.core:version_of(node.index) end
    return list
  end

  local function await_newer(before)
    eventually("each node has sent a newer map", function()
      local now, newer = versions(), 0
      for i in ipairs(now) do newer = newer + (now[i] > before[i] and 1 or 0) end
      return newer == 3, now
    end)
  end

  it("for a map that all nodes push is one decoding, one question, one call and one partition that moves", function()
    local changed = 0
    client:on("map_changed", function() changed = changed + 1 end)
    local owner = another_than(client:partition_map().owners[8])
    local bytes = map_with(7, owner, 5000)
    local before, reported = forget(), versions()
    for _, id in ipairs { "node-1", "node-2", "node-3" } do push(id, bytes) end
    await_newer(reported)
    local now = client:router_stats()
    assert.equal(owner, client:partition_map().owners[8])
    assert.same({ maps_decoded = 1, maps_seen = 1, map_changed = 1, asked = 1, route_changes = 1 }, {
      maps_decoded = now.maps_decoded - before.maps_decoded, maps_seen = now.maps_seen - before.maps_seen,
      map_changed = changed, asked = notes.asked, route_changes = now.route_changes - before.route_changes,
    })
    assert.same({ set_routes = 1, partition_map = 1 }, crossings.counts)
  end)

  it("for another map of the same version is what the other map takes", function()
    local first = client:partition_map().owners[8]
    push("node-1", map_with(7, another_than(first), 6000))
    eventually("the map of node-1 is taken", function() return client:partition_map().version == 6000, client:partition_map().version end)
    local other = map_with(7, "node-3", 6000)
    local before = forget()
    push("node-2", other)
    eventually("the map of node-2 is taken", function() return client:partition_map().owners[8] == "node-3", client:partition_map().owners[8] end)
    assert.equal(1, client:router_stats().maps_decoded - before.maps_decoded)
    assert.equal(1, notes.asked)
    assert.same({ set_routes = 1, partition_map = 1 }, crossings.counts)
  end)

  it("for a partition that moves is one question, one call and one change, whatever each node pushes", function()
    local owners = client:partition_map().owners
    local owner = another_than(owners[20])
    local before, reported = forget(), versions()
    assert(shared.cluster:move(19, owner))
    eventually("the partition goes to its new owner", function() return client:partition_map().owners[20] == owner, client:partition_map().owners[20] end)
    await_newer(reported)
    assert.equal(1, differences(owners, client:partition_map().owners)) -- 0.11 nodes list themselves first
    local now = client:router_stats()
    assert.same({ maps_decoded = 1, route_changes = 1 }, {
      maps_decoded = now.maps_decoded - before.maps_decoded, route_changes = now.route_changes - before.route_changes,
    })
    local most, what = notes.most()
    assert.equal(1, most, what)
    assert.is_true(notes.asked <= 3, notes.asked .. " questions")
    assert.is_true(crossings.of "set_routes" <= notes.asked, crossings.of "set_routes" .. " calls")
    assert.equal(0, crossings.of "set_route" + crossings.of "route" + crossings.of "routes")
  end)

  it("is everything once a policy is set, the same one, too", function()
    local inspect = require "wingman.inspect"
    forget()
    inspect.policy(client, "routing", notes.policy)
    assert.same({ PARTITIONS, 1 }, { notes.asked, crossings.of "set_routes" })
  end)

  it("is everything after a policy that failed", function()
    local inspect, fails = require "wingman.inspect", true
    inspect.policy(client, "routing", function(...)
      if fails then error "not now" end
      return notes.policy(...)
    end)
    assert.equal(1, #shared:logged "routing_policy")
    fails = false
    forget()
    client.provider:recompute()
    assert.same({ PARTITIONS, 1 }, { notes.asked, crossings.of "set_routes" })
  end)
end, { "sim://3", "sim://3?dialect=0.11" })
