--- Membership, routing and faults of the simulated cluster, as each server family
--- behaves.
local core = require "wingman.core"
local loop = require "wingman.loop"
local sim = require "wingman.sim"
local support = require "spec.core.sim.support"

--- Longer than any push or acknowledgement takes, for what must not come.
local SILENCE = 0.1

local function put(id, key, value)
  local time = { millis = 1795444916374, counter = 0, nodeId = "client-1" }
  return { id = id, mapName = "m", opType = "PUT", key = key, record = { value = value, timestamp = time } }
end

local function puts(count)
  local ops = {}
  for i = 1, count do ops[i] = put("op" .. i, "key" .. i, i) end
  return ops
end

local function send_batch(connection, ops) connection:message { type = "OP_BATCH", payload = { ops = ops } } end

--- The next message of a type; others before it are skipped.
local function await(connection, type)
  for _ = 1, 100 do
    local message = connection:receive()
    if not message then return nil end
    if message.type == type then return message.payload end
  end
end

local function map_from(connection)
  connection:message { type = "PARTITION_MAP_REQUEST" }
  return await(connection, "PARTITION_MAP")
end

local function statuses(map)
  local result = {}
  for _, node in ipairs(map.nodes) do result[node.nodeId] = node.status end
  return result
end

local function total(counts)
  local sum = 0
  for _, count in pairs(counts) do sum = sum + count end
  return sum
end

--- Each node's own keys of `puts`, by the map that its clients get.
local function owners_of(map, ops)
  local owned = {}
  for _, op in ipairs(ops) do
    local partition = map.partitions[core.partition("fnv1a", op.key, map.partitionCount) + 1]
    owned[partition.ownerNodeId] = owned[partition.ownerNodeId] or {}
    table.insert(owned[partition.ownerNodeId], op)
  end
  return owned
end

local function with_cluster(options, fn)
  local cluster = assert(sim.start(options))
  local ok, err = xpcall(fn, debug.traceback, cluster)
  cluster:stop()
  assert(ok, err)
end

local function test(name, options, fn)
  it(name, function() with_cluster(options, fn) end)
end

