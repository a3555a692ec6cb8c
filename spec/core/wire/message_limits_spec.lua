--- Messages that are too large to be read: who waits for one gets an error, nobody else is held up,
--- and the connection stays.
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local eventually = require "spec.support.eventually"
local sim_support = require "spec.core.sim.support"
local uuid = require "wingman.base.uuid"

local PATIENCE = 60
local KB, MB = 1024, 1024 * 1024
local LARGE = 300 * KB

local function connects_of(client)
  local sum = 0
  for _, node in ipairs(client:health().nodes) do sum = sum + node.connects end
  return sum
end

clusters.on_each(getfenv(1), "An answer beyond a limit", function(shared, it)
  local name, client

  -- A map with more than 128 KB at every node.
  local function fill()
    name = shared:map_name()
    local writer = shared:started()
    local map = writer:map(name)
    for i = 1, 400 do assert(map:set("key-" .. i, { text = ("x"):rep(KB), n = i })) end
    assert(writer:drain(PATIENCE))
  end

  -- The whole map in one answer of a node, which client:query avoids.
  local function ask()
    local id = uuid.v4()
    return client:send_with_retry({ type = "QUERY_SUB", payload = { queryId = id, mapName = name, query = {} } }, nil, {
      timeout = PATIENCE, max_retries = 0,
      answer = function(message) return message.type == "QUERY_RESP" and message.payload.queryId == id end,
    })
  end

  local function refused_by(option, value)
    if shared:has_no_queries(getfenv()) then return end
    fill()
    client = shared:started { [option] = value }
    local before = connects_of(client)
    local answer, err = ask()
    assert.is_nil(answer)
    assert.equal("TOO_LARGE", err.code)
    assert.is_truthy(err.message:find(option, 1, true), err.message)
    assert.is_truthy(err.message:find("QUERY_RESP", 1, true), err.message)
    assert.equal(1, client:stats().messages_too_large)
    -- On the same connections: one that fits, and a write.
    local rows = assert(client:query(name, { limit = 3, sort = { n = "asc" } }))
    assert.same({ "key-1", "key-2", "key-3" }, { rows[1].key, rows[2].key, rows[3].key })
    assert(client:map(name):set("one-more", 1))
    assert(client:drain(PATIENCE))
    assert.equal(before, connects_of(client))
  end

  it("is nil, TOO_LARGE with max_message_bytes", function() refused_by("max_message_bytes", 64 * KB) end)
  it("is nil, TOO_LARGE with max_message_elements", function() refused_by("max_message_elements", 300) end)
  it("is nil, TOO_LARGE with max_table_elements", function() refused_by("max_table_elements", 100) end)
  it("is nil, TOO_LARGE with max_decoded_bytes", function() refused_by("max_decoded_bytes", 64 * KB) end)
end)

