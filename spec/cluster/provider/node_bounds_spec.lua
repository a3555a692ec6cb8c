--- What a partition map can make a client do: connections and nodes are bounded, and nodes
--- that have left are forgotten.
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"
local sim_support = require "spec.core.sim.support"
local stream = require "wingman.loop.stream"

local PATIENCE = 60
--- What comes after each dial is over at the latest (seconds).
local CONNECT_TIMEOUT = 0.2

clusters.on_each(getfenv(1), "Partition maps", function(shared, it)
  local client, listener, accepted, version

  -- Takes connections and never answers.
  local function listen()
    listener = assert(stream.listen { port = 0 })
    accepted = 0
    loop.spawn(function()
      while true do
        local conn = listener:accept()
        if not conn then return end
        accepted = accepted + 1
        loop.spawn(function()
          while conn:read() do end
          conn:close()
        end)
      end
    end)
  end

  before_each(function()
    listen()
    version = 1000
    client = shared:started { connect_timeout = CONNECT_TIMEOUT, start_timeout = PATIENCE, map_requests = { debounce = 0.02 },
      reconnect = function() return 0.05 end }
    eventually("3 nodes are connected", function() return #client:connected_nodes() == 3, client:connected_nodes() end)
  end)
  after_each(function()
    client:close()
    listener:close()
  end)

  -- A map that the client believes: of the cluster as it is, but for the addresses of `elsewhere`,
  -- and of nodes that are not there.
  local function send_map(ghosts, elsewhere)
    version = version + 1
    local nodes, partitions = {}, {}
    for _, node in ipairs(shared.cluster.nodes) do
      local url = elsewhere and elsewhere[node.id] or node.url
      nodes[#nodes + 1] = { nodeId = node.id, endpoints = { websocket = url }, status = "ACTIVE" }
    end
    for _, id in ipairs(ghosts) do
      nodes[#nodes + 1] = { nodeId = id, status = "ACTIVE",
        endpoints = { websocket = elsewhere and elsewhere[id] or ("ws://127.0.0.1:%d/%s"):format(listener.port, id) } }
    end
    for p = 0, 270 do
      partitions[p + 1] = { partitionId = p, ownerNodeId = shared.cluster.nodes[p % 3 + 1].id }
    end
    local bytes = core.encode { type = "PARTITION_MAP", payload = {
      version = version, partitionCount = 271, generatedAt = 2e12 + version, nodes = nodes, partitions = partitions,
    } }
    for _, node in ipairs(shared.cluster.nodes) do
      assert(shared.cluster:command(("send %s binary %s"):format(node.id, sim_support.hex(bytes))))
    end
  end

  local function believed()
    eventually("the map is believed", function()
      return client:partition_map() and client:partition_map().version == version
    end)
  end

  -- Connections that are being opened now.
  local function dials()
    local count = 0
    for connection_id in pairs(client.provider.connections.by_id) do
      if client.core:connection_info(connection_id).state == "connecting" then count = count + 1 end
    end
    return count
  end

  local function ghosts(from, count)
    local ids = {}
    for i = 1, count do ids[i] = "ghost-" .. from + i end
    return ids
  end

  local function write()
    assert(client:map("bounds"):set("k" .. version, version))
    assert(client:drain(PATIENCE))
  end

  it("are dialled 8 nodes at a time at most", function()
    local most = 0
    send_map(ghosts(0, 40))
    eventually("40 nodes are dialled", function()
      most = math.max(most, dials())
      return accepted >= 40, accepted
    end)
    assert.is_true(most > 1 and most <= 8, most .. " at once")
    write()
  end)

  it("cannot name more than 1,024 nodes", function()
    version = version + 1
    local nodes = {}
    for i = 1, 1025 do nodes[i] = { nodeId = "ghost-" .. i } end
    local bytes = core.encode { type = "PARTITION_MAP", payload = { version = version, partitionCount = 1, nodes = nodes,
      partitions = { { partitionId = 0, ownerNodeId = "ghost-1" } } } }
    assert(shared.cluster:command(("send node-1 binary %s"):format(sim_support.hex(bytes))))
    eventually("the map is refused", function() return shared:logged("partition_map_refused")[1] end)
    assert.truthy(shared:logged("partition_map_refused")[1].reason:find("1025 nodes; at most 1024 are taken", 1, true))
    assert.equal(3, #client:partition_map().nodes)
  end)

  it("that name other nodes each time leave nothing behind", function()
    local provider = client.provider
    local function figures()
      local connections, circuits, urls = 0, 0, 0
      for _ in pairs(provider.connections.by_id) do connections = connections + 1 end
      for _ in pairs(provider.circuits.held) do circuits = circuits + 1 end
      for _ in pairs(provider.connections.by_url) do urls = urls + 1 end
      return { nodes = #provider.connections.nodes, connections = connections, circuits = circuits, urls = urls, waiting = #provider.connections.waiting }
    end
    local before = figures()
    for round = 1, 8 do
      send_map(ghosts(round * 100, 30))
      believed()
      local dialled = accepted
      eventually("another address is tried", function() return accepted > dialled, accepted end)
      write()
    end
    assert.is_true(client:stats().node_indexes <= 3 + 2 * 30 + 8, client:stats().node_indexes .. " node indexes")
    send_map {}
    believed()
    eventually("the nodes are forgotten", function() return figures().nodes == before.nodes, figures().nodes end)
    assert.same(before, figures())
    assert.equal(0, provider.connections.dialing)
    write()
  end)

  it("that name another address of a node: it is tried while the node is away, and forgotten once that is back", function()
    local function urls()
      local list = {}
      for i, node in ipairs(client:health().nodes) do list[i] = node.url end
      return list
    end
    local before = urls()
    send_map({}, { ["node-2"] = ("ws://127.0.0.1:%d/elsewhere"):format(listener.port) })
    believed()
    assert(shared.cluster:fault("node-2", "refuse", true))
    assert(shared.cluster:fault("node-2", "reset"))
    eventually("the other address is tried", function() return accepted > 0, urls() end)
    assert(shared.cluster:fault("node-2", "none"))
    eventually("node-2 is connected", function() return #client:connected_nodes() == 3, client:connected_nodes() end)
    eventually("the other address is forgotten", function() return #urls() == #before, urls() end)
    assert.same(before, urls())
    write()
  end)

  it("that name a node once more at another address: once it is forgotten, it is asked for nothing", function()
    local provider = client.provider
    send_map({ "again" }, { again = (shared.cluster.nodes[2].url:gsub("127%.0%.0%.1", "localhost")) })
    eventually("the other address is known as the same node", function() return shared:logged("same_node_twice")[1], shared.log end)
    send_map {}
    eventually("it is forgotten", function() return #provider.connections.nodes == 3, #provider.connections.nodes end)
    assert.is_true(provider.map_refresh:ask_any())
    assert.equal(3, #provider.connections:ready_indexes())
    write()
  end)

  it("that no longer name a connected node do not end its connection", function()
    local node = shared.cluster.nodes[3]
    local connects = clusters.node_of(client, node.id).connects
    local list = shared.cluster.nodes
    shared.cluster.nodes = { list[1], list[2], list[1] }
    send_map {}
    shared.cluster.nodes = list
    write()
    assert.equal(connects, clusters.node_of(client, node.id).connects)
    assert.equal(3, #client:connected_nodes())
  end)
end, { "sim://3", "sim://3?dialect=0.11" })
