--- A full op log, by operations and by bytes; the window of a slow node; the watermarks.
local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"

local TEXT = ("x"):rep(500)

clusters.on_each(getfenv(), "back-pressure", function(shared, it)
  -- A client whose node-1 takes what it is sent and answers nothing, and keys of it.
  local function stalled(oplog, more)
    oplog = oplog or {}
    oplog.node_share = oplog.node_share or 1 -- the whole log is for node-1
    local options = {
      oplog = oplog, heartbeat = { timeout = 600 }, unanswered = 600, batch = { ack_timeout = 600 }, circuit = "never",
    }
    for name, value in pairs(more or {}) do options[name] = value end
    local client = shared:started(options)
    -- A start does not need every node, nor each connection to it; what is to go by one that
    -- is not there has no route.
    eventually("every connection is ready", function()
      if #client:connected_nodes() < #shared.cluster.nodes then return false end
      for _, connection in pairs(client.provider.connections.by_id) do
        if connection.state ~= "ready" then return false, connection.state end
      end
      return true
    end)
    assert(shared.cluster:pause "node-1")
    -- By the map of this moment: a real cluster that has just formed may still move
    -- partitions, and what went to others would be acknowledged.
    local keys = clusters.keys_of(client, "node-1", 200)
    return client, client:map(shared:map_name()), keys
  end

  local function resume() assert(shared.cluster:resume "node-1") end

  after_each(function() shared.cluster:resume "node-1" end)

  local limits = {
    operations = { { max_ops = 50 }, 1 }, bytes = { { max_bytes = 50 * 640 }, TEXT },
  }

  local function with(limit, when_full)
    local oplog = { when_full = when_full }
    for name, value in pairs(limit) do oplog[name] = value end
    return oplog
  end

  -- How many were taken, and why the next was not.
  local function write_until_full(map, keys, value)
    for i, key in ipairs(keys) do
      local seq, err = map:set(key, value)
      if not seq then
        assert.equal("LOG_FULL", err.code)
        return i - 1, err
      end
    end
    error "the log takes everything"
  end

  for what, case in pairs(limits) do
    local limit, value = case[1], case[2]

    it("of a full log, by " .. what .. ", has a task wait until there is room, and no other", function()
      local client, map, keys = stalled(with(limit, "pause"))
      local written, turns = 0, 0
      local writer = loop.spawn(function()
        for _, key in ipairs(keys) do
          assert(map:set(key, value))
          written = written + 1
        end
      end)
      local other = loop.spawn(function()
        while not writer.done do
          turns = turns + 1
          loop.sleep(0.001)
        end
      end)
      eventually("45 writes are taken", function() return written >= 45, written end)
      local before = turns
      eventually("another task runs 50 times", function() return turns > before + 50, turns end)
      -- A real cluster may give the partitions of a node that stands still to others.
      local held = written - client:stats().ops_acked
      assert.is_true(held >= 45 and held <= 55, held .. " writes were taken")
      assert.equal(held, client:pending_ops())
      resume()
      writer:wait(60)
      other:wait(60)
      assert.equal(#keys, written)
      assert(client:drain(60))
      assert.equal(#keys, client:stats().ops_acked)
    end)

    it("of a full log, by " .. what .. ", has a caller outside of tasks turn the loop meanwhile", function()
      local client, map, keys = stalled(with(limit, "pause"))
      loop.timer(0.2, resume)
      for _, key in ipairs(keys) do assert(map:set(key, value)) end
      assert(client:drain(60))
      assert.equal(#keys, client:stats().ops_acked)
    end)

    it("of a full log, by " .. what .. ", is an error when that is wanted", function()
      local client, map, keys = stalled(with(limit, "fail"))
      local written = write_until_full(map, keys, value)
      assert.is_true(written >= 45 and written <= 55, written .. " writes were taken")
      assert.equal(written, client:pending_ops())
      assert.is_nil(map:get(keys[written + 1]), "what was refused is in the local copy")
      resume()
      assert(client:drain(60))
      assert(map:set(keys[written + 1], value))
      assert(client:drain(60))
      assert.equal(written + 1, client:stats().ops_acked)
    end)

    it("of a full log, by " .. what .. ", drops the oldest when that is wanted, and names each", function()
      local client, map, keys = stalled(with(limit, "drop_oldest"))
      local dropped, seqs = {}, {}
      client:on("op_dropped", function(err) dropped[#dropped + 1] = err end)
      for i, key in ipairs(keys) do seqs[i] = assert(map:set(key, value)) end
      eventually("each one that was dropped is reported", function() return #dropped == client:stats().ops_dropped, #dropped end)
      local count = client:stats().ops_dropped
      assert.is_true(count >= 145 and count <= 155, count .. " were dropped")
      assert.equal(count, #dropped)
      for i, err in ipairs(dropped) do
        assert.same({ "LOG_FULL", keys[i] }, { err.code, err.key })
        local ok, why = client:wait(seqs[i], 1)
        assert.is_nil(ok)
        assert.equal(err, why)
      end
      resume()
      local drained, err = client:drain(60)
      assert.same({ nil, "REJECTED", 0, count }, { drained, err.code, err.rejected, err.dropped })
      assert.equal(#keys - count, client:stats().ops_acked)
      assert.is_true(client:wait(seqs[#keys], 1))
    end)
  end

  -- Writes to node-2 one after the other, as fast as it acknowledges them.
  local function write_to_node_2(client, map, count)
    for _, key in ipairs(clusters.keys_of(client, "node-2", count)) do assert(client:wait(assert(map:set(key, 1)), 60)) end
  end

  -- Not of a real cluster, which gives the partitions of a node that stands still to others.
  local shared_limits = shared.is_real and {}
    or { operations = { { max_ops = 100 }, 1 }, bytes = { { max_bytes = 100 * 640 }, TEXT } }
  for what, case in pairs(shared_limits) do
    local limit, value = case[1], case[2]

    local function share(when_full)
      local oplog = with(limit, when_full)
      oplog.node_share = 0.5
      return oplog
    end

    it("of a node that has its share of the log, by " .. what .. ", leaves room for the others", function()
      local client, map, keys = stalled(share "fail", { batch = { ops = 1, in_flight = 1, ack_timeout = 600 } })
      local written, err = write_until_full(map, keys, value)
      assert.truthy(err.message:find("node_share", 1, true))
      assert.is_true(written >= 45 and written <= 55, written .. " writes were taken")
      write_to_node_2(client, map, 100)
      assert.equal(written, client:pending_ops())
      resume()
      assert(client:drain(60))
      assert.equal(written + 100, client:stats().ops_acked)
    end)

    it("of keys without a route, by " .. what .. ", leaves room for those with one", function()
      local client = shared:started {
        oplog = share "fail", routing = function(partition) return partition.owner ~= "node-1" and partition.owner or nil end,
      }
      local map = client:map(shared:map_name())
      local written, err = write_until_full(map, clusters.keys_of(client, "node-1", 200), value)
      assert.truthy(err.message:find("node_share", 1, true))
      assert.is_true(written >= 45 and written <= 55, written .. " writes were taken")
      write_to_node_2(client, map, 100)
      assert.equal(written, client:pending_ops())
    end)

    it("of a node that has its share of the log, by " .. what .. ", counts what it was sent", function()
      local client, map, keys = stalled(share "fail")
      local taken = 0
      eventually("45 writes are taken", function() -- a few at a time, which leave at the end of the turn
        for i = 1, 5 do taken = taken + (map:set(keys[(taken + i) % #keys + 1], value) and 1 or 0) end
        return taken >= 45, taken
      end)
      loop.sleep(0)
      local rest, err = write_until_full(map, keys, value)
      assert.truthy(err.message:find("node_share", 1, true))
      assert.is_true(taken + rest <= 55, taken + rest .. " writes were taken")
      resume()
      assert(client:drain(60))
    end)

    it("of a node that has its share of the log, by " .. what .. ", has only its own writers wait", function()
      local client, map, keys = stalled(share "pause", { batch = { ops = 1, in_flight = 1, ack_timeout = 600 } })
      local written = 0
      local writer = loop.spawn(function()
        for _, key in ipairs(keys) do
          assert(map:set(key, value))
          written = written + 1
        end
      end)
      eventually("45 writes are taken", function() return written >= 45, written end)
      write_to_node_2(client, map, 100)
      assert.is_true(written <= 55, written .. " writes were taken")
      resume()
      writer:wait(60)
      assert(client:drain(60))
      assert.equal(#keys + 100, client:stats().ops_acked)
    end)

    it("of a node that has its share of the log, by " .. what .. ", drops what waits for it", function()
      local client, map, keys = stalled(share "drop_oldest",
        { batch = { ops = 1, in_flight = 1, ack_timeout = 600 }, connections_per_node = 2 })
      -- First those of one connection: what waits for it is dropped for writes that go by the other, too.
      local function connection_of(key) return client:partition_of(key) % 2 end
      table.sort(keys, function(a, b) return connection_of(a) < connection_of(b) end)
      local of_others = 0
      local is_of_node_1 = {}
      for _, key in ipairs(keys) do is_of_node_1[key] = true end
      client:on("op_dropped", function(err) if not is_of_node_1[err.key] then of_others = of_others + 1 end end)
      for _, key in ipairs(keys) do assert(map:set(key, value)) end
      write_to_node_2(client, map, 100)
      local left = client:pending_ops()
      assert.is_true(left >= 45 and left <= 55, left .. " operations are left")
      assert.equal(#keys - left, client:stats().ops_dropped)
      assert.equal(0, of_others)
      resume()
      assert.equal(#keys - left, select(2, client:drain(60)).dropped)
    end)
  end

  -- Not of a real cluster either.
  if not shared.is_real then
    local filled = {
      ["of a node that was sent all of its share drops nothing of what waits for it"] = { share = 0.5, bytes = 40000 },
      ["of a log that what was sent fills alone drops nothing of what waits"] = { bytes = 64000 },
    }
    for what, case in pairs(filled) do
      it(what, function()
        local client, map, keys = stalled({ max_bytes = 64000, node_share = case.share, when_full = "drop_oldest" },
          { batch = { ops = 1, ack_timeout = 600 } })
        local other
        for _, key in ipairs(keys) do
          if client:partition_of(key) ~= client:partition_of(keys[1]) then other = key end
        end
        assert(map:set(keys[1], 1))
        assert(map:set(keys[1], 2)) -- waits for the first at a v2 node
        assert(map:set(other, ("x"):rep(case.bytes)))
        eventually("two operations are sent", function() return client:backlog().sent >= 2, client:backlog().sent end)
        local seq, err = map:set(keys[1], 3)
        assert.is_nil(seq)
        assert.equal("LOG_FULL", err.code)
        assert.equal(0, client:stats().ops_dropped)
        resume()
        assert(client:drain(60))
        assert.equal(3, client:stats().ops_acked)
      end)
    end
  end

  it("of a full log drops nothing that was sent", function()
    local client, map, keys = stalled { max_ops = 20, when_full = "drop_oldest" }
    for i = 1, 20 do assert(map:set(keys[i], i)) end
    eventually("something is sent", function() return client:backlog().sent > 0 or client:stats().ops_acked > 0 end)
    if client:stats().ops_acked > 0 then return pending "the cluster has given the partitions of node-1 to others" end
    local sent = client:backlog().sent
    local taken = 0
    for i = 21, 60 do taken = taken + (map:set(keys[i], i) and 1 or 0) end
    assert.equal(sent, client:backlog().sent)
    assert.equal(sent == 20 and 0 or 40, taken)
    resume()
    assert(client:drain(60))
    for i = 1, sent do assert.is_true(client:wait(i, 0)) end
  end)

  it("of a full log drops nothing for a write that is refused", function()
    local client, map, keys = stalled { max_ops = 20, when_full = "drop_oldest" }
    for i = 1, 40 do assert(map:set(keys[i], i)) end
    local dropped, text = client:stats().ops_dropped, ("x"):rep(2 ^ 20 - 150)
    for what, value in pairs { text = text, table = { text = text }, list = { text } } do
      local seq, err = map:set(keys[41], value)
      assert.is_nil(seq)
      assert.equal("TOO_LARGE", err.code, what)
      assert.equal(dropped, client:stats().ops_dropped, what)
      assert.is_nil(map:get(keys[41]))
    end
    assert.equal("NOT_ENCODABLE", select(2, map:set("\255", 1)).code)
    assert.equal(dropped, client:stats().ops_dropped)
    assert.equal(20, client:pending_ops())
    resume()
  end)

  it("of a full log gets the error of a write that is too large at once, and not that the log is full", function()
    for _, when_full in ipairs { "pause", "fail" } do
      local client, map, keys = stalled { max_ops = 20, when_full = when_full }
      for i = 1, 20 do assert(map:set(keys[i], i)) end
      assert.equal("TOO_LARGE", select(2, map:set(keys[21], { ("x"):rep(2 ^ 20 - 150) })).code)
      assert.equal(20, client:pending_ops())
      resume()
      assert(client:drain(10))
    end
  end)

  it("tells once when the log is nearly full, and once when there is room again", function()
    local client, map, keys = stalled { max_ops = 100, high_watermark = 0.8, low_watermark = 0.3 }
    local reported = {}
    client:on("high_watermark", function(ops) reported[#reported + 1] = "high " .. ops end)
    client:on("low_watermark", function(ops) reported[#reported + 1] = "low " .. ops end)
    for i = 1, 79 do assert(map:set(keys[i], i)) end
    loop.sleep(0.05)
    assert.same({}, reported)
    for i = 80, 95 do assert(map:set(keys[i], i)) end
    eventually("the high watermark is reported", function() return reported[1], reported end)
    loop.sleep(0.05)
    assert.same({ "high 80" }, reported)
    resume()
    assert(client:drain(60))
    eventually("the low watermark is reported", function() return reported[2], reported end)
    loop.sleep(0.05)
    assert.equal(2, #reported)
    local ops = tonumber(reported[2]:match "^low (%d+)$")
    assert.is_true(ops and ops <= 30, reported[2])
  end)

  it("of a slow node bounds what it was sent, and keeps no other node waiting", function()
    local client, map, keys = stalled(nil, { batch = { ack_timeout = 600, ops = 5, in_flight = 3 } })
    local other = {}
    for _, id in ipairs { "node-2", "node-3" } do
      for _, key in ipairs(clusters.keys_of(client, id, 200)) do other[#other + 1] = key end
    end
    for i = 1, 200 do
      assert(map:set(keys[i], i))
      assert(map:set(other[2 * i - 1], i))
      assert(map:set(other[2 * i], i))
    end
    eventually("the other nodes acknowledge all of theirs", function() return client:stats().ops_acked >= 400, client:stats().ops_acked end)
    local node = clusters.node_of(client, "node-1")
    assert.is_true(node.in_flight_ops > 0 and node.in_flight_ops <= 15, node.in_flight_ops .. " are in flight")
    assert.is_true(node.stats.batches_sent <= 3, node.stats.batches_sent .. " batches were sent")
    -- A real cluster may notice the pause and give the partitions to others.
    if not shared.is_real then assert.equal(200, node.in_flight_ops + node.pending_ops) end
    resume()
    assert(client:drain(60))
  end)
end)

clusters.on_each(getfenv(), "a lone server", function(shared, it)
  it("that was sent all of a full log leaves nothing to drop: the write is refused", function()
    local client = shared:started { oplog = { max_ops = 20, when_full = "drop_oldest" } }
    local map = client:map(shared:map_name())
    assert(shared.cluster:pause "node-1")
    finally(function() shared.cluster:resume "node-1" end)
    for i = 1, 20 do assert(map:set("key-" .. i, i)) end
    eventually("all is sent", function() return client:backlog().sent == 20, client:backlog() end)
    local seq, err = map:set("one more", 1)
    assert.is_nil(seq)
    assert.equal("LOG_FULL", err.code)
    assert.same({ 0, 20 }, { client:stats().ops_dropped, client:pending_ops() })
    assert(shared.cluster:resume "node-1")
    assert(client:drain(60))
  end)
end, { "sim://1" })
