--- A server that sends what is not the protocol: for each kind of bad frame either
--- the connection ends with a reason that the script sees, or the frame is refused
--- and the connection stays. Nothing is raised, nothing is lost, and the other nodes
--- go on.
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local eventually = require "spec.support.eventually"
local hostile_frames = require "spec.support.hostile_frames"
local log_throttle = require "wingman.loop.log_throttle"
local loop = require "wingman.loop"
local sim_support = require "spec.core.sim.support"

--- The node that is hostile, and one that is not.
local HOSTILE, OTHER = "node-2", "node-1"
--- Seconds for what takes milliseconds, on a machine that is busy.
local PATIENCE = 60
local MB = 1024 * 1024

-- The address space of this process at its largest so far, in bytes.
local function peak_memory()
  for line in io.lines "/proc/self/status" do
    local kilobytes = line:match "^VmPeak:%s+(%d+)"
    if kilobytes then return tonumber(kilobytes) * 1024 end
  end
end

clusters.on_each(getfenv(1), "A hostile server", function(shared, it)
  local client, map, raised, written, lost
  local key_of = {}

  local function send(frame)
    assert(shared.cluster:command(("send %s %s %s"):format(HOSTILE, frame.as, sim_support.hex(frame.bytes))))
  end

  -- A write to a node, acknowledged. What the node sent before has been read then.
  local function write(id)
    written = written + 1
    local seq = assert(map:set(key_of[id], written))
    assert(client:wait(seq, PATIENCE))
  end

  -- A connection whose node has not said its name yet ends without the event.
  local function all_are_usable()
    for _, node in ipairs(client:health().nodes) do
      if node.circuit ~= "closed" then return false end
    end
    return #client:connected_nodes() == #shared.cluster.nodes
  end

  -- Connected everywhere, each key routed to its owner.
  local function settle()
    eventually("every node is usable", all_are_usable)
    eventually("the hostile node is taken for the owner of its keys", function()
      local owner = client:partition_map().owners[client:partition_of(key_of[HOSTILE]) + 1]
      return owner == HOSTILE, owner
    end)
  end

  local function logged(event)
    for _, line in ipairs(shared.log) do
      if line.event == event and line.level == "warn" then return true end
    end
    return false
  end

  local function start()
    raised, lost, written = {}, nil, 0
    loop.on_error(function(message) raised[#raised + 1] = message end)
    client = shared:started { reconnect = function() return 0.01 end, map_requests = { debounce = 0.02 }, auth_timeout = 60 }
    -- Every line is looked at, also those that come again and again.
    client.log_seldom = function(level, event, fields) client.options.log_to(level, event, fields) end
    client:on("node_lost", function(node) lost = node end)
    map = client:map "hostile"
    for _, id in ipairs { HOSTILE, OTHER } do key_of[id] = clusters.keys_of(client, id, 1)[1] end
    settle()
  end

  -- One client for all frames: what one of them damages the next ones find.
  local function fresh()
    if not client or client.closed then return start() end
    raised, lost, shared.log = {}, nil, {}
    settle()
  end

  -- Frames share the client, so that of the shared cluster must not be closed.
  local close_clients = shared.close_clients
  function shared.close_clients() end

  teardown(function()
    loop.on_error(nil)
    close_clients(shared)
  end)

  local function nothing_raised()
    assert.same({}, raised)
  end

  local function check_end(frame)
    local before = client:stats()
    local seq = assert(map:set(key_of[HOSTILE], written))
    send(frame)
    eventually("the connection ends", function() return lost end)
    assert.equal(HOSTILE, lost.id)
    assert.is_truthy(("|" .. frame.ends .. "|"):find("|" .. lost.reason .. "|", 1, true), "it ended with: " .. lost.reason)
    if frame.detail then assert.equal(frame.detail, lost.detail) end
    if frame.code then assert.equal(frame.code, lost.code) end
    write(OTHER) -- whatever became of the hostile node
    if frame.refused_token then
      assert.equal(frame.ends, clusters.node_of(client, HOSTILE).last_reason)
      client:set_auth_token(shared.cluster.token)
    end
    assert(client:wait(seq, PATIENCE))
    settle()
    assert.equal(before.ops_rejected, client:stats().ops_rejected)
  end

  local function check_stay(frame)
    local before = client:stats()
    local session = clusters.node_of(client, HOSTILE).connects
    send(frame)
    write(HOSTILE)
    write(OTHER)
    assert.is_nil(lost, "the connection ended: " .. tostring(lost and lost.reason))
    assert.equal(session, clusters.node_of(client, HOSTILE).connects)
    if frame.warns then assert(logged(frame.warns), "nothing was logged") end
    if frame.counts then assert.equal(before[frame.counts] + 1, client:stats()[frame.counts]) end
    settle()
  end

  local is_0_11 = shared.url:find "0%.11" ~= nil
  for _, frame in ipairs(hostile_frames.all(is_0_11)) do
    local outcome = frame.ends and "ends with " .. frame.ends or frame.warns and "is refused (" .. frame.warns .. ")"
      or "is ignored"
    it(frame.name .. ": " .. outcome, function()
      fresh()
      local check = frame.ends and check_end or check_stay
      local memory = peak_memory()
      check(frame)
      nothing_raised()
      assert.is_true(peak_memory() - memory < 128 * MB, "it took memory")
    end)
  end

  it("what was in flight when garbage came is acknowledged later, and is there", function()
    fresh()
    assert(shared.cluster:fault(HOSTILE, "ack-drop", 1))
    assert(shared.cluster:reset_stats())
    written = written + 1
    local seq = assert(map:set(key_of[HOSTILE], written))
    eventually("the write is sent", function() return assert(shared.cluster:received(HOSTILE)).total == 1, assert(shared.cluster:received(HOSTILE)).total end)
    assert.equal(1, client:pending_ops())
    send { as = "binary", bytes = "\193" }
    eventually("the connection ends", function() return lost end)
    assert(client:wait(seq, PATIENCE))
    assert.equal(written, assert(shared.cluster:dump("hostile", HOSTILE))[HOSTILE][key_of[HOSTILE]].value)
    nothing_raised()
  end)

  it("frames before the authentication end it, or are ignored", function()
    fresh()
    assert(shared.cluster:fault(HOSTILE, "no-auth-ack", true))
    assert(shared.cluster:fault(HOSTILE, "close", 1000))
    local function await_authenticating()
      eventually("the client connects and authenticates", function() return clusters.node_of(client, HOSTILE).state == "authenticating", clusters.node_of(client, HOSTILE).state end)
    end
    local function send_encoded(message) send { as = "binary", bytes = core.encode(message) } end
    eventually("the connection ends", function() return lost end)
    await_authenticating()
    for _, kind in ipairs { "OP_ACK", "OP_REJECTED", "PARTITION_MAP", "ERROR", "SERVER_EVENT", "SYNC_RESP_ROOT", "QUERY_RESP" } do
      send_encoded { type = kind }
      send_encoded { type = kind, payload = 7 }
      send_encoded { type = kind, payload = { lastId = "x", opId = "x", version = 1, mapName = "x" } }
    end
    send { as = "text", bytes = "[" }
    write(OTHER)
    assert.equal("authenticating", clusters.node_of(client, HOSTILE).state)
    send { as = "binary", bytes = "\193" }
    eventually("the garbage is noticed", function() return clusters.node_of(client, HOSTILE).last_reason == "protocol", clusters.node_of(client, HOSTILE).last_reason end)
    assert(shared.cluster:fault(HOSTILE, "none"))
    assert(shared.cluster:fault(HOSTILE, "close", 1000)) -- a connection that waits for its AUTH_ACK
    settle()
    write(HOSTILE)
    nothing_raised()
  end)

  it("records of a query that are none: the query fails", function()
    fresh()
    assert(client:query "hostile") -- what it reads on has to be known to be the node's
    local requests = client.listeners.requests
    for _, records in ipairs { 7, "x", core.null, { 7 }, { { record = {} } }, { { key = 7 } }, { { key = "k", record = { value = 1 } } } } do
      requests.request = function(_, _, message)
        if message.type == "SYNC_INIT" then return { type = "SYNC_RESP_ROOT", payload = { mapName = "hostile", rootHash = 1 } } end
        return { type = "SYNC_RESP_LEAF", payload = { mapName = "hostile", path = "", records = records } }
      end
      local rows, err = client:query "hostile"
      assert.is_nil(rows)
      assert.equal("REFUSED", err.code)
    end
    requests.request = nil
    assert.equal("table", type(assert(client:query "hostile")))
  end)

  it("answers that are none while one is waited for: only the right one is taken", function()
    fresh()
    assert(client:holdings(HOSTILE, "hostile"))
    assert(shared.cluster:fault(HOSTILE, "mute", true))
    local requests = client.listeners.requests
    local reading = loop.spawn(client.holdings, client, HOSTILE, "hostile")
    eventually("something is asked", function() return next(requests.waiting) end)
    local function answer(message)
      local bytes = core.encode(message)
      send { as = "raw", bytes = "\130" .. string.char(#bytes) .. bytes }
    end
    for _, kind in ipairs { "SYNC_RESP_ROOT", "SYNC_RESP_LEAF", "SYNC_RESP_BUCKETS", "SYNC_RESET_REQUIRED", "QUERY_RESP" } do
      answer { type = kind }
      for _, payload in ipairs { 7, "x", core.null, true, {}, { mapName = 7 } } do answer { type = kind, payload = payload } end
    end
    answer { type = "SYNC_RESP_ROOT", payload = { mapName = "hostile", rootHash = 0 } }
    assert.same({}, assert(reading:wait(PATIENCE)))
    assert(shared.cluster:fault(HOSTILE, "none"))
    write(HOSTILE)
    nothing_raised()
  end)

  it("frame: 1 GB is announced, and nothing follows: ends with the heartbeat", function()
    fresh()
    client:close()
    client = shared:started { heartbeat = { interval = 0.2, timeout = 1 } }
    client:on("node_lost", function(node) if node.id == HOSTILE then lost = node end end)
    local memory = peak_memory()
    send { as = "raw", bytes = hostile_frames.announcement }
    eventually("the connection ends", function() return lost end)
    -- The answers to PING are bytes of the message then, too few to count.
    assert.equal("heartbeat", lost.reason)
    assert.is_true(peak_memory() - memory < 128 * MB, "it took memory")
    nothing_raised()
    client:close()
  end)

  it("a flood of frames takes no memory that stays, and the log stays readable", function()
    fresh()
    client.log_seldom = log_throttle.new(client.options.log_to)
    local frames = {}
    for i = 1, 20000 do
      local bytes = core.encode { type = "SERVER_EVENT", payload = { mapName = "hostile", key = "k" .. i, record = 7 } }
      frames[i] = "\130" .. string.char(#bytes) .. bytes
    end
    local bytes = table.concat(frames)
    local memory = peak_memory()
    for _ = 1, 5 do
      send { as = "raw", bytes = bytes }
      write(HOSTILE)
    end
    assert.is_true(peak_memory() - memory < 128 * MB)
    assert.is_true(#shared.log < 100, #shared.log .. " lines were logged")
    nothing_raised()
  end)

  it("nothing was lost through all of it", function()
    fresh()
    write(HOSTILE)
    local hostile_value = written
    write(OTHER)
    assert(client:drain(PATIENCE))
    local nodes = assert(shared.cluster:dump "hostile")
    assert.equal(hostile_value, nodes[HOSTILE][key_of[HOSTILE]].value)
    assert.equal(written, nodes[OTHER][key_of[OTHER]].value)
  end)
end, { "sim://3", "sim://3?dialect=0.11" })
