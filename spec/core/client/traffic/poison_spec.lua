--- Poison messages: an operation that a server never answers, refuses, or ends the
--- connection over is found and rejected by name; the others flow, and nothing is
--- rejected because a server is slow, overloaded or away.
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"

--- The node that does not take the poison.
local NODE = "node-2"
--- Seconds for what takes less, on a machine that is busy.
local PATIENCE = 60
local simulated = { "sim://3", "sim://3?dialect=0.11" }

-- Waits until nothing is pending.
local function settle(client)
  local ok, err = client:drain(PATIENCE)
  assert(ok or err.code == "REJECTED", tostring(err))
  assert.equal(0, client:pending_ops())
end

clusters.on_each(getfenv(), "a poison message", function(shared, it)
  after_each(function() assert(shared.cluster:fault("all", "none")) end)

  -- Waits, with the last value in the message of a failure.
  local function await(what, value, expected)
    eventually(("%s: %s"):format(what, tostring(expected)), function()
      local last = value()
      return last == expected, last
    end)
  end

  local function started(options)
    local given = {
      batch = { ack_timeout = 0.25, tries = 255 }, reconnect = function() return 0.01 end, circuit = "never",
      heartbeat = { interval = 0.1, timeout = 30 },
    }
    for name, value in pairs(options or {}) do given[name] = value end
    local client = shared:started(given)
    local seen = { rejected = {}, acked = 0 }
    client:on("op_rejected", function(err)
      seen.rejected[#seen.rejected + 1] = err
      seen.acked_before = seen.acked_before or seen.acked
    end)
    return client, seen
  end

  -- `count` keys of the node, of which those whose number is in `poisoned` hold "poison".
  local function keys_of(client, count, poisoned)
    local keys, i = {}, 0
    local owners = client:partition_map().owners
    while #keys < count do
      i = i + 1
      local key = (poisoned[#keys + 1] and "poison-" or "good-") .. i
      if owners[client:partition_of(key) + 1] == NODE then keys[#keys + 1] = key end
    end
    return keys
  end

  local function set(map, key, value, seen)
    assert(map:set(key, value, { on_ack = function(ok) if ok then seen.acked = seen.acked + 1 end end }))
  end

  -- Other writes to the node, again and again; what it returns ends that.
  local function keep_writing(client, map)
    local running, seen = true, { acked = 0 }
    local writing = loop.spawn(function()
      for _, key in ipairs(keys_of(client, 5000, {})) do
        if not running then return end
        set(map, key, 1, seen)
        loop.sleep(0.02)
      end
    end)
    return function()
      running = false
      writing:wait(PATIENCE)
    end
  end

  -- The keys that were rejected, sorted; each once.
  local function rejected_keys(seen)
    local keys = {}
    for i, err in ipairs(seen.rejected) do keys[i] = err.key end
    table.sort(keys)
    return keys
  end

  local function times_sent(key)
    local count = 0
    for _, arrived in ipairs(assert(shared.cluster:received(NODE)).keys) do
      if arrived == key then count = count + 1 end
    end
    return count
  end

  --- What the server does with it: the fault, and what the rejection says.
  local kinds = {
    { "that is never answered", { "unanswered" }, "3 batches of this operation alone were not answered", waits = true },
    { "that is refused in words that nobody knows", { "refused", "the moon is full" }, "the moon is full" },
    { "that ends the connection without a word", { "cut" }, "the connection ended after each of 3 batches of this operation alone" },
    { "that is refused as too large", { "refused", "value size 9 bytes exceeds maximum 8 bytes" },
      "value size 9 bytes exceeds maximum 8 bytes" },
  }

  for _, kind in ipairs(kinds) do
    local name, fault, reason = kind[1], kind[2], kind[3]
    it(name .. " is rejected by name; what stood in its batch is acknowledged before that", function()
      local client, seen = started()
      local map = client:map(shared:map_name())
      local keys = keys_of(client, 201, { [101] = true })
      assert(shared.cluster:fault(NODE, "poison", "poison", unpack(fault)))
      local stop = keep_writing(client, client:map(shared:map_name()))
      for i, key in ipairs(keys) do set(map, key, i, seen) end
      await("rejected", function() return #seen.rejected end, 1)
      stop()
      settle(client)
      assert.same({ keys[101] }, rejected_keys(seen))
      assert.equal(reason, seen.rejected[1].reason)
      assert.equal("REJECTED", seen.rejected[1].code)
      assert.equal(200, seen.acked)
      -- Those behind it may have left in a later batch: the send window was not always wide enough for all.
      assert.is_true(seen.acked_before >= 100, seen.acked_before)
      assert.equal(1, client:stats().ops_rejected)
      for i, key in ipairs(keys) do
        if i ~= 101 then assert.equal(i, assert(shared.cluster:dump(map.name, NODE))[NODE][key].value, key) end
      end
    end)

    it(name .. " is one of five", function()
      local client, seen = started()
      local map = client:map(shared:map_name())
      local keys = keys_of(client, 120, { [1] = true, [2] = true, [60] = true, [119] = true, [120] = true })
      assert(shared.cluster:fault(NODE, "poison", "poison", unpack(fault)))
      local stop = keep_writing(client, client:map(shared:map_name()))
      for i, key in ipairs(keys) do set(map, key, i, seen) end
      await("rejected", function() return #seen.rejected end, 5)
      stop()
      settle(client)
      local expected = { keys[1], keys[2], keys[60], keys[119], keys[120] }
      table.sort(expected)
      assert.same(expected, rejected_keys(seen))
      assert.equal(115, seen.acked)
    end)

    it(name .. " holds up what follows it of its key, and nothing else of it is rejected", function()
      local client, seen = started()
      local map = client:map(shared:map_name())
      local keys = keys_of(client, 20, { [10] = true })
      assert(shared.cluster:fault(NODE, "poison", "poison", unpack(fault)))
      local stop = keep_writing(client, client:map(shared:map_name()))
      for i, key in ipairs(keys) do set(map, key, i, seen) end
      await("acknowledged", function() return seen.acked end, 19)
      for _ = 1, 3 do
        for i, key in ipairs(keys) do if i ~= 10 then set(map, key, i, seen) end end
      end
      await("acknowledged", function() return seen.acked end, 19 * 4)
      await("rejected", function() return #seen.rejected end, 1)
      stop()
      settle(client)
      assert.same({ keys[10] }, rejected_keys(seen))
    end)

    it(name .. " is found although the connection ends in between, and no other is blamed", function()
      local client, seen = started()
      local map = client:map(shared:map_name())
      local keys = keys_of(client, 60, { [30] = true })
      assert(shared.cluster:fault(NODE, "poison", "poison", unpack(fault)))
      local stop = keep_writing(client, client:map(shared:map_name()))
      for i, key in ipairs(keys) do set(map, key, i, seen) end
      for _ = 1, 5 do
        local sent = times_sent(keys[30])
        loop.wait_until(function() return #seen.rejected > 0 or times_sent(keys[30]) > sent end, PATIENCE)
        assert(shared.cluster:fault(NODE, "close", 1012))
      end
      await("rejected", function() return #seen.rejected end, 1)
      stop()
      settle(client)
      assert.same({ keys[30] }, rejected_keys(seen))
      assert.equal(59, seen.acked)
    end)

    it(name .. " by one node is taken by the node that its partition moves to", function()
      local client, seen = started()
      local map = client:map(shared:map_name())
      local keys = keys_of(client, 8, { [4] = true })
      local partition, moving = client:partition_of(keys[4]), nil
      -- Ordered in the same turn as what the client does next: a rejection takes more turns than the order.
      local function move() moving = moving or loop.spawn(function() assert(shared.cluster:move(partition, "node-1")) end) end
      for _, trouble in ipairs { "ack_timeout", "server_error", "node_lost" } do client:on(trouble, move) end
      assert(shared.cluster:fault(NODE, "poison", "poison", unpack(fault)))
      for i, key in ipairs(keys) do set(map, key, i, seen) end
      await("acknowledged", function() return seen.acked end, 8)
      moving:wait(PATIENCE)
      assert.equal(0, #seen.rejected)
      assert(shared.cluster:move(partition, NODE))
    end)
  end

  it("that is the only write and never answered is rejected: the node acknowledges what is sent to ask", function()
    local client, seen = started()
    local key = keys_of(client, 1, { [1] = true })[1]
    assert(shared.cluster:fault(NODE, "poison", "poison", "unanswered"))
    set(client:map(shared:map_name()), key, 1, seen)
    await("rejected", function() return #seen.rejected end, 1)
    settle(client)
    assert.equal(0, client:stats().unmatched_acks)
  end)

  it("that is the only write and refused in words that nobody knows is kept", function()
    local client, seen = started()
    local key = keys_of(client, 1, { [1] = true })[1]
    assert(shared.cluster:fault(NODE, "poison", "poison", "refused", "the moon is full"))
    set(client:map(shared:map_name()), key, 1, seen)
    await("sent again", function() return times_sent(key) > 6 end, true)
    assert.equal(0, #seen.rejected)
    assert(shared.cluster:fault(NODE, "none"))
    settle(client)
    assert.same({ 0, 1 }, { #seen.rejected, seen.acked })
  end)

  it("does not hold up what was written to other keys of its partition while the node was away", function()
    local client, seen = started()
    local map = client:map(shared:map_name())
    local poisoned = keys_of(client, 1, { [1] = true })[1]
    local partition, good = client:partition_of(poisoned), nil
    for i = 1, 100000 do
      good = "good-" .. i
      if client:partition_of(good) == partition then break end
    end
    local before = times_sent(poisoned)
    assert(shared.cluster:fault(NODE, "poison", "poison", "refused", "the moon is full"))
    set(map, poisoned, 1, seen)
    await("sent again", function() return times_sent(poisoned) > before + 1 end, true)
    set(map, poisoned, 2, seen)
    assert(shared.cluster:pause(NODE))
    assert(shared.cluster:fault(NODE, "close", 1012))
    await("away", function() return clusters.node_of(client, NODE).state == "ready" end, false)
    set(map, good, 3, seen)
    assert(shared.cluster:resume(NODE))
    await("acknowledged", function() return seen.acked end, 1)
    assert(shared.cluster:fault(NODE, "none"))
    settle(client)
  end)

  it("is no name for what a server refuses while nothing else is taken", function()
    local client, seen = started()
    local map = client:map(shared:map_name())
    local keys = keys_of(client, 300, {})
    assert(shared.cluster:fault(NODE, "poison", "good", "refused", "the moon is full"))
    for i, key in ipairs(keys) do set(map, key, i, seen) end
    await("sent again", function() return times_sent(keys[1]) > 6 end, true)
    assert.same({ 0, 0, 300 }, { #seen.rejected, seen.acked, client:pending_ops() })
    await("set aside", function() return client:stats().ops_aside > 0 end, true)
    assert(shared.cluster:fault(NODE, "none"))
    settle(client)
    assert.equal(0, client:stats().ops_aside)
    assert.same({ 0, 300 }, { #seen.rejected, seen.acked })
  end)

  for _, words in ipairs {
    "rate limit exceeded, slow down", "server overloaded, try again later", "internal error: Write-behind capacity exceeded",
    "operation timed out after 5000ms", "authentication required",
  } do
    it("is no name for what is refused because of " .. words, function()
      local client, seen = started()
      local map = client:map(shared:map_name())
      local keys = keys_of(client, 30, { [15] = true })
      assert(shared.cluster:fault(NODE, "poison", "poison", "refused", words))
      local stop = keep_writing(client, client:map(shared:map_name()))
      for i, key in ipairs(keys) do set(map, key, i, seen) end
      await("sent again", function() return times_sent(keys[15]) > 6 end, true)
      assert(shared.cluster:fault(NODE, "none"))
      stop()
      settle(client)
      assert.same({ 0, 30 }, { #seen.rejected, seen.acked })
    end)
  end

  -- An error names no message: this one comes before the acknowledgement that is on its way.
  it("is no name for what was in flight when a message of the script's own was refused", function()
    local client, seen = started { batch = { ack_timeout = 30, tries = 255 } }
    local map = client:map(shared:map_name())
    local keys = keys_of(client, 20, {})
    local own = core.encode { type = "OP_BATCH", payload = { ops = { {
      id = "own", mapName = shared:map_name(), key = "poison", opType = "PUT",
      record = { value = 1, timestamp = { millis = 1, counter = 0, nodeId = "own" } },
    } } } }
    assert(shared.cluster:fault(NODE, "poison", "poison", "refused", "the moon is full"))
    assert(shared.cluster:fault(NODE, "ack-delay", 10))
    local sent = 0
    for i, key in ipairs(keys) do
      local before = times_sent(key)
      set(map, key, i, seen)
      await("sent", function() return times_sent(key) > before end, true)
      for _, node in ipairs(client.provider.connections.nodes) do assert(client.core:send(node.connection_ids[1], own)) end
      await("acknowledged", function() return seen.acked end, i)
      sent = sent + times_sent(key) - before
    end
    assert.equal(0, #seen.rejected)
    assert(sent < 2 * #keys, ("%d writes were sent %d times"):format(#keys, sent))
  end)

  it("is no name for what is slow when the question whether the node acknowledges is refused", function()
    local client, seen = started { batch = { ack_timeout = 0.25, tries = 255 } }
    local map, key = client:map(shared:map_name()), keys_of(client, 1, {})[1]
    assert(shared.cluster:reset_stats())
    assert(shared.cluster:fault(NODE, "ack-delay", 3000))
    set(map, key, 1, seen)
    await("sent", function() return times_sent(key) end, 1)
    local refused = 0
    client:on("server_error", function() refused = refused + 1 end)
    assert(shared.cluster:fault(NODE, "error", "429", 1000))
    await("refused", function() return refused > 1 end, true)
    await("acknowledged", function() return seen.acked end, 1)
    assert.same({ 1, 0, 0 }, { times_sent(key), client:stats().ops_resent, #seen.rejected })
    assert(shared.cluster:fault(NODE, "none"))
  end)

  it("is no name for what is slow: it is waited for, and not sent again", function()
    -- A 0.11 node is sent what is unanswered for 16 times ack_timeout again.
    local client, seen = started { batch = { ack_timeout = 2 } }
    local map = client:map(shared:map_name())
    local keys, reported, told_before, is_mine = keys_of(client, 60, {}), 0, nil, {}
    for _, key in ipairs(keys) do is_mine[key] = true end
    client:on("ack_timeout", function(event)
      reported = reported + 1
      assert.is_false(event.again)
    end)
    assert(shared.cluster:reset_stats())
    assert(shared.cluster:fault("all", "ack-delay", 4000))
    for i, key in ipairs(keys) do
      assert(map:set(key, i, { on_ack = function(ok)
        told_before = told_before or reported
        if ok then seen.acked = seen.acked + 1 end
      end }))
      if i % 20 == 0 then loop.sleep(0.15) end
    end
    await("acknowledged", function() return seen.acked end, 60)
    assert.is_true(told_before > 0, "the acknowledgements were not late")
    assert.same({ 0, 0 }, { client:stats().ops_rejected, client:stats().ops_resent })
    local received = 0
    for _, key in ipairs(assert(shared.cluster:received(NODE)).keys) do
      if is_mine[key] then received = received + 1 end
    end
    assert.equal(60, received)
    assert.is_nil(client:stats().losses.ack_timeout)
  end)
end, simulated)

clusters.on_each(getfenv(), "writes of a map that an access rule denies", function(shared, it)
  it("are rejected at once in the server's words, and the others of their batch are stored", function()
    local client = shared:started { circuit = "never" }
    local rejected, acked = {}, 0
    client:on("op_rejected", function(err) rejected[#rejected + 1] = err end)
    local map, denied = client:map(shared:map_name()), "secret"
    assert(shared.cluster:fault("all", "poison", "denied", "refused", "write access denied for map: " .. denied))
    assert(shared.cluster:reset_stats())
    for i = 1, 300 do
      assert(map:set("good" .. i, i, { on_ack = function(ok) if ok then acked = acked + 1 end end }))
      if i % 30 == 0 then assert(client:map(denied):set("denied" .. i, i)) end
    end
    settle(client)
    assert.same({ 10, 300 }, { #rejected, acked })
    for _, err in ipairs(rejected) do assert.equal("write access denied for map: secret", err.reason) end
    for _, node in ipairs(shared.cluster.nodes) do
      for _, key in ipairs(assert(shared.cluster:received(node.id)).keys) do
        if key:find("denied", 1, true) then acked = acked + 1 end
      end
    end
    assert.equal(310, acked, "each denied write was sent once")
    assert.equal(0, client:stats().overloads)
  end)
end, { "sim://3" })
