--- The behaviour that Wingman exists for, (1) to (9), on each cluster that can be had.
local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"
local process_size = require "spec.support.process_size"
local vectors = require "spec.core.support"

local OPS = 300

-- The partition of a key by the recorded vectors, not by the code under test.
local function recorded_partition(key, kind)
  for _, case in ipairs(vectors.vectors "hash.json".cases) do
    if case.s == key then return kind == "fnv1a" and case.p_fnv or case.p_xxh end
  end
end

local function sum(t)
  local total = 0
  for _, n in pairs(t) do total = total + n end
  return total
end

-- Batches and operations that each node was sent since `before`, by the client.
local function sent(client, before)
  local batches, ops = {}, {}
  for _, node in ipairs(client:health().nodes) do
    local was = before and before[node.id] or { batches_sent = 0, ops_sent = 0 }
    batches[node.id] = node.stats.batches_sent - was.batches_sent
    ops[node.id] = node.stats.ops_sent - was.ops_sent
  end
  return batches, ops
end

-- How many of `OPS` keys each node owns.
local function owned_keys(client)
  local counts, owners = {}, client:partition_map().owners
  for i = 1, OPS do
    local id = owners[client:partition_of("key-" .. i) + 1]
    counts[id] = (counts[id] or 0) + 1
  end
  return counts
end

local function first_node_only(shared)
  return { cluster = { seeds = { shared.cluster.urls[1] } }, endpoint = function() return nil end }
end

