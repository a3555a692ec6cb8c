local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local eventually = require "spec.support.eventually"
local server_error = require "wingman.client.incoming.server_error"

describe("server error", function()
  it("is found in every shape, and says whether the same again may succeed", function()
    local hint = { partitionId = 7, currentOwner = "node-2", mapVersion = 3 }
    local cases = {
      { { type = "ERROR", payload = { code = 429, message = "slow" } }, "OVERLOADED", true, "slow" },
      { { type = "ERROR", payload = { code = 500, message = "x" } }, "OVERLOADED", true, "x" },
      { { type = "ERROR", payload = { code = 503, message = "x" } }, "OVERLOADED", true, "x" },
      { { type = "ERROR", payload = { code = 400, message = "x" } }, "INVALID", false, "x" },
      { { type = "ERROR", payload = { code = 401, message = "x" } }, "UNAUTHORIZED", false, "x" },
      { { type = "ERROR", payload = { code = 403, message = "x" } }, "FORBIDDEN", false, "x" },
      { { type = "ERROR", payload = { code = 404, message = "x" } }, "NOT_FOUND", false, "x" },
      { { type = "ERROR", payload = { code = 999 } }, "SERVER_ERROR", false, "" },
      { { type = "ERROR" }, "SERVER_ERROR", false, "" },
      { { type = "ERROR", payload = 5 }, "SERVER_ERROR", false, "" },
      { { type = "ERROR", payload = { code = "NOT_OWNER", message = "m", hint = hint } }, "NOT_OWNER", true, "m" },
      { { type = "X", error = { code = "NOT_OWNER", message = "m", hint = hint } }, "NOT_OWNER", true, "m" },
      { { type = "X", code = "STALE_MAP", message = "m", hint = hint }, "STALE_MAP", true, "m" },
      { { type = "X", payload = { error = { code = "STALE_MAP", message = "m" } } }, "STALE_MAP", true, "m" },
      { { type = "OP_REJECTED", payload = { opId = "1", reason = "no" } }, "REJECTED", false, "no" },
      { { type = "OP_REJECTED", payload = { opId = "1", reason = "no", code = "NOT_OWNER" } }, "NOT_OWNER", true, "no" },
      { { type = "MERGE_REJECTED", mapName = "m", key = "k", reason = "r" }, "MERGE_REJECTED", false, "r" },
      { { type = "ERROR", payload = { code = 500, message = "write access denied for map: m" } }, "REJECTED", false,
        "write access denied for map: m" },
      { { type = "ERROR", payload = { code = 500, message = "value size 9 bytes exceeds maximum 8 bytes" } }, "REJECTED", false,
        "value size 9 bytes exceeds maximum 8 bytes" },
    }
    for i, case in ipairs(cases) do
      local err = server_error.of(case[1])
      assert.equal(case[2], err.code, i)
      assert.equal(case[3], err.retriable, i)
      assert.equal(case[4], err.message, i)
    end
    assert.same(hint, server_error.of(cases[11][1]).hint)
    assert.equal("1", server_error.of(cases[15][1]).op_id)
    assert.equal(429, server_error.of(cases[1][1]).status)
    assert.is_true(server_error.of(cases[1][1]).is_rate)
    assert.is_nil(server_error.of(cases[2][1]).is_rate)
    assert.is_true(server_error.of { type = "ERROR", payload = { code = 500,
      message = "internal error: Write-behind capacity exceeded" } }.is_rate)
    local merge = server_error.of { type = "MERGE_REJECTED", mapName = "m", key = "k", attemptedValue = core.null }
    assert.same({ "m", "k" }, { merge.map, merge.key })
    assert.is_nil(merge.attempted_value)
  end)

  it("is none where there is none", function()
    for _, message in ipairs { {}, { type = "PONG" }, { type = "QUERY_RESP", payload = { error = "text" } },
      { type = "X", payload = { code = 400 } }, "text" } do
      assert.is_nil(server_error.of(message))
    end
    assert.is_nil(server_error.of(nil))
  end)
end)

-- The operation that a batch holds back, as the simulated node has it.
local function last_id(shared, id)
  local ids
  eventually(id .. " receives an operation", function()
    ids = assert(shared.cluster:received(id)).ids
    return #ids > 0
  end)
  return ids[#ids]
end

local function hex(text) return (text:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end)) end

