--- What leaves together, and what waits for what: operations of one key, and those beside it.
local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"

-- Keys of one partition of node-1.
local function keys_of_a_partition(client, count)
  local partition
  local keys = {}
  for _, key in ipairs(clusters.keys_of(client, "node-1", 2000)) do
    partition = partition or client:partition_of(key)
    if client:partition_of(key) == partition then keys[#keys + 1] = key end
    if #keys == count then return keys end
  end
  error "there are too few keys"
end

clusters.on_each(getfenv(), "batcher", function(shared, it)
  after_each(function() shared.cluster:resume "node-1" end)

  -- A client whose node-1 answers nothing, a map of it, and keys of one partition of node-1.
  local function stalled(count, batch, oplog)
    batch.in_flight, batch.ack_timeout = 64, 600
    local client = shared:started {
      heartbeat = { timeout = 600 }, unanswered = 600, batch = batch, oplog = oplog, circuit = "never",
    }
    eventually("every node is connected", function() return #client:connected_nodes() == #shared.cluster.nodes, client:connected_nodes() end)
    local keys = keys_of_a_partition(client, count)
    assert(shared.cluster:pause "node-1")
    return client, client:map(shared:map_name()), keys
  end

  local function wait_for_sent(client, count)
    eventually("so many operations are in flight", function() return clusters.node_of(client, "node-1").in_flight_ops >= count, clusters.node_of(client, "node-1").in_flight_ops end)
    local node = clusters.node_of(client, "node-1")
    return node.in_flight_ops, node.pending_ops, node.stats.batches_sent
  end

  -- `refused`: the error that drain is to end with, nil for none.
  local function values_at_the_end(client, map, refused)
    assert(shared.cluster:resume "node-1")
    local _, err = client:drain(60)
    assert.equal(refused, err and err.code, tostring(err))
    return shared:values(client, map.name)
  end

  it("sends what it has of a partition, but a key in one batch at a time", function()
    local client, map, keys = stalled(6, { ops = 1 })
    for value = 1, 3 do
      for _, key in ipairs(keys) do assert(map:set(key, value)) end
    end
    local sent, waiting = wait_for_sent(client, shared.is_0_11 and 3 * #keys or #keys)
    -- The 0.11 server applies batches in the order of their arrival.
    assert.same(shared.is_0_11 and { 3 * #keys, 0 } or { #keys, 2 * #keys }, { sent, waiting })
    local values = values_at_the_end(client, map)
    for _, key in ipairs(keys) do assert.equal(3, values[key]) end
  end)

  it("puts the writes of a key that wait together into one batch", function()
    local client, map, keys = stalled(1, { ops = 100 })
    for value = 1, 30 do assert(map:set(keys[1], value)) end
    assert.same({ 30, 0, 1 }, { wait_for_sent(client, 30) })
    assert.equal(30, values_at_the_end(client, map)[keys[1]])
  end)

  it("lets a write follow the one in flight when the one between was dropped", function()
    local client, map, keys = stalled(2, { ops = 1 }, { max_ops = 3, node_share = 1, when_full = "drop_oldest" })
    assert(map:set(keys[1], 1))
    assert(map:set(keys[2], 1))
    wait_for_sent(client, 2)
    assert(map:set(keys[1], 2))
    assert(map:set(keys[1], 3))
    assert.equal(1, client:stats().ops_dropped)
    loop.sleep(0)
    local sent, waiting = wait_for_sent(client, shared.is_0_11 and 3 or 2)
    assert.same(shared.is_0_11 and { 3, 0 } or { 2, 1 }, { sent, waiting })
    assert.equal(3, values_at_the_end(client, map, "REJECTED")[keys[1]])
  end)
end)
