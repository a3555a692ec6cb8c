--- Partition maps as they should not be, but may: what the client makes of each, seen
--- from where its writes go.
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local eventually = require "spec.support.eventually"
local msgpack = require "wingman.base.msgpack"
local sim = require "wingman.sim"
local sim_support = require "spec.core.sim.support"
local sockets = require "spec.support.sockets"

local PATIENCE = 60
local IDS = { "node-1", "node-2", "node-3" }

clusters.on_each(getfenv(), "a partition map", function(shared, it)
  local client, map

  -- The requests that connecting caused are answered.
  local function await_maps()
    local requests = client.provider.map_refresh
    eventually("no map is awaited", function() return not requests.debounce_timer and not requests.answer_timer end)
  end

  before_each(function()
    assert(shared.cluster:fault("all", "map-unpushed"))
    client = shared:started { map_requests = { debounce = 0.02, refresh = 60 }, reconnect = function() return 0.02 end }
    eventually("3 nodes are connected", function() return #client:connected_nodes() == 3, client:connected_nodes() end)
    await_maps()
    map = client:map(shared:map_name())
  end)
  after_each(function() assert(shared.cluster:fault("all", "none")) end)

  local function index_of(id)
    for _, node in ipairs(client.provider.connections.nodes) do
      if node.id == id then return node.index end
    end
  end

  local function send(id, message)
    assert(shared.cluster:command(("send %s binary %s"):format(id, sim_support.hex(core.encode(message)))))
  end

  -- A map from node-1, newer than all others. `changes`: version, count, nodes, and
  -- owner(partition), which gives ids; nil leaves the partition out.
  local function map_message(changes)
    local count = changes.count or 271
    local nodes, partitions = msgpack.array {}, msgpack.array {}
    for i, id in ipairs(changes.nodes or IDS) do
      nodes[i] = { nodeId = id, endpoints = { websocket = changes.endpoint or "" }, status = "ACTIVE" }
    end
    for p = 0, count - 1 do
      for _, owner in ipairs { changes.owner(p) } do
        partitions[#partitions + 1] = { partitionId = p, ownerNodeId = owner, backupNodeIds = msgpack.array {} }
      end
    end
    return { type = "PARTITION_MAP", payload = {
      version = changes.version or client.core:version_of(index_of "node-1") + 1, partitionCount = count,
      generatedAt = core.wall_ms() + 1e9, nodes = nodes, partitions = partitions,
    } }
  end

  local function give(changes)
    local generation = select(2, client.core:map_version())
    send("node-1", map_message(changes))
    eventually("the map is taken", function() return select(2, client.core:map_version()) > generation, select(2, client.core:map_version()) end)
  end

  local function always(id) return function() return id end end
  local function by_turns(p) return IDS[p % 3 + 1] end

  -- Where a key's writes go: the id, or "held".
  local function route(key)
    local node = client.provider:node_of(key)
    return node and node.id or "held"
  end

  local function key_in(partition)
    local i = 0
    while true do
      i = i + 1
      if client:partition_of("k" .. i) == partition then return "k" .. i end
    end
  end

  it("moves everything when it says so (what the other specs compare with)", function()
    give { owner = always "node-3" }
    for p = 0, 270, 30 do assert.equal("node-3", route(key_in(p))) end
    assert(map:set("a", 1))
    assert(client:drain(PATIENCE))
    assert.same({ "node-3" }, shared:receivers(map.name, "a"))
  end)

  it("of an older version, or of the same, changes nothing", function()
    give { owner = by_turns }
    local version = client.core:version_of(index_of "node-1")
    for _, old in ipairs { version, version - 1, 1 } do
      send("node-1", map_message { owner = always "node-3", version = old })
    end
    assert(client:wait(assert(map:set("a", 1)), PATIENCE)) -- read after the maps
    assert(client:query(map.name))
    assert.equal(version, client.core:version_of(index_of "node-1"))
    for p = 0, 8 do assert.equal(IDS[p % 3 + 1], route(key_in(p))) end
  end)

  it("that is a delta with the wrong base is refused, and a whole one is asked for at once", function()
    give { owner = by_turns }
    local version, asked = client.core:version_of(index_of "node-1"), client:router_stats().map_requests
    local function delta(previous, owner)
      send("node-1", { type = "PARTITION_MAP_DELTA", payload = {
        previousVersion = previous, version = previous + 1,
        changes = { { partitionId = 0, oldOwner = "node-1", newOwner = owner } },
      } })
    end
    delta(version, "node-2")
    eventually("the delta is taken", function() return route(key_in(0)) == "node-2", route(key_in(0)) end)
    delta(version + 50, "node-3")
    eventually("a whole map is asked for", function() return client:router_stats().map_requests > asked, client:router_stats().map_requests end)
    assert.truthy(shared:logged("partition_map_refused")[1].reason:find("another version", 1, true))
    assert.is_true(route(key_in(0)) ~= "node-3")
    delta(version + 1, "ghost")
    eventually("a map with an unknown owner is refused", function() return #shared:logged "partition_map_refused" >= 2, #shared:logged "partition_map_refused" end)
  end)

  it("with an owner that is not in `nodes`: goes there if it is connected, else waits", function()
    give { nodes = { "node-1" }, owner = function(p) return p == 5 and "ghost" or by_turns(p) end }
    for p = 0, 4 do assert.equal(IDS[p % 3 + 1], route(key_in(p))) end
    assert.equal("held", route(key_in(5)))
    local seq = assert(map:set(key_in(5), "waits"))
    assert(client:wait(assert(map:set(key_in(1), 1)), PATIENCE))
    assert.equal(1, client:pending_ops())
    give { owner = by_turns }
    assert(client:wait(seq, PATIENCE))
  end)

  it("with a partition missing: its writes wait; listed twice: the last counts", function()
    give { owner = function(p)
      if p == 3 then return nil end
      if p == 4 then return "node-1", "node-3" end
      return "node-2"
    end }
    assert.equal("held", route(key_in(3)))
    assert.equal("node-3", route(key_in(4)))
    assert.equal("node-2", route(key_in(6)))
    local seq = assert(map:set(key_in(3), 1))
    give { owner = always "node-1" }
    assert(client:wait(seq, PATIENCE))
  end)

  it("of another partition count: routes and what waits are counted anew", function()
    give { owner = function(p) return p % 2 == 0 and "ghost" or "node-1" end }
    for i = 1, 200 do assert(map:set("k" .. i, i)) end
    local routed, held = 0, 0
    for i = 1, 200 do
      if client:partition_of("k" .. i) % 2 == 0 then held = held + 1 else routed = routed + 1 end
    end
    eventually("what has a route leaves", function() return client:pending_ops() == held, client:pending_ops() end)
    for _, count in ipairs { 7, 1, 1024, 271 } do
      give { count = count, owner = function(p) return p % 2 == 1 and count > 1 and "ghost" or "node-2" end }
      assert.equal(count, client:router_stats().partition_count)
      for i = 1, 50 do
        local key = "k" .. i
        assert.is_true(client:partition_of(key) < count)
        assert.equal(client:partition_of(key) % 2 == 1 and "held" or "node-2", route(key))
      end
    end
    give { owner = by_turns }
    assert(client:drain(PATIENCE))
    for i = 1, 200 do assert.equal(i, map:get("k" .. i)) end
  end)

  it("of more than a step can read is refused, with the count and the bound", function()
    give { owner = by_turns }
    local function refused(message, reason)
      shared.log = {}
      send("node-1", message)
      eventually("the map is refused", function() return shared:logged("partition_map_refused")[1] end)
      assert.equal("partition map: " .. reason, shared:logged("partition_map_refused")[1].reason)
      assert.equal(271, client:router_stats().partition_count)
    end
    refused(map_message { count = 1025, owner = always "node-3" }, "1025 partitions; at most 1024 are taken")
    local three_each = map_message { owner = function() return "node-1", "node-2", "node-3", "node-1" end }
    refused(three_each, "1084 entries of partitions; at most 1024 are taken")
    local long = map_message { owner = by_turns }
    long.payload.noise = {}
    for i = 1, 32768 do long.payload.noise[i] = i end
    refused(long, "34709 keys and values; at most 32768 are taken")
    long.type = "PARTITION_MAP_DELTA"
    refused(long, "34709 keys and values; at most 32768 are taken")
    assert.equal("node-1", route(key_in(0)))
  end)

  it("that advertises what cannot be reached closes no working connection", function()
    local dead = assert(sockets.blackhole "127.0.0.9")
    local before = {}
    for _, node in ipairs(client:health().nodes) do before[node.id] = node.connects end
    for _, endpoint in ipairs { "ws://unknown:0", "ws://127.0.0.1:1", "ws://127.0.0.9:" .. dead.port, "", "no url", "ws://" } do
      give { owner = by_turns, endpoint = endpoint }
      assert(client:wait(assert(map:set("k1", endpoint)), PATIENCE))
    end
    for _, node in ipairs(client:health().nodes) do assert.equal(before[node.id], node.connects) end
    assert.equal(3, #client:health().nodes, "an address of a node that is connected was tried")
    -- Nodes that nobody has shown: tried where there is an address, and nothing else.
    give { owner = by_turns, nodes = { "node-1", "node-2", "node-3", "ghost" }, endpoint = "ws://unknown:0" }
    assert.equal(3, #client:health().nodes)
    assert.same({}, shared:logged "endpoint_invalid")
    give { owner = by_turns, nodes = { "node-1", "node-2", "node-3", "ghost" }, endpoint = "ws://127.0.0.9:" .. dead.port }
    assert.equal(4, #client:health().nodes)
    assert(client:wait(assert(map:set("k2", 1)), PATIENCE))
    assert.equal(3, #client:connected_nodes())
    for _, node in ipairs(client:health().nodes) do assert.equal(before[node.id] or 0, node.connects) end
    dead:close()
  end)

  it("that advertises a new address of a node which is lost for long: it is tried", function()
    client:close()
    local port, here = tonumber(shared.cluster.urls[2]:match ":(%d+)"), "127.0.0.1"
    client = shared:started {
      cluster = { seeds = { shared.cluster.urls[1], "ws://old.test:" .. port, shared.cluster.urls[3] } },
      endpoint = function(id) return shared.cluster.urls[tonumber(id:match "%d+$")] end, -- a 0.11 server advertises another port
      resolver = function() return { here } end, reconnect = function() return 0.02 end,
    }
    eventually("3 nodes are connected", function() return #client:connected_nodes() == 3, client:connected_nodes() end)
    local urls = #client:health().nodes
    here = "127.0.0.9" -- where nothing listens: the node has moved
    assert(shared.cluster:fault("node-2", "close", 1001))
    eventually("the advertised address is tried", function() return #client:health().nodes == urls + 1, #client:health().nodes end)
    eventually("3 nodes are connected", function() return #client:connected_nodes() == 3, client:connected_nodes() end)
    assert(client:drain(PATIENCE))
  end)

  it("inside a BATCH envelope counts like any other", function()
    local bytes = core.encode(map_message { owner = always "node-2" })
    local function u32(n)
      return string.char(n % 256, math.floor(n / 256) % 256, math.floor(n / 65536) % 256, math.floor(n / 16777216))
    end
    local pong = core.encode { type = "PONG", timestamp = 1 }
    local data = u32(2) .. u32(#pong) .. pong .. u32(#bytes) .. bytes
    -- {type: "BATCH", count: 2, data: bin32}
    local size = #data
    local frame = "\131\164type\165BATCH\165count\2\164data\198"
      .. string.char(math.floor(size / 16777216), math.floor(size / 65536) % 256, math.floor(size / 256) % 256, size % 256) .. data
    assert(shared.cluster:command(("send node-1 binary %s"):format(sim_support.hex(frame))))
    eventually("the map is taken", function() return route(key_in(0)) == "node-2" and route(key_in(1)) == "node-2" end)
  end)

  it("without nodes and partitions is believed less than those that name nodes", function()
    local empty = { nodes = {}, owner = function() return nil end }
    local generation = select(2, client.core:map_version())
    send("node-1", map_message(empty))
    assert(client:query(map.name)) -- node-1's answer comes after its map
    assert.is_true(client:router_stats().routed_partitions == 271, "the routes are gone")
    assert.is_true(client:is_routing_active())
    assert(client:wait(assert(map:set("a", 1)), PATIENCE))
    assert.is_true(select(2, client.core:map_version()) >= generation)
  end)

  it("without nodes, from the only node there is: writes wait, and leave with the next map", function()
    client:close()
    client = shared:started { cluster = { seeds = { shared.cluster.urls[1] } }, endpoint = "seeds",
      map_requests = { debounce = 0.02, refresh = 60, throttle = function() return 60 end } }
    await_maps()
    map = client:map(shared:map_name())
    give { nodes = {}, owner = function() return nil end }
    local seq = assert(map:set("a", 1))
    local ok, err = client:wait(seq, 0.1)
    assert.is_nil(ok)
    assert.equal("TIMEOUT", err.code)
    give { owner = always "node-1" }
    assert(client:wait(seq, PATIENCE))
  end)
end, { "sim://3", "sim://3?dialect=0.11" })

for _, dialect in ipairs { "v2", "0.11" } do
  describe("a partition map of the " .. dialect .. " family", function()
    local cluster
    after_each(function()
      if cluster then cluster:stop() end
      cluster = nil
    end)

    local function client_of(seeds, options)
      options = options or {}
      options.cluster, options.auth, options.log_to = { seeds = seeds }, { token = cluster.token }, function() end
      options.map_requests, options.reconnect = { debounce = 0.05 }, function() return 0.02 end
      local client = require("wingman").client(options)
      assert(client:start())
      return client
    end

    it("of 7 or 1,000 partitions is routed by", function()
      for _, partitions in ipairs { 7, 1000 } do
        cluster = assert(sim.start { nodes = 3, dialect = dialect, partitions = partitions })
        local client = client_of(cluster.urls)
        assert.equal(partitions, client:router_stats().partition_count)
        for i = 1, 300 do assert(client:map("m"):set("k" .. i, i)) end
        assert(client:drain(PATIENCE))
        local nodes = assert(cluster:dump "m")
        for i = 1, 300 do
          local owner = client:partition_map().owners[client:partition_of("k" .. i) + 1]
          assert.equal(i, nodes[owner]["k" .. i].value)
        end
        client:close()
        cluster:stop()
      end
      cluster = nil
    end)

    it("may come to name other nodes only: all of them are replaced, one after the other", function()
      cluster = assert(sim.start { nodes = 6, dialect = dialect })
      for i = 4, 6 do assert(cluster:kill("node-" .. i)) end
      local urls = cluster.urls
      local client = client_of({ urls[1], urls[2], urls[3] }, { endpoint = function(id) return urls[tonumber(id:match "%d+$")] end })
      local map, written = client:map "m", 0
      local function write()
        for i = 1, 50 do
          written = written + 1
          assert(map:set("k" .. i, written))
        end
      end
      local function owned_by(ids)
        return function()
          local owners = {}
          for _, id in ipairs(client:partition_map().owners) do owners[id or "nobody"] = true end
          for id in pairs(owners) do
            if not ids[id] then return false end
          end
          return true
        end
      end
      for i = 1, 3 do
        write()
        assert(cluster:restart("node-" .. i + 3))
        eventually("the new node is connected", function()
          for _, id in ipairs(client:connected_nodes()) do
            if id == "node-" .. i + 3 then return true end
          end
        end)
        write()
        assert(cluster:kill("node-" .. i))
        write()
      end
      eventually("the new nodes own all partitions", owned_by { ["node-4"] = true, ["node-5"] = true, ["node-6"] = true })
      write()
      assert(client:drain(PATIENCE))
      assert.same({ "node-4", "node-5", "node-6" }, client:connected_nodes())
      for i = 1, 50 do assert.equal(written - 50 + i, map:get("k" .. i)) end
      client:close()
    end)
  end)
end
