--- Messages of the script's own, to the owner of a key.
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"
local uuid = require "wingman.base.uuid"

-- A write as a message of the script's own, and what its answer is.
local function write_of(client, map, key)
  local id = uuid.letters(10)
  local op = {
    id = id, mapName = map, key = key, opType = "PUT",
    record = { value = { by = "hand" }, timestamp = { millis = core.wall_ms(), counter = 0, nodeId = client.options.client_id } },
  }
  return { type = "OP_BATCH", payload = { ops = { op } } }, function(message)
    return message.type == "OP_ACK" and message.payload.lastId == id
  end
end

clusters.on_each(getfenv(), "send_with_retry", function(shared, it)
  it("sends to the owner of the key and returns its answer", function()
    local client, name = shared:started(), shared:map_name()
    for _, id in ipairs(client:connected_nodes()) do
      local key = clusters.keys_of(client, id, 1)[1]
      local message, is_answer = write_of(client, name, key)
      local answer = assert(client:send_with_retry(message, key, { answer = is_answer }))
      assert.equal(message.payload.ops[1].id, answer.payload.lastId)
      assert.same({ by = "hand" }, assert(client:holdings(id, name))[key].value)
    end
    assert.equal(0, client:stats().ops_acked)
  end)

  it("says true when nobody refuses, and takes bytes", function()
    local client, name = shared:started(), shared:map_name()
    local key = "key-1"
    assert.is_true(client:send_with_retry(core.encode((write_of(client, name, key))), key))
    assert.same({ by = "hand" }, shared:values(client, name)[key])
    assert.is_true(client:send_with_retry { type = "PING", timestamp = 1 })
  end)

  it("returns the PONG that answers a PING of the script's own", function()
    local client = shared:started { heartbeat = { interval = 0.05 } }
    for stamp = 1, 20 do
      local answer = assert(client:send_with_retry({ type = "PING", timestamp = stamp }, nil,
        { answer = function(message) return message.type == "PONG" and message end, timeout = eventually.PATIENCE }))
      assert.equal(stamp, answer.timestamp)
    end
    -- The heartbeat's own are nobody's messages.
    eventually("a heartbeat is answered", function() return client:health().nodes[1].rtt > 0, client:health().nodes[1] end)
  end)

  it("waits for the node to come back", function()
    local client, name = shared:started { reconnect = function() return 0.05 end, map_requests = { refresh = 600 } },
      shared:map_name()
    local only = shared:client { server = shared.cluster.urls[3], reconnect = function() return 0.05 end }
    assert(only:start())
    assert(shared.cluster:kill "node-3")
    eventually("no node is connected", function() return #only:connected_nodes() == 0, only:connected_nodes() end)
    local message, is_answer = write_of(only, name, "key-1")
    local task = loop.spawn(function()
      return only:send_with_retry(message, "key-1", { answer = is_answer, max_retries = 10, retry_delay = 0.05 })
    end)
    loop.sleep(0.1)
    shared:restart("node-3", client)
    assert.is_table(assert(task:wait(60)))
  end)

  it("gives up after its retries, each twice as long after the last", function()
    local client = shared:client { cluster = { seeds = { "ws://127.0.0.1:1" } }, start_timeout = 0.1 }
    client:start()
    local begun = loop.now()
    local ok, err = client:send_with_retry({ type = "X" }, "key-1", { max_retries = 2, retry_delay = 0.05 })
    local took = loop.now() - begun
    assert.is_nil(ok)
    assert.same({ "NOT_CONNECTED", true, 3 }, { err.code, err.retriable, err.attempts })
    assert.truthy(err.message:find("key 'key-1'", 1, true))
    assert.is_true(took >= 0.15, "it took " .. took)
  end)
end)

clusters.on_each(getfenv(), "send_with_retry", function(shared, it)
  local function refusing(fault, count, options)
    local client, name = shared:started(options), shared:map_name()
    local key = clusters.keys_of(client, "node-2", 1)[1]
    assert(shared.cluster:reset_stats())
    assert(shared.cluster:fault("node-2", "error", fault, count))
    return client, key, name
  end

  local function batches(id) return assert(shared.cluster:stats())[id].op_batches end

  for _, code in ipairs { "NOT_OWNER", "STALE_MAP" } do
    it("tries again after " .. code .. ", with and without an answer to wait for", function()
      local client, key, name = refusing(code, 1)
      local asked = client:router_stats().map_requests
      local message, is_answer = write_of(client, name, key)
      assert(client:send_with_retry(message, key, { answer = is_answer, retry_delay = 0.01 }))
      assert.equal(2, batches "node-2")
      assert.is_true(client:router_stats().map_requests > asked, "the map was not asked for")
      assert(shared.cluster:fault("node-2", "error", code, 2))
      local refusals = 0
      client:on("server_error", function() refusals = refusals + 1 end)
      assert.is_true(client:send_with_retry((write_of(client, name, key)), key, { retry_delay = 0.01 }))
      -- Two, and two retries; on a busy machine a refusal may come too late, after a tenth of a second.
      local in_time = refusals
      assert.equal(3 + in_time, batches "node-2")
    end)

    it("returns " .. code .. " when it does not end", function()
      local client, key, name = refusing(code, 9)
      local message, is_answer = write_of(client, name, key)
      local ok, err = client:send_with_retry(message, key, { answer = is_answer, timeout = 60, max_retries = 2, retry_delay = 0.01 })
      assert.is_nil(ok)
      assert.same({ code, true, 3 }, { err.code, err.retriable, err.attempts })
      assert.equal(3, batches "node-2")
      assert(shared.cluster:fault("node-2", "none"))
    end)
  end

  it("does not try again after NOT_OWNER when told so, and does after STALE_MAP", function()
    local client, key, name = refusing("NOT_OWNER", 1)
    local message, is_answer = write_of(client, name, key)
    local options = { answer = is_answer, timeout = 60, retry_on_not_owner = false, retry_delay = 0.01 }
    local ok, err = client:send_with_retry(message, key, options)
    assert.is_nil(ok)
    assert.same({ "NOT_OWNER", true, 1 }, { err.code, err.retriable, err.attempts })
    assert(shared.cluster:fault("node-2", "error", "STALE_MAP", 1))
    assert(client:send_with_retry(message, key, options))
  end)

  it("goes to the new owner once the map names it", function()
    local client, key, name = refusing("NOT_OWNER", 1, { map_requests = { refresh = 600 } })
    assert(shared.cluster:fault("all", "map-unpushed", true))
    assert(shared.cluster:move(client:partition_of(key), "node-3"))
    local message, is_answer = write_of(client, name, key)
    -- By the next try the map has come, on a busy machine too.
    assert(client:send_with_retry(message, key, { answer = is_answer, retry_delay = 1 }))
    assert.same({ 1, 1 }, { batches "node-2", batches "node-3" })
    assert(shared.cluster:fault("all", "none"))
  end)

  it("tells a connection that breaks off, and sends again", function()
    local client, key, name = refusing("429", 0, { reconnect = function() return 0.01 end })
    local message, is_answer = write_of(client, name, key)
    assert(shared.cluster:fault("node-2", "mute", true))
    local task = loop.spawn(function()
      return client:send_with_retry(message, key, { answer = is_answer, timeout = 60, retry_delay = 0.05, max_retries = 10 })
    end)
    eventually("node-2 has received the message", function() return batches "node-2" == 1, batches "node-2" end)
    assert(shared.cluster:fault("node-2", "close", 1012))
    assert(shared.cluster:fault("node-2", "mute", false))
    assert.is_table(assert(task:wait(60)))
    assert.equal(2, batches "node-2")
  end)

  it("says that no answer came, and that the same again may succeed", function()
    local client, key, name = refusing("429", 0)
    assert(shared.cluster:fault("node-2", "ack-drop", 1))
    local message, is_answer = write_of(client, name, key)
    local ok, err = client:send_with_retry(message, key, { answer = is_answer, timeout = 0.1 })
    assert.is_nil(ok)
    assert.same({ "TIMEOUT", true, 1 }, { err.code, err.retriable, err.attempts })
  end)

  it("refuses what is no message, and ends with its client", function()
    local client = shared:started()
    for _, bad in ipairs { { 5 }, { {}, 5 }, { {}, "k", 5 }, { {}, "k", { retries = 5 } }, { {}, "k", { timeout = "soon" } } } do
      assert.has_error(function() client:send_with_retry(bad[1], bad[2], bad[3]) end)
    end
    assert.error_matches(function()
      client:send_with_retry({ type = "SYNC_INIT", mapName = "m", lastSyncTimestamp = 0 }, "k", { answer = function() error "a mistake" end })
    end, "a mistake")
    local ok, err = client:send_with_retry({ f = function() end }, "k")
    assert.is_nil(ok)
    assert.same({ "NOT_ENCODABLE", false }, { err.code, err.retriable })
    local task = loop.spawn(function()
      return { client:send_with_retry({ type = "X" }, "k", { answer = function() end, timeout = 60 }) }
    end)
    loop.sleep(0.02)
    client:close()
    local result = assert(task:wait(60))
    assert.is_nil(result[1])
    assert.equal("CLOSED", result[2].code)
    ok, err = client:send_with_retry({ type = "X" }, "k")
    assert.is_nil(ok)
    assert.same({ "CLOSED", false }, { err.code, err.retriable })
  end)
end, { "sim://3", "sim://3?dialect=0.11" })
