--- What a v2 server does with an answer of more than 512 KiB, which it cannot send: the
--- simulated one as the real one.
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local loop = require "wingman.loop"
local uuid = require "wingman.base.uuid"

local PATIENCE = 20
local KB = 1024

clusters.on_each(getfenv(), "an answer of more than 512 KiB", function(shared, it)
  local name, writer, listener, lost

  before_each(function()
    name, lost = shared:map_name(), {}
    writer, listener = shared:started(), shared:started()
    listener:on("node_lost", function(event) lost[#lost + 1] = event end)
    listener.listeners:on("lost", function(_, _, reason, code) lost[#lost + 1] = { reason = reason, code = code, listening = true } end)
  end)

  local function connects(client)
    local sum = 0
    for _, node in ipairs(client:health().nodes) do sum = sum + node.connects end
    return sum
  end

  -- One connection of the listener alone was closed, without a code.
  local function assert_closed(is_listening)
    assert(loop.wait_until(function() return lost[1] end, PATIENCE), "the listener's connection stayed")
    assert.same({ "closed", 1005, is_listening, nil }, { lost[1].reason, lost[1].code, lost[1].listening, lost[2] })
    assert.equal(1, connects(writer))
  end

  local function fill(records)
    for i = 1, records do assert(writer:map(name):set("key-" .. i, ("x"):rep(KB))) end
    assert(writer:drain(PATIENCE))
  end

  -- The whole map in one answer of a node, which client:query avoids.
  local function ask(whom)
    local id = uuid.v4()
    local answer, err = whom:send_with_retry({ type = "QUERY_SUB", payload = { queryId = id, mapName = name, query = {} } }, nil, {
      timeout = PATIENCE, max_retries = 0,
      answer = function(message) return message.type == "QUERY_RESP" and message.payload.queryId == id end,
    })
    return answer and answer.payload.results, err
  end

  it("ends the connection of who asked", function()
    fill(450)
    assert.equal(450, #assert(ask(listener)))
    fill(600)
    local found, err = ask(listener)
    if shared.is_0_11 then
      assert.equal(600, #found)
      assert.same({}, lost)
      return
    end
    assert.is_nil(found)
    assert.equal("NOT_CONNECTED", err.code)
    assert_closed()
  end)

  it("is not what client:query asks for", function()
    fill(600)
    local rows = assert(listener:query(name))
    assert.same({ 600, KB }, { #rows, #rows[600].value })
    assert.same({}, lost)
  end)

  -- A client refuses such a write; another program need not.
  it("ends the connections of all listeners of a large value, which is acknowledged", function()
    local heard
    listener:map(name):on("change", function(_, value) heard = #value end, { replicate = false })
    for _ = 1, PATIENCE * 5 do -- the first ones may be before the subscription
      fill(1)
      if loop.wait_until(function() return heard end, 0.2) then break end
    end
    assert.equal(KB, heard)
    local now = { millis = core.wall_ms(), counter = 0, nodeId = "spec" }
    assert(writer.core:send(0, core.encode { type = "OP_BATCH", payload = { ops = { {
      id = "large", mapName = name, key = "large", opType = "PUT", record = { value = ("x"):rep(600 * KB), timestamp = now },
    } } } }))
    -- The client does not know the operation.
    assert(loop.wait_until(function() return writer:stats().unmatched_acks == 1 end, PATIENCE), "it was not acknowledged")
    if shared.is_0_11 then
      assert(loop.wait_until(function() return heard == 600 * KB end, PATIENCE), "the large value was not heard")
      assert.same({}, lost)
      return
    end
    assert_closed(true)
  end)
end, { "sim://1", "sim://1?dialect=0.11", "topgun://1" })
