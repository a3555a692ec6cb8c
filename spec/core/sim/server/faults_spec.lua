--- Faults of the simulated cluster's connections, as a client's sockets see them, and
--- what a node says of the operations that reached it.
local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"

local OPS = 60

clusters.on_each(getfenv(), "connection faults", function(shared, it)
  local client, losses

  local function start(heartbeat_timeout)
    losses = {}
    client = shared:started {
      reconnect = function() return 0.03 end, heartbeat = { interval = 0.05, timeout = heartbeat_timeout },
      batch = { ack_timeout = 30 },
    }
    client:on("node_lost", function(event) if event.id == "node-1" then losses[#losses + 1] = event end end)
  end

  before_each(function()
    assert(shared.cluster:reset_stats())
    start(60)
  end)

  after_each(function() assert(shared.cluster:fault("all", "none")) end)

  local function await_loss()
    return (eventually("the connection to node-1 is lost", function() return losses[1] end))
  end

  local function await_return()
    eventually("3 nodes are connected", function() return #client:connected_nodes() == 3, client:connected_nodes() end)
  end

  -- So many writes to node-1; the map's name.
  local function write(map_name)
    for _, key in ipairs(clusters.keys_of(client, "node-1", OPS)) do assert(client:map(map_name):set(key, { key = key })) end
  end

  -- What reached node-1 of this key: a client that finds the hash of a 0.11 cluster
  -- out may have written a record of its own before (see hash_probe).
  local function arrivals_of(key)
    local of_key = {}
    for _, arrival in ipairs(assert(shared.cluster:arrivals "node-1")) do
      if arrival.key == key then of_key[#of_key + 1] = arrival end
    end
    return of_key
  end

  local function held(map_name) return assert(shared.cluster:counts(map_name))["node-1"] end

  for _, name in ipairs { "reset", "drop" } do
    it(name .. ": the connections end without a close frame, and the node keeps what it has", function()
      local map_name = shared:map_name()
      write(map_name)
      assert(client:drain(60))
      assert(shared.cluster:fault("node-1", name))
      assert.equal("lost", await_loss().reason)
      await_return()
      assert.equal(OPS, held(map_name))
    end)
  end

  it("half-open: nothing arrives, nothing is said; a new connection works", function()
    client:close()
    start(0.3)
    local map_name = shared:map_name()
    assert(shared.cluster:fault("node-1", "half-open"))
    write(map_name)
    assert.equal(0, held(map_name))
    assert.equal("heartbeat", await_loss().reason)
    await_return()
    assert(client:drain(60))
    assert.equal(OPS, held(map_name))
  end)

  it("cut-out: the connection ends inside of a frame that leaves", function()
    local map_name = shared:map_name()
    assert(shared.cluster:fault("node-1", "cut-out", 5))
    write(map_name)
    await_loss()
    await_return()
    assert(client:drain(60))
    assert.equal(OPS, held(map_name))
    assert.is_true(assert(shared.cluster:stats())["node-1"].opened >= 2)
  end)

  it("arrivals: each operation with its time, its connection, and what became of its batch", function()
    local map = client:map(shared:map_name())
    assert(shared.cluster:fault("node-1", "error", "429", 1))
    local key = clusters.keys_of(client, "node-1", 1)[1]
    assert(map:set(key, { v = 1 }))
    local time = map:record(key)
    assert(client:drain(60))
    local arrivals = arrivals_of(key)
    assert.equal(2, #arrivals)
    for i, arrival in ipairs(arrivals) do
      assert.same({ key, time.millis, time.counter, time.node, false, i == 1 },
        { arrival.key, arrival.millis, arrival.counter, arrival.writer, arrival.foreign, arrival.refused })
      assert.equal(arrivals[1].session, arrival.session)
    end
    assert(client:map(map.name):set(key, { v = 2 }))
    assert(client:drain(60))
    assert.equal(3, #arrivals_of(key))
  end)

  it("arrivals: what is sent to a node that does not own it is foreign", function()
    local map = client:map(shared:map_name())
    local key = clusters.keys_of(client, "node-1", 1)[1]
    assert(shared.cluster:fault("all", "map-withhold", true))
    assert(shared.cluster:move(client:partition_of(key), "node-2"))
    assert(map:set(key, { v = 1 }))
    assert(client:drain(60))
    assert.is_true(arrivals_of(key)[1].foreign)
    assert(shared.cluster:move(client:partition_of(key), "node-1"))
  end)
end, { "sim://3", "sim://3?dialect=0.11" })