describe("a simulated 0.11 cluster", function()
  local options = { dialect = "0.11" }

  test("acknowledges a batch for other nodes' partitions and loses it", options, function(cluster)
    local connection = support.authenticated(cluster, "node-1")
    local mine = owners_of(map_from(connection), puts(30))["node-1"]
    send_batch(connection, puts(30))
    assert.equal("op30", await(connection, "OP_ACK").lastId)
    local held = cluster:dump("m")
    local expected = {}
    for _, op in ipairs(mine) do expected[op.key] = true end
    for id, records in pairs(held) do
      for key in pairs(records) do assert.is_true(expected[key], key .. " at " .. id) end
    end
    assert.equal(2 * #mine, total(cluster:counts "m")) -- the owner and one backup
    assert.equal(30 - #mine, cluster:stats()["node-1"].foreign_ops)
  end)

  test("forwards CLIENT_OP to the owner", options, function(cluster)
    local connection = support.authenticated(cluster, "node-1")
    for _, op in ipairs(puts(30)) do connection:message { type = "CLIENT_OP", payload = op } end
    assert.equal(60, total(cluster:counts "m"))
  end)

  test("keeps everything when one node is killed, and again when it is back", options, function(cluster)
    local connection = support.authenticated(cluster, "node-1")
    for _, op in ipairs(puts(60)) do connection:message { type = "CLIENT_OP", payload = op } end
    assert(cluster:kill "node-3")
    local map = await(connection, "PARTITION_MAP")
    assert.equal(4, map.version)
    assert.same({ ["node-1"] = "ACTIVE", ["node-2"] = "ACTIVE" }, statuses(map))
    assert.same({ ["node-1"] = 60, ["node-2"] = 60, ["node-3"] = 0 }, cluster:counts "m")
    assert(cluster:restart "node-3")
    map = await(connection, "PARTITION_MAP")
    assert.equal(5, map.version)
    local held = cluster:dump "m"
    for id, ops in pairs(owners_of(map, puts(60))) do
      for _, op in ipairs(ops) do assert.equal(op.record.value, held[id][op.key].value) end
    end
  end)

  test("answers a lone node's map request with version 1", { dialect = "0.11", nodes = 1 }, function(cluster)
    assert.equal(1, map_from(support.authenticated(cluster, "node-1")).version)
  end)
end)

describe("a simulated v2 cluster", function()
  test("keeps a batch where it arrived, under its own time", {}, function(cluster)
    local connection = support.authenticated(cluster, "node-2")
    send_batch(connection, puts(30))
    assert.equal("APPLIED", await(connection, "OP_ACK").achievedLevel)
    assert.same({ ["node-1"] = 0, ["node-2"] = 30, ["node-3"] = 0 }, cluster:counts "m")
    local record = cluster:dump("m", "node-2")["node-2"].key1
    assert.equal("node-2", record.node)
    assert.is_true(record.millis ~= 1795444916374)
  end)

  test("removes records without a tombstone", {}, function(cluster)
    local connection = support.authenticated(cluster, "node-1")
    local removal = put("gone", "key1", core.null)
    removal.opType = "REMOVE"
    send_batch(connection, { put("there", "key1", 1), removal })
    await(connection, "OP_ACK")
    assert.same({}, cluster:dump("m", "node-1")["node-1"])
  end)

  test("counts map versions per node and lists a killed node as FAILED", {}, function(cluster)
    local first, second = support.authenticated(cluster, "node-1"), support.authenticated(cluster, "node-2")
    local before = { map_from(first).version, map_from(second).version }
    assert.is_true(before[1] ~= before[2])
    assert(cluster:kill "node-3")
    local map = await(first, "PARTITION_MAP")
    assert.same({ ["node-1"] = "ACTIVE", ["node-2"] = "ACTIVE", ["node-3"] = "FAILED" }, statuses(map))
    assert.same({ before[1] + 1, before[2] + 1 }, { map.version, await(second, "PARTITION_MAP").version })
    for _, partition in ipairs(map.partitions) do assert.is_true(partition.ownerNodeId ~= "node-3") end
  end)

  test("leaves a stopped node out of the map", {}, function(cluster)
    local connection = support.authenticated(cluster, "node-1")
    assert(cluster:stop_node "node-2")
    assert.same({ ["node-1"] = "ACTIVE", ["node-3"] = "ACTIVE" }, statuses(await(connection, "PARTITION_MAP")))
  end)

  test("answers SEARCH_UNSUB with an acknowledgement that answers nothing", {}, function(cluster)
    local connection = support.authenticated(cluster, "node-1")
    connection:message { type = "SEARCH_UNSUB", payload = { subscriptionId = "x" } }
    assert.is_truthy(await(connection, "OP_ACK").lastId:match "^%d+$")
  end)

  test("refuses what is above the rate, and only that", { rate = 100 }, function(cluster)
    local connection = support.authenticated(cluster, "node-1")
    send_batch(connection, puts(190))
    assert.equal("op190", await(connection, "OP_ACK").lastId)
    send_batch(connection, puts(50))
    assert.equal(429, await(connection, "ERROR").code)
  end)
end)

for _, dialect in ipairs { "v2", "0.11" } do
  describe("a simulated " .. dialect .. " node, on order,", function()
    local cluster, connection
    local batches = 0

    before_each(function()
      cluster = assert(sim.start { nodes = 1, dialect = dialect })
      connection = support.authenticated(cluster, "node-1")
    end)
    after_each(function() cluster:stop() end)

    local function send_one()
      batches = batches + 1
      local id = "b" .. batches
      send_batch(connection, { put(id, "key" .. batches, batches) })
      return id
    end

    it("delays acknowledgements", function()
      assert(cluster:fault("node-1", "ack-delay", 60))
      local from, id = loop.now(), send_one()
      assert.equal(id, await(connection, "OP_ACK").lastId)
      assert.is_true(loop.now() - from >= 0.059) -- the node's clock counts whole milliseconds
    end)

    it("loses acknowledgements of batches that it applied", function()
      assert(cluster:fault("node-1", "ack-drop", 1))
      send_one()
      local second = send_one()
      assert.equal(second, await(connection, "OP_ACK").lastId)
      assert.equal(2, cluster:counts("m")["node-1"])
    end)

    it("repeats acknowledgements", function()
      assert(cluster:fault("node-1", "ack-duplicate", 1))
      local id = send_one()
      assert.equal(id, await(connection, "OP_ACK").lastId)
      assert.equal(id, await(connection, "OP_ACK").lastId)
    end)

    it("lets acknowledgements overtake each other", function()
      assert(cluster:fault("node-1", "reorder", true))
      local sent, acked = {}, {}
      for i = 1, 20 do sent[i] = send_one() end
      for i = 1, 20 do acked[i] = await(connection, "OP_ACK").lastId end
      assert.is_true(table.concat(sent, " ") ~= table.concat(acked, " "))
      table.sort(sent)
      table.sort(acked)
      assert.same(sent, acked)
    end)

    for name, code in pairs { NOT_OWNER = "NOT_OWNER", STALE_MAP = "STALE_MAP", ["500"] = 500, ["429"] = 429 } do
      it("refuses a batch with " .. name .. " and applies nothing", function()
        assert(cluster:fault("node-1", "error", name, 1))
        send_one()
        assert.equal(code, await(connection, "ERROR").code)
        assert.equal(0, cluster:counts("m")["node-1"])
        local id = send_one()
        assert.equal(id, await(connection, "OP_ACK").lastId)
      end)
    end

    it("withholds maps", function()
      assert(cluster:fault("node-1", "map-version", 5))
      assert.equal(5, map_from(connection).version)
      assert(cluster:fault("node-1", "map-withhold", true))
      connection:message { type = "PARTITION_MAP_REQUEST" }
      assert(cluster:move(3, "node-1"))
      assert.is_nil(connection:receive(SILENCE))
    end)

    it("gives maps to who asks only", function()
      assert(cluster:fault("node-1", "map-unpushed", true))
      assert(cluster:move(3, "node-1"))
      assert.is_nil(connection:receive(SILENCE))
      assert.equal("node-1", map_from(connection).partitions[4].ownerNodeId)
    end)

    it("does not answer AUTH", function()
      assert(cluster:fault("node-1", "no-auth-ack"))
      local other = support.connect(cluster, "node-1")
      assert.equal("AUTH_REQUIRED", other:receive().type)
      other:message { type = "AUTH", token = cluster.token }
      assert.is_nil(other:receive(SILENCE))
    end)

    it("closes all connections as if tokens had expired", function()
      assert(cluster:command "expire-tokens")
      connection:poll()
      assert.same({ code = 4001, reason = "Unauthorized" }, connection.closed)
    end)
  end)
end

describe("an ordered move", function()
  test("gives the partition to the node and pushes the map, or the change alone", {}, function(cluster)
    local connection = support.authenticated(cluster, "node-1")
    local before = map_from(connection)
    assert.equal("node-1", before.partitions[1].ownerNodeId)
    assert(cluster:move(0, "node-3"))
    local map = await(connection, "PARTITION_MAP")
    assert.equal("node-3", map.partitions[1].ownerNodeId)
    assert.equal(before.version + 1, map.version)
    assert(cluster:command "delta 1")
    assert(cluster:move(0, "node-2"))
    local delta = await(connection, "PARTITION_MAP_DELTA")
    assert.equal(map.version, delta.previousVersion)
    assert.same({ { partitionId = 0, previousOwner = "node-3", newOwner = "node-2", reason = "REBALANCE" } }, delta.changes)
  end)
end)
