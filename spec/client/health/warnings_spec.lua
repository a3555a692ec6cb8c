--- What a client says of options that cost something on the cluster that they met.
local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"

local function warnings_of(client)
  local codes = {}
  for i, warning in ipairs(client:health().warnings) do codes[i] = warning.code end
  return codes
end

local function await(client, code)
  eventually(code .. " is in health().warnings", function() return warnings_of(client)[1] == code, warnings_of(client) end)
end

clusters.on_each(getfenv(), "a client", function(shared, it)
  it("has no warnings when every node is known and routing is direct", function()
    local client = shared:started()
    assert.same({}, client:health().warnings)
  end)

  it("says once what a server of a cluster costs", function()
    local client = shared:started { server = shared.cluster.urls[1] }
    await(client, "SERVER_OF_CLUSTER")
    local message = client:health().warnings[1].message
    assert.truthy(message:find("one of 3 nodes", 1, true), message)
    assert.truthy(message:find(shared.is_0_11 and "drops every write" or "these nodes do not get them", 1, true), message)
    assert.equal(1, #shared:logged "server_of_cluster")
    assert.equal(message, shared:logged("server_of_cluster")[1].message)
    local map = client:map(shared:map_name())
    for i = 1, 30 do assert(map:set("key-" .. i, i)) end
    assert(client:drain(60))
    assert.equal(1, #shared:logged "server_of_cluster")
  end)

  it("goes on sending everything to a server of a cluster", function()
    local client = shared:started { server = shared.cluster.urls[1] }
    await(client, "SERVER_OF_CLUSTER")
    local map = client:map(shared:map_name())
    for i = 1, 30 do assert(map:set("key-" .. i, i)) end
    assert(client:drain(60))
    assert.equal(30, client:stats().ops_acked)
  end)
end)

clusters.on_each(getfenv(), "a client of a 0.11 cluster", function(shared, it)
  for option, value in pairs { routing = "forward", fallback = true } do
    it("says once what the option " .. option .. " costs", function()
      local client = shared:started { [option] = value }
      await(client, "ROUTING_LOSES")
      assert.equal(1, #shared:logged "routing_loses")
      assert.truthy(client:health().warnings[1].message:find(option, 1, true))
    end)
  end

  -- Its partitions by the map that the client holds, of all these nodes together.
  local function owned_by(client, ...)
    local count, ids = 0, { ... }
    for _, owner in ipairs(client:partition_map().owners) do
      for _, id in ipairs(ids) do count = count + (owner == id and 1 or 0) end
    end
    return count
  end

  local function one_message(client)
    await(client, "NODES_WITHOUT_ADDRESS")
    local logged = shared:logged "nodes_without_address"
    assert.same({ { message = client:health().warnings[1].message } }, logged)
    return logged[1].message
  end

  it("names the nodes that have no address, and says what that costs, once", function()
    local urls = shared.cluster.urls
    local client = shared:started { cluster = { seeds = { urls[2] } } }
    assert.equal(("no address is known for node-1, node-3: writes to their %d partitions wait. Add their URLs to cluster.seeds.")
      :format(owned_by(client, "node-1", "node-3")), one_message(client))
    client:close()
    shared.log = {}
    client = shared:started { cluster = { seeds = { urls[1], urls[2] } } }
    assert.equal(("no address is known for node-3: writes to its %d partitions wait. Add its URL to cluster.seeds.")
      :format(owned_by(client, "node-3")), one_message(client))
  end)

  it("does not say that writes wait which go to another node", function()
    local urls = shared.cluster.urls
    local client = shared:started { cluster = { seeds = { urls[1], urls[2] } }, fallback = true }
    local function said() return shared:logged "nodes_without_address"[1] end
    eventually("nodes_without_address is in the log", said)
    assert.equal(("no address is known for node-3: writes to its %d partitions do not reach it. Add its URL to cluster.seeds.")
      :format(owned_by(client, "node-3")), said().message)
  end)

  it("does not guess which of two nodes a seed is that does not answer", function()
    local client = shared:started { cluster = { seeds = { shared.cluster.urls[1], "ws://127.0.0.1:1" } } }
    assert.equal("no address is known for 1 of node-2, node-3, as not every seed has answered: writes to its partitions wait. Add its URL to cluster.seeds.",
      one_message(client))
  end)

  it("says nothing of a node that is only down", function()
    assert(shared.cluster:fault("node-3", "refuse", true))
    local client = shared:started()
    assert.same({}, warnings_of(client))
    assert(shared.cluster:fault("node-3", "refuse", false))
  end)
end, { "sim://3?dialect=0.11" })

clusters.on_each(getfenv(), "a client of a v2 cluster", function(shared, it)
  it("finds the other nodes by one seed, and has no warning", function()
    local client = shared:started { cluster = { seeds = { shared.cluster.urls[2] } } }
    eventually("3 nodes are connected", function() return #client:connected_nodes() == 3, client:connected_nodes() end)
    assert.same({}, client:health().warnings)
    assert.same({}, shared:logged "nodes_without_address")
  end)

  it("says nothing while the node that no seed names is still looked for", function()
    local client = shared:started { cluster = { seeds = { shared.cluster.urls[1], shared.cluster.urls[2] } } }
    assert(client:map(shared:map_name()):set("ann", 1))
    assert(client:drain(60))
    eventually("3 nodes are connected", function() return #client:connected_nodes() == 3, client:connected_nodes() end)
    assert.same({}, client:health().warnings)
    for _, line in ipairs(shared.log) do assert.equal("info", line.level, line.event) end
  end)

  it("says that a node has no address when what it advertises is another one's", function()
    local urls = shared.cluster.urls
    local client = shared:started { cluster = { seeds = { urls[1], urls[2] } }, endpoint = function() return (urls[1]:gsub("127.0.0.1", "localhost")) end }
    await(client, "NODES_WITHOUT_ADDRESS")
    local message = client:health().warnings[1].message
    assert.truthy(message:find("^no address is known for node%-3: "), message)
  end)

  it("may forward: what it costs there is that the owner does not get it", function()
    assert.same({}, shared:started({ routing = "forward" }):health().warnings)
  end)
end, { "sim://3" })

clusters.on_each(getfenv(), "a client of a lone server", function(shared, it)
  it("has no warning", function()
    local client = shared:started { server = shared.cluster.urls[1] }
    local map = client:map(shared:map_name())
    assert(map:set("key", 1))
    assert(client:drain(60))
    assert.same({}, client:health().warnings)
  end)

  it("repairs by comparing with that server", function()
    for _, options in ipairs { { server = shared.cluster.urls[1] }, {} } do
      local client = shared:started(options)
      local map = client:map(shared:map_name())
      for i = 1, 20 do assert(map:set("key-" .. i, i)) end
      assert(client:drain(60))
      assert.equal(0, assert(client:repair(map.name)))
      assert(shared.cluster:kill "node-1")
      assert(shared.cluster:restart "node-1")
      local forgotten = shared:keeps_records() and 0 or 20
      assert.equal(forgotten, (eventually("a repair finds the owner", function() return client:repair(map.name) end)))
      assert(client:drain(60))
      assert.equal(0, assert(client:repair(map.name)))
    end
  end)
end, { "sim://1", "sim://1?dialect=0.11", "topgun://1" })

describe("repair", function()
  it("is an error where it could compare nothing", function()
    local client = require("wingman").client { server = "ws://127.0.0.1:1", log_to = function() end }
    client:map("m"):set("key", 1)
    local count, err = client:repair "m"
    assert.same({ nil, "NOT_CONNECTED" }, { count, err.code })
    client:close()
  end)
end)