clusters.on_each(getfenv(), "cluster behaviour", function(shared, it)
  it("(1) a client with seeds has a partition map with a version above 0 within 10 s", function()
    local client = shared:client { start_timeout = 10 }
    assert(client:start())
    local map = client:partition_map()
    assert.is_true(map.version > 0)
    assert.equal(271, map.partition_count)
    assert.equal(3, #client:connected_nodes())
  end)

  it("(2) a write reaches the node that owns hash(key) % 271 and no other", function()
    local client = shared:started()
    local kind = client:router_stats().hash
    local partition = recorded_partition("key-1", kind)
    assert.is_number(partition)
    local owner = client:partition_map().owners[partition + 1]
    assert(client:map("test"):set("key-1", { v = 1 }))
    assert(client:drain(60))
    assert.same({ owner }, shared:receivers("test", "key-1"))
    assert.same({ v = 1 }, shared:values(client, "test")["key-1"])
  end)

  it("(3) the engine gives send_batch each operation with its key; one OP_BATCH per node", function()
    local client = shared:started()
    local send_batch, seen, calls = client.provider.send_batch, {}, 0
    client.provider.send_batch = function(self, operations)
      calls = calls + 1
      for _, op in ipairs(operations:list()) do seen[op.key] = (seen[op.key] or 0) + 1 end
      return send_batch(self, operations)
    end
    local owned, map = owned_keys(client), client:map(shared:map_name())
    for i = 1, OPS do assert(map:set("key-" .. i, { i = i })) end
    assert(client:drain(60))
    assert.equal(1, calls)
    for i = 1, OPS do assert.equal(1, seen["key-" .. i]) end
    local batches, ops = sent(client)
    for _, node in ipairs(shared.cluster.nodes) do assert.equal(1, batches[node.id]) end
    assert.same(owned, ops)
  end)

  it("(4) a single server gets one OP_BATCH with everything", function()
    local client = shared:started { server = shared.cluster.urls[2] }
    assert.is_nil(client.provider.send_batch)
    assert.is_false(client:is_routing_active())
    if not shared.is_real then assert(shared.cluster:reset_stats()) end
    local map, count = client:map(shared:map_name()), 200 -- to a v2 server they are not more than 250
    for i = 1, count do assert(map:set("key-" .. i, { i = i })) end
    assert(client:drain(60))
    local stats = client:stats()
    assert.equal(1, stats.batches_sent)
    assert.equal(count, stats.ops_acked)
    if not shared.is_real then
      local nodes = assert(shared.cluster:stats())
      assert.same({ 0, 1, 0 }, { nodes["node-1"].op_batches, nodes["node-2"].op_batches, nodes["node-3"].op_batches })
      assert.equal(count, nodes["node-2"].ops)
    end
  end)

  it("(5) routing metrics count direct routes, fallbacks and misses", function()
    local client = shared:started()
    client:reset_routing_metrics()
    local name = shared:map_name()
    for i = 1, OPS do assert(client:map(name):set("key-" .. i, i)) end
    assert(client:drain(60))
    assert.same({ direct_routes = OPS, fallback_routes = 0, partition_misses = 0, total_routes = OPS },
      client:routing_metrics())
    client:reset_routing_metrics()
    assert.equal(0, client:routing_metrics().total_routes)

    local options = first_node_only(shared)
    options.fallback = true
    local lame = shared:started(options)
    local own = owned_keys(lame)["node-1"]
    for i = 1, OPS do assert(lame:map(name):set("key-" .. i, i)) end
    assert(lame:drain(60))
    assert.same({ direct_routes = own, fallback_routes = OPS - own, partition_misses = 0, total_routes = OPS },
      lame:routing_metrics())

    local early = shared:client()
    for i = 1, 7 do assert(early:map(name):set("early-" .. i, i)) end
    assert.equal(7, early:routing_metrics().partition_misses)
    assert(early:start())
    assert(early:drain(60))
    assert.equal(7, early:stats().ops_acked)
  end)

  it("(8) keys without a route are warned about and stay pending", function()
    local client = shared:started(first_node_only(shared))
    local own = owned_keys(client)["node-1"]
    local map = client:map(shared:map_name())
    for i = 1, OPS do assert(map:set("key-" .. i, i)) end
    eventually("the keys of node-1 are acknowledged", function() return client:stats().ops_acked == own, client:stats().ops_acked end)
    local ok, err = client:drain(0.1)
    assert.is_nil(ok)
    assert.equal("TIMEOUT", err.code)
    assert.equal(OPS - own, client:pending_ops())
    assert.equal(own, client:stats().ops_acked)
    local warnings = shared:logged "send_batch_failed"
    assert.equal(1, #warnings)
    assert.equal(OPS - own, warnings[1].count)
    assert.is_true(#warnings[1].failed_keys > 0)
    local owners = client:partition_map().owners
    for _, key in ipairs(warnings[1].failed_keys) do
      assert.not_equal("node-1", owners[client:partition_of(key) + 1])
    end
  end)

  it("(9) close() leaves no timer, no socket and no memory behind", function()
    local function cycle()
      local client = shared:started()
      client:map("closing"):set("a", 1)
      assert(client:drain(60))
      assert.equal(1, (client:map("closing"):read("a", { timeout = 60 })))
      client:map("closing"):set("b", 2)
      client:close()
      shared.clients = {}
    end
    for _ = 1, 50 do cycle() end
    local timers, memory, fds = loop.timer_count(), process_size.kilobytes(), process_size.settled_fds()
    for _ = 1, 50 do cycle() end
    assert.equal(timers, loop.timer_count())
    assert.is_true(process_size.kilobytes() - memory < 64, "Lua memory grew")
    -- A busy node takes its time for its side of a close; 50 clients that left one each are more.
    eventually("no more file descriptors are open than after the first 50 clients", function()
      local count = process_size.count_fds()
      return count <= fds, count, fds
    end)
  end)

  it("(6) the map is asked for after every reconnection, whatever version is held", function()
    -- A second client sees when the node owns partitions again: a real node that is slow gets them after
    -- the first one's request.
    local client, observer = shared:started { map_requests = { refresh = 600 } }, shared:started()
    local requests, at_connect = client.provider.map_refresh
    local node_connected = requests.node_connected
    function requests:node_connected(node_index)
      at_connect = self.sent
      node_connected(self, node_index)
    end
    for _ = 1, 2 do
      at_connect = nil
      assert(shared.cluster:kill "node-3")
      eventually("2 nodes are connected", function() return #client:connected_nodes() == 2, client:connected_nodes() end)
      if not shared.is_real then assert(shared.cluster:reset_stats()) end
      shared:restart("node-3", observer)
      eventually("3 nodes are connected", function() return #client:connected_nodes() == 3, client:connected_nodes() end)
      assert.is_true(client:partition_map().version > 0)
      eventually("the map is asked for after the reconnection", function() return requests.sent > at_connect, requests.sent end)
      if not shared.is_real then
        eventually("the node that connected last is asked", function()
          return assert(shared.cluster:stats())["node-3"].map_requests > 0
        end)
      end
    end
  end)

  it("(7) simultaneous reconnections make one request", function()
    local client = shared:started {
      heartbeat = { interval = 0.1, timeout = 1 }, reconnect = function() return 0.05 end,
      map_requests = { refresh = 600 },
    }
    local requests = client.provider.map_refresh
    eventually("3 nodes are connected", function() return #client:connected_nodes() == 3, client:connected_nodes() end)
    eventually("the debounce window ends", function() return not requests.debounce_timer end)
    requests.options.debounce, requests.options.max_wait = 3, 60 -- simultaneous is what comes within it
    for _, node in ipairs(shared.cluster.nodes) do assert(shared.cluster:pause(node.id)) end
    eventually("no node is connected", function() return #client:connected_nodes() == 0, client:connected_nodes() end)
    local asked, opened = requests.sent, 0
    client:on("node_connected", function() opened = opened + 1 end)
    if not shared.is_real then assert(shared.cluster:reset_stats()) end
    for _, node in ipairs(shared.cluster.nodes) do assert(shared.cluster:resume(node.id)) end
    eventually("three nodes are connected again", function() return opened == 3, opened end)
    eventually("the debounce window ends", function() return not requests.debounce_timer end)
    assert.equal(asked + 1, requests.sent)
    if not shared.is_real then
      local counted = {}
      for id, node in pairs(assert(shared.cluster:stats())) do counted[id] = node.map_requests end
      assert(sum(counted) >= 1)
    end
  end)
end)
