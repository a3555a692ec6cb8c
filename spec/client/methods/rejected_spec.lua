--- Dead letters: what a server rejected is kept, with the reason, until it is sent again or
--- dropped; and `drain` reports it.
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local eventually = require "spec.support.eventually"
local wingman = require "wingman"

local PATIENCE = 60
local SIMULATED = { "sim://3", "sim://3?dialect=0.11" }

local function hex(text) return (text:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end)) end

clusters.on_each(getfenv(), "a rejected write", function(shared, it)
  local client, map, id

  before_each(function()
    client = shared:started { batch = { ack_timeout = 30 } }
    id = client:connected_nodes()[1]
    map = client:map(shared:map_name())
  end)

  local used = 0

  -- The letters, without the times of their writes.
  local function listed()
    local list = {}
    for i, letter in ipairs(client:rejected()) do
      list[i] = letter
      assert.is_true(letter.millis > 0 and letter.counter >= 0)
      letter.millis, letter.counter = nil, nil
    end
    return list
  end

  -- Has the node reject this write to one of its keys; the key and the write's number.
  local function rejected(write, reason)
    used = used + 1
    local key = clusters.keys_of(client, id, used)[used]
    assert(shared.cluster:fault(id, "ack-drop", 1))
    local seq = assert(write(key))
    local op_id
    eventually("the write is sent", function()
      for _, op in ipairs(client.core:operations(0)) do
        if op.seq == seq and op.in_flight then op_id = op.id end
      end
      return op_id
    end)
    assert(shared.cluster:command(("send %s binary %s"):format(id,
      hex(core.encode { type = "OP_REJECTED", payload = { opId = op_id, reason = reason } }))))
    assert.equal("REJECTED", select(2, client:wait(seq, PATIENCE)).code)
    return key, seq
  end

  it("is a letter with all that was written, and counted", function()
    local reported
    client:on("op_rejected", function(err) reported = err end)
    local key, seq = rejected(function(key) return map:set(key, { deep = { 1, "two" } }) end, "no such\27[31m column")
    assert.same({ { seq = seq, map = map.name, key = key, value = { deep = { 1, "two" } }, reason = "no such\27[31m column", node = id } },
      listed())
    assert.equal(0, client:rejected().displaced)
    assert.same({ 1, 1, 0 }, { client:stats().ops_rejected, client:stats().dead_letters, client:stats().dead_letters_displaced })
    assert.same({ map.name, key, seq, id }, { reported.map, reported.key, reported.seq, reported.node })
    assert.is_nil(reported.message:find "\27", "the server's words are not escaped: " .. reported.message)
    assert.equal(0, client:pending_ops())
  end)

  it("stays in the local copy, as docs/guarantees.md says, until a newer record comes", function()
    assert(client:drain(PATIENCE))
    local key = rejected(function(key) return map:set(key, "refused") end, "no")
    assert.equal("refused", map:get(key))
    assert(map:set(key, "newer"))
    assert.is_nil((client:drain(PATIENCE))) -- REJECTED: the first one
    assert.equal("newer", map:get(key))
    assert.equal("newer", wingman.by_key(assert(client:query(map.name)))[key])
  end)

  -- A 0.11 cluster has it at the backup.
  if not shared.is_0_11 then
    it("is not sent again by a repair, and does not keep others from it", function()
      rejected(function(key) return map:set(key, 1) end, "no")
      local letter, record = client:rejected()[1], map:record(client:rejected()[1].key)
      assert.same({ record.millis, record.counter }, { letter.millis, letter.counter })
      local lost = clusters.keys_of(client, id, used + 1)[used + 1]
      client:drain(PATIENCE)
      -- The simulated node has stored the write that it says to have rejected; a restart makes all of it lost.
      assert(map:set(lost, 2))
      assert.is_true(client:drain(PATIENCE))
      assert(shared.cluster:kill(id))
      shared:restart(id, client)
      assert.equal(1, assert(client:repair(map.name)))
      assert.is_true(client:drain(PATIENCE))
      -- A newer write of the key is repaired as any other.
      assert(map:set(letter.key, 3))
      assert.is_true(client:drain(PATIENCE))
      assert(shared.cluster:kill(id))
      shared:restart(id, client)
      assert.equal(2, assert(client:repair(map.name)))
      assert.is_true(client:drain(PATIENCE))
    end)
  end

  it("that removed a key says so", function()
    rejected(function(key) return map:remove(key) end, "no")
    local letter = client:rejected()[1]
    assert.same({ nil, true }, { letter.value, letter.removed })
  end)

  it("is sent again with its old time, and is no letter then", function()
    local key, seq = rejected(function(key) return map:set(key, "mine") end, "no")
    local before, letters = map:record(key), client:rejected()
    local again = assert(letters:resend(seq))
    assert.is_true(again > seq)
    assert.is_true(client:wait(again, PATIENCE))
    assert.equal("rejected", before.state)
    before.state = "acknowledged"
    assert.same(before, map:record(key))
    assert.same({}, { unpack(client:rejected()) })
    assert.equal("mine", wingman.by_key(assert(client:query(map.name)))[key])
    assert.same({ nil, "NOT_FOUND" }, { (letters:resend(seq)), select(2, letters:resend(seq)).code })
  end)

  it("that removed a key is sent again, too", function()
    local key, seq = rejected(function(key) return map:remove(key) end, "no")
    assert.is_true(client:wait(assert(client:rejected():resend(seq)), PATIENCE))
    assert.is_true(map:record(key).removed)
  end)

  it("is not sent again over a newer one of the key", function()
    local key, seq = rejected(function(key) return map:set(key, "old") end, "no")
    assert.is_true(client:wait(assert(map:set(key, "new")), PATIENCE))
    local again, err = client:rejected():resend(seq)
    assert.same({ nil, "STALE", seq }, { again, err.code, err.seq })
    assert.equal(1, #client:rejected())
    assert.equal("new", map:get(key))
  end)

  it("is forgotten when it is dropped", function()
    local _, seq = rejected(function(key) return map:set(key, 1) end, "no")
    local letters = client:rejected()
    assert.is_true(letters:drop(seq))
    assert.equal(1, #letters) -- as it was at the call
    assert.same({ nil, "NOT_FOUND" }, { (letters:drop(seq)), select(2, letters:drop(seq)).code })
    assert.equal(0, #client:rejected())
  end)

  it("is reported by the next drain, once", function()
    assert.is_true(client:drain(PATIENCE))
    rejected(function(key) return map:set(key, 1) end, "no")
    local ok, err = client:drain(PATIENCE)
    assert.same({ nil, "REJECTED", 1, 1, 0 }, { ok, err.code, err.count, err.rejected, err.dropped })
    assert.is_true(client:drain(PATIENCE))
  end)

  it("is in the op log's file, for the next process", function()
    local path = os.tmpname()
    os.remove(path)
    client = shared:started { batch = { ack_timeout = 30 }, oplog = { path = path } }
    map = client:map(map.name)
    local key, seq = rejected(function(name) return map:set(name, { v = "kept" }) end, "no")
    local other_key, other = rejected(function(name) return map:remove(name) end, "neither")
    assert(client:sync())
    -- As it would be found after a SIGKILL at this moment.
    local crashed = path .. ".crashed"
    local from, to = assert(io.open(path, "rb")), assert(io.open(crashed, "wb"))
    to:write((from:read "*a"))
    from:close()
    to:close()
    client:close()
    local expected = {
      { seq = seq, map = map.name, key = key, value = { v = "kept" }, reason = "no", node = id },
      { seq = other, map = map.name, key = other_key, removed = true, reason = "neither", node = id },
    }
    for _, file in ipairs { crashed, path } do
      client = shared:started { oplog = { path = file } }
      assert.equal(0, client:pending_ops())
      assert.same(expected, listed())
      assert.equal(2, client:health().dead_letters)
      assert.is_true(client:drain(PATIENCE)) -- they were reported when they were rejected
      local again = assert(client:rejected():resend(seq))
      assert.is_true(again > other, "a number was given twice")
      assert(client:rejected():drop(other))
      assert.is_true(client:wait(again, PATIENCE))
      client:close()
      client = shared:started { oplog = { path = file } }
      assert.same({}, { unpack(client:rejected()) })
      assert.same({ v = "kept" }, wingman.by_key(assert(client:query(map.name)))[key])
      client:close()
      os.remove(file)
    end
  end)
end, SIMULATED)

describe("dead letters", function()
  local client
  before_each(function()
    client = wingman.client { server = "ws://127.0.0.1:1", oplog = { max_ops = 3, when_full = "drop_oldest" }, log_to = function() end }
  end)
  after_each(function() client:close() end)

  it("raise for what is no number of a write, and end with the client", function()
    local letters = client:rejected()
    for _, wrong in ipairs { "1", -1, 1.5, 0 / 0, {} } do
      assert.error_matches(function() letters:resend(wrong) end, "rejected:resend: the number of a write is expected")
      assert.error_matches(function() letters:drop(wrong) end, "rejected:drop: the number of a write is expected")
    end
    assert.error_matches(function() letters:drop(nil) end, "the number of a write is expected, got nil")
    client:close()
    assert.equal("CLOSED", select(2, letters:drop(1)).code)
    assert.error_matches(function() client:rejected() end, "the client is closed")
  end)

  it("are none of what a full log drops, but a drain tells that, too", function()
    for i = 1, 5 do assert(client:map("m"):set("k" .. i, i)) end
    assert.equal(0, #client:rejected())
    local ok, err = client:drain(0.01)
    assert.same({ nil, "TIMEOUT" }, { ok, err.code })
    -- It is reported once what waits is gone, not by the drain that gave up.
    client.core:foreign_take()
    local newest = { seq = 0 }
    for _, op in ipairs(client.core:operations(0)) do newest = op.seq > newest.seq and op or newest end
    assert.equal(3, client.core:foreign_ack(newest.id))
    ok, err = client:drain(PATIENCE)
    assert.same({ nil, "REJECTED", 2, 0, 2 }, { ok, err.code, err.count, err.rejected, err.dropped })
  end)
end)