clusters.on_each(getfenv(), "a server's error", function(shared, it)
  -- A node that has a write and does not acknowledge it; the client and the write's future.
  local function held_back(options)
    local client = shared:started(options)
    local id = client:connected_nodes()[1]
    local name = shared:map_name()
    assert(shared.cluster:reset_stats())
    assert(shared.cluster:fault(id, "ack-drop", 1))
    local key = clusters.keys_of(client, id, 1)[1]
    local seq = assert(client:map(name):set(key, { v = 1 }))
    local seen = {}
    client:on("server_error", function(err) seen[#seen + 1] = err end)
    return client, id, seq, last_id(shared, id), seen
  end

  local function inject(id, message)
    assert(shared.cluster:command(("send %s binary %s"):format(id, hex(core.encode(message)))))
  end

  it("that says NOT_OWNER brings the operation back and the map anew, and the operation is acknowledged", function()
    local client, id, seq, op_id, seen = held_back { map_requests = { debounce = 0.05 } }
    local before = client:router_stats().map_requests
    inject(id, { type = "OP_REJECTED", payload = { opId = op_id, reason = "moved", code = "NOT_OWNER", hint = { mapVersion = 9 } } })
    assert.is_true(client:wait(seq, 60))
    assert.equal("NOT_OWNER", seen[1].code)
    assert.equal(id, seen[1].node)
    assert.is_true(seen[1].retriable)
    assert.equal(9, seen[1].hint.mapVersion)
    assert.is_true(client:router_stats().map_requests > before)
    assert.equal(1, client:stats().ops_resent)
  end)

  it("that rejects an operation for its route never loses it, wherever the code stands", function()
    for i, shape in ipairs {
      function(op_id) return { type = "OP_REJECTED", payload = { opId = op_id, code = "STALE_MAP" } } end,
      function(op_id) return { type = "OP_REJECTED", payload = { opId = op_id, error = { code = "NOT_OWNER" } } } end,
      function(op_id) return { type = "OP_REJECTED", payload = { opId = op_id }, error = { code = "STALE_MAP" } } end,
      function(op_id) return { type = "OP_REJECTED", payload = { opId = op_id }, code = "NOT_OWNER" } end,
    } do
      local client, id, seq, op_id, seen = held_back { map_requests = { debounce = 0.05 }, batch = { ack_timeout = 30 } }
      inject(id, shape(op_id))
      assert.is_true(client:wait(seq, 60), "shape " .. i)
      assert.equal(op_id, seen[1].op_id, "shape " .. i)
      assert.is_true(seen[1].retriable)
      assert.equal(0, client:stats().ops_rejected)
    end
  end)

  it("that rejects an operation and says that this may change never loses it", function()
    local client, id, seq, op_id = held_back { batch = { ack_timeout = 30 } }
    inject(id, { type = "OP_REJECTED", payload = { opId = op_id, reason = "busy", code = 429, permanent = false } })
    assert.is_true(client:wait(seq, 60))
    assert.same({ 0, 1 }, { client:stats().ops_rejected, client:stats().ops_resent })
  end)

  it("with which no server refuses a batch is reported, and the batch is awaited", function()
    local client, id, seq, op_id, seen = held_back { batch = { ack_timeout = 30 }, circuit = { failures = 1 } }
    for _, code in ipairs { 403, 501, 503 } do
      inject(id, { type = "ERROR", payload = { code = code, message = "of another request" } })
    end
    eventually("three errors are reported", function() return #seen == 3, #seen end)
    assert.same({ 403, 501, 503 }, { seen[1].status, seen[2].status, seen[3].status })
    assert.same({ 0, 0, 0 }, { client:stats().ops_resent, client:stats().overloads, client:stats().ops_aside })
    assert.equal("closed", clusters.node_of(client, id).circuit)
    inject(id, { type = "OP_ACK", payload = { lastId = op_id } })
    assert.is_true(client:wait(seq, 20))
    assert.equal(1, #assert(shared.cluster:received(id)).ids)
  end)

  it("about an operation that is not in flight is reported, and changes nothing", function()
    local client, id, seq, op_id, seen = held_back { batch = { ack_timeout = 30 } }
    inject(id, { type = "OP_REJECTED", payload = { opId = "of nobody", reason = "no", code = 403 } })
    inject(id, { type = "OP_REJECTED", payload = { opId = "of nobody", code = "NOT_OWNER" } })
    inject(id, { type = "OP_REJECTED", payload = { reason = "no id" } })
    eventually("three errors are heard of", function() return #seen == 3, #seen end)
    assert.same({ "REJECTED", 403, "of nobody" }, { seen[1].code, seen[1].status, seen[1].op_id })
    assert.equal("NOT_OWNER", seen[2].code)
    assert.equal(1, client:pending_ops())
    assert.same({ 0, 0 }, { client:stats().ops_resent, client:stats().overloads })
    inject(id, { type = "OP_ACK", payload = { lastId = op_id } })
    assert.is_true(client:wait(seq, 60))
    inject(id, { type = "OP_REJECTED", payload = { opId = op_id, reason = "late" } })
    eventually("a fourth error is heard of", function() return #seen == 4, #seen end)
    assert.equal(0, client:stats().ops_rejected)
  end)

  it("of a conflict resolver is reported with the map and the key", function()
    local client, id, _, _, seen = held_back()
    inject(id, { type = "MERGE_REJECTED", mapName = "m", key = "k", reason = "older", attemptedValue = 5,
      timestamp = { millis = 1, counter = 0, nodeId = "n" } })
    eventually("an error of the server is heard of", function() return seen[1] end)
    assert.same({ "MERGE_REJECTED", false, "m", "k", 5, "older" },
      { seen[1].code, seen[1].retriable, seen[1].map, seen[1].key, seen[1].attempted_value, seen[1].message })
    assert(client:drain(60))
  end)

  it("that says STALE_MAP at the top of a message does so, too", function()
    local client, id, seq, _, seen = held_back { map_requests = { debounce = 0.05 }, batch = { ack_timeout = 30 } }
    inject(id, { type = "OP_ERROR", error = { code = "STALE_MAP", message = "old", hint = { serverVersion = 4 } } })
    assert.is_true(client:wait(seq, 60))
    assert.equal("STALE_MAP", seen[1].code)
    assert.equal(4, seen[1].hint.serverVersion)
  end)

  it("that rejects an operation settles it with the reason", function()
    local client, id, seq, op_id = held_back()
    local reported
    client:on("op_rejected", function(err) reported = err end)
    inject(id, { type = "OP_REJECTED", payload = { opId = op_id, reason = "Access Denied" } })
    local ok, err = client:wait(seq, 60)
    assert.is_nil(ok)
    assert.equal("REJECTED", err.code)
    assert.is_false(err.retriable)
    assert.truthy(err.message:find("Access Denied", 1, true))
    assert.equal(reported, err)
    assert.equal(0, client:pending_ops())
  end)

  it("in the results of an acknowledgement concerns its operation alone", function()
    local client = shared:started { batch = { ack_timeout = 30 } }
    local id = client:connected_nodes()[1]
    assert(shared.cluster:fault(id, "ack-drop", 1))
    local map, keys, seqs = client:map(shared:map_name()), clusters.keys_of(client, id, 4), {}
    for i, key in ipairs(keys) do seqs[i] = assert(map:set(key, i)) end
    local ids
    eventually("the batch arrives", function()
      ids = {}
      for _, op in ipairs(client.core:operations(0)) do
        if op.in_flight then ids[op.key] = op.id end
      end
      for _, key in ipairs(keys) do
        if not ids[key] then return false, key end
      end
      return #assert(shared.cluster:received(id)).keys >= #keys
    end)
    inject(id, { type = "OP_ACK", payload = { lastId = "of nobody", results = {
      { opId = ids[keys[1]], success = true, achievedLevel = "APPLIED" },
      { opId = ids[keys[2]], success = false, achievedLevel = "MEMORY", error = "schema: no number" },
      { opId = ids[keys[3]], success = false, error = { code = "NOT_OWNER" } },
      { opId = "of nobody", success = false }, { opId = 5 }, "no result",
    } } })
    assert.is_true(client:wait(seqs[1], 60))
    local ok, err = client:wait(seqs[2], 60)
    assert.same({ nil, "REJECTED", "schema: no number", id }, { ok, err.code, err.reason, err.node })
    assert.is_true(client:wait(seqs[3], 60)) -- sent again
    assert.equal(1, client:pending_ops())
    inject(id, { type = "OP_ACK", payload = { lastId = ids[keys[4]] } })
    ok, err = client:drain(60)
    assert.same({ nil, "REJECTED", 1 }, { ok, err.code, err.count })
    assert.equal(3, client:stats().ops_acked)
    assert.same({ map.name, keys[2], 2 }, { client:rejected()[1].map, client:rejected()[1].key, client:rejected()[1].value })
  end)

  it("again and again is reported once, and the operation stays in the log", function()
    local client = shared:started { batch = { tries = 3 }, circuit = "never" }
    local id = client:connected_nodes()[1]
    local reported = {}
    client:on("op_tries", function(err) reported[#reported + 1] = err end)
    local key = clusters.keys_of(client, id, 1)[1]
    assert(shared.cluster:fault(id, "poison", key, "refused", "not now"))
    local seq = assert(client:map(shared:map_name()):set(key, { v = 1 }))
    eventually("it is reported", function() return reported[1] end)
    assert.equal("NOT_ACKNOWLEDGED", reported[1].code)
    assert.same({ key, seq, 3 }, { reported[1].key, reported[1].seq, reported[1].tries })
    assert.equal(1, client:pending_ops())
    assert(shared.cluster:fault(id, "none"))
    assert.is_true(client:wait(seq, 60))
    assert.equal(1, #reported)
  end)
end, { "sim://3", "sim://3?dialect=0.11" })