clusters.on_each(getfenv(1), "A message beyond a limit", function(shared, it)
  local NODE = "node-2"
  local client, map, heard, key

  local function le32(n) return string.char(n % 256, math.floor(n / 256) % 256, math.floor(n / 65536) % 256, math.floor(n / 2 ^ 24)) end
  local function be(n, width)
    local bytes = {}
    for i = width, 1, -1 do bytes[i], n = string.char(n % 256), math.floor(n / 256) end
    return table.concat(bytes)
  end

  -- Bytes of the connection, some at a time: the control takes no endless line.
  local function send_raw(bytes)
    for at = 1, #bytes, MB do
      assert(shared.cluster:command(("send %s raw %s"):format(NODE, sim_support.hex(bytes:sub(at, at + MB - 1)))))
    end
  end
  local function frame(lead, payload) return lead .. "\127" .. be(#payload, 8) .. payload end
  local function send_whole(payload) send_raw(frame("\130", payload)) end
  local function send_in_fragments(payload, size)
    local frames = {}
    for at = 1, #payload, size do
      local lead = (at == 1 and 2 or 0) + (at + size > #payload and 128 or 0)
      frames[#frames + 1] = frame(string.char(lead), payload:sub(at, at + size - 1))
    end
    send_raw(table.concat(frames))
  end

  -- A message with so many empty maps, and names around them.
  local function of_empty_maps(kind, count, fields)
    local head = "\131\164type" .. core.encode(kind) .. "\167payload\222" .. be(#fields / 2 + 1, 2)
    for i = 1, #fields, 2 do head = head .. core.encode(fields[i]) .. core.encode(fields[i + 1]) end
    return head .. "\167results\221" .. be(count, 4) .. ("\128"):rep(count) .. "\161z\1"
  end
  local function event(value)
    return core.encode { type = "SERVER_EVENT", payload = { mapName = "limits", key = "other", eventType = "PUT",
      record = { value = value, timestamp = { millis = 1000 + value, counter = 0, nodeId = "other" } } } }
  end
  local function batch(messages)
    local parts = { le32(#messages) }
    for _, message in ipairs(messages) do parts[#parts + 1] = le32(#message) .. message end
    local data = table.concat(parts)
    return "\131\164type\165BATCH\165count" .. core.encode(#messages) .. "\164data\198" .. be(#data, 4) .. data
  end

  before_each(function()
    -- No PONG and no map comes between the parts of a frame, and a write behind them waits for as long as they take.
    client = shared:started {
      max_message_bytes = 100 * KB, heartbeat = { interval = 3600, timeout = 3600 }, batch = { ack_timeout = PATIENCE },
      map_requests = { debounce = 60, max_wait = 60, refresh = 3600 },
    }
    client.log_seldom = function(level, name, fields) client.options.log_to(level, name, fields) end
    map = client:map "limits"
    heard = {}
    key = clusters.keys_of(client, NODE, 1)[1]
    assert(map:set(key, 0))
    assert(client:drain(PATIENCE))
  end)

  local function listen()
    client.listeners.open = function() end -- a listening connection would bring what the node sends once more
    map:on("change", function(changed, value) if changed == "other" then heard[#heard + 1] = value end end, { replicate = false })
  end

  -- What was sent has been read once a write behind it is acknowledged.
  local function read_through()
    assert(map:set(key, 1))
    assert(client:drain(PATIENCE))
  end

  -- The line may come in a later turn than the acknowledgement.
  local function reported(count, kind)
    local lines
    eventually(("%d messages are logged as too large"):format(count), function()
      lines = shared:logged "message_too_large"
      return #lines >= count, lines
    end)
    assert.equal(count, #lines)
    assert.equal(count, client:stats().messages_too_large)
    if kind then
      assert.equal(kind, lines[1].type)
      assert.equal("max_message_bytes", lines[1].option)
    end
  end

  it("goes by: the connection stays, and what comes behind is read", function()
    listen()
    local before = connects_of(client)
    send_whole(of_empty_maps("QUERY_RESP", LARGE, { "queryId", "nobody's" }))
    send_whole(event(1))
    read_through()
    assert.equal(before, connects_of(client))
    assert.same({ 1 }, heard)
    reported(1, "QUERY_RESP")
  end)

  it("goes by in fragments of any size", function()
    listen()
    local before = connects_of(client)
    local message = of_empty_maps("SYNC_RESP_LEAF", LARGE, { "mapName", "limits", "path", "12" })
    for _, size in ipairs { 7000, 70000, 100 * KB, 200000 } do send_in_fragments(message, size) end
    send_in_fragments(event(1), 3)
    read_through()
    assert.equal(before, connects_of(client))
    assert.same({ 1 }, heard)
    reported(4, "SYNC_RESP_LEAF")
  end)

  it("of a subscription is nobody's, and not reported", function()
    listen()
    local id = assert(client.subscriptions.limits)
    send_whole(of_empty_maps("QUERY_RESP", LARGE, { "queryId", id }))
    send_whole(of_empty_maps("QUERY_RESP", LARGE, { "results", 7, "queryId", id }))
    send_whole(event(1))
    read_through()
    assert.same({ 1 }, heard)
    reported(0)
  end)

  it("in an envelope does not take the others with it", function()
    listen()
    local large = of_empty_maps("QUERY_RESP", LARGE, { "queryId", "nobody's" })
    local inner = batch { event(2), large, event(3) }
    for _, send in ipairs { send_whole, function(bytes) send_in_fragments(bytes, 60000) end } do
      heard, shared.log = {}, {}
      local before, told_before = connects_of(client), client:stats().messages_too_large
      send(batch { event(1), large, inner, event(4) })
      read_through()
      assert.equal(before, connects_of(client))
      assert.equal(2, client:stats().messages_too_large - told_before)
      if send == send_whole then assert.same({ 1, 2, 3, 4 }, heard) end
    end
  end)

  it("that is a text goes by too", function()
    local before = connects_of(client)
    send_raw(frame("\129", '{"type":"QUERY_UPDATE","x":"' .. ("x"):rep(LARGE) .. '"}'))
    read_through()
    assert.equal(before, connects_of(client))
    reported(1, "text message")
  end)

  it("that is a text has a limit of its own, beside it that of all messages", function()
    local update = '{"type":"HEARD","x":"%s"}'
    local room = 48 * KB - #update + 2
    send_raw(frame("\129", update:format(("x"):rep(room + 1))))
    read_through()
    assert.equal("max_text_bytes", shared:logged("message_too_large")[1].option)
    assert.equal(48 * KB + 1, shared:logged("message_too_large")[1].bytes)
    client:on("message", function(message, node) heard[#heard + 1] = { #message.x, node } end)
    send_raw(frame("\129", update:format(("x"):rep(room))))
    read_through()
    assert.same({ { room, NODE } }, heard)
    reported(1)
  end)

  it("that is a text with too many elements is not decoded", function()
    client:close()
    client = shared:started { max_message_elements = 1000, heartbeat = { interval = 3600, timeout = 3600 } }
    map = client:map "limits"
    local before = connects_of(client)
    send_raw(frame("\129", '{"type":"QUERY_UPDATE","x":[' .. ("[],"):rep(2000) .. "0]}"))
    send_raw(frame("\129", '{"type":"QUERY_UPDATE","payload":{"x":"' .. ("[,:{"):rep(2000) .. '"}}'))
    read_through()
    assert.equal(before, connects_of(client))
    assert.equal(1, client:stats().messages_too_large)
    assert.equal("max_message_elements", shared:logged("message_too_large")[1].option)
  end)

  it("that is no MessagePack ends the connection, as a small one does", function()
    local lost
    client:on("node_lost", function(node) lost = node end)
    for _, bytes in ipairs {
      of_empty_maps("X", LARGE, {}) .. "\0", "\193" .. ("x"):rep(LARGE), ("\145"):rep(LARGE), batch { ("x"):rep(LARGE) },
      batch({ ("\1"):rep(LARGE) }):sub(1, -10) .. "\1\1\1\1\1\1\1\1\1",
    } do
      lost = nil
      send_whole(bytes)
      eventually("the connection ends", function() return lost end)
      assert.equal("protocol", lost.reason)
      eventually("3 nodes are connected", function() return #client:connected_nodes() == 3, client:connected_nodes() end)
    end
  end)

  it("of any size takes no memory", function()
    local function peak()
      for line in io.lines "/proc/self/status" do
        local kilobytes = line:match "^VmPeak:%s+(%d+)"
        if kilobytes then return tonumber(kilobytes) * KB end
      end
    end
    local SIZE = 10
    local payload = of_empty_maps("QUERY_RESP", 1, {})
    -- Hex digits for some of them only: a 0.11 node ends a connection that has been silent for 20 s.
    local function send_blank(megabytes)
      assert(shared.cluster:command(("send %s raw %s %d"):format(NODE, ("80"):rep(64 * KB), megabytes * 16)))
    end
    send_raw("\130\127" .. be(#payload - 3 - 5 - 1 + 5 + SIZE * MB + 3, 8))
    send_raw(payload:sub(1, -10) .. "\221" .. be(SIZE * MB, 4))
    send_blank(3)
    local before = peak()
    send_blank(SIZE - 3)
    send_raw "\161z\1"
    read_through()
    assert.is_true(peak() - before < 3 * MB, ("%.1f MB more"):format((peak() - before) / MB))
    reported(1, "QUERY_RESP")
  end)

end, { "sim://3", "sim://3?dialect=0.11" })
