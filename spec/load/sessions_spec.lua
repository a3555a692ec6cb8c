--- Connections of single users: each is its user's own, and reads little at a time.
local core = require "wingman.core"
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"
local sessions = require "wingman.load.sessions"
local sim = require "wingman.sim"
local wingman = require "wingman"

--- Seconds for what takes milliseconds on a machine that has time.
local PATIENCE = eventually.PATIENCE

describe("a user's own connection", function()
  local cluster, own, lost

  before_each(function()
    cluster, lost = assert(sim.start { nodes = 1 }), {}
    own = assert(sessions.new {
      urls = cluster.urls, token = cluster.token, capacity = 50, metrics = core.op_metrics(),
      lost = function(reason) lost[#lost + 1] = reason end,
    })
  end)
  after_each(function()
    own:close()
    cluster:stop()
  end)

  local function open_at_the_cluster()
    local _, node = next(assert(cluster:stats()))
    return node.open
  end

  it("is opened and ended for this user alone", function()
    for id = 1, 3 do assert.is_true(own:connect(id)) end
    assert.equal(3, own.open)
    assert.equal(3, open_at_the_cluster())
    own:disconnect(2)
    eventually("the cluster has two connections", function() return open_at_the_cluster() == 2, open_at_the_cluster() end)
    assert.same({ true, false, true }, { own:is_connected(1), own:is_connected(2), own:is_connected(3) })
    assert.same({}, lost)
    assert.is_true(own:connect(2))
    assert.equal(3, own.open)
  end)

  it("that breaks off is reported, and the others too", function()
    for id = 1, 3 do assert.is_true(own:connect(id)) end
    assert(cluster:command("kill " .. cluster.nodes[1].id))
    eventually("none is open", function() return own.open == 0, own.open end)
    assert.equal(3, #lost)
    assert.equal(3, own.lost)
  end)

  -- A write of this client, as a message.
  local function write(map_name, key, value)
    local op = {
      id = "op-" .. key, mapName = map_name, key = key, opType = "PUT",
      record = { value = value, timestamp = { millis = core.wall_ms(), counter = 0, nodeId = "spec" } },
    }
    return { type = "OP_BATCH", payload = { ops = { op } } }
  end

  local function subscribe(map_name)
    return { type = "QUERY_SUB", payload = { queryId = "q" .. map_name, mapName = map_name, query = {} } }
  end

  local function ask(id, map_name)
    assert(own:send(id, subscribe(map_name)))
    return assert(own:receive(id, function(message)
      return message.type == "QUERY_RESP" and message.payload.queryId == "q" .. map_name
    end, PATIENCE)).payload.results
  end

  it("sends messages and receives what is wanted", function()
    for id = 1, 2 do assert.is_true(own:connect(id)) end
    assert.same({}, ask(2, "m"))
    assert.is_true(own:send(1, write("m", "key", "value")))
    assert.equal("op-key", assert(own:receive(1, "OP_ACK", PATIENCE)).payload.lastId)
    assert.equal("value", ask(1, "m")[1].value)
    assert.equal("key", assert(own:receive(2, "QUERY_UPDATE", PATIENCE)).payload.key)
    assert.equal("key", assert(own:receive(2, "SERVER_EVENT", PATIENCE)).payload.key)
    local seen = {}
    loop.spawn(function() seen[1] = own:receive(2, "QUERY_UPDATE", PATIENCE) end)
    loop.spawn(function() seen[2] = own:receive(2, "QUERY_UPDATE", PATIENCE) end)
    local event
    loop.spawn(function() event = own:receive(2, "SERVER_EVENT", PATIENCE) end)
    for _, key in ipairs { "a", "b" } do assert.is_true(own:send(1, write("m", key, key))) end
    eventually("both changes are received", function() return seen[1] and seen[2] and event, seen, event end)
    assert.same({ "a", "b" }, { seen[1].payload.key, seen[2].payload.key })
    assert.same({ "m", "a", "a" }, { event.payload.mapName, event.payload.key, event.payload.record.value })
  end)

  it("receives what came while its user did other things, in order, and what others wait for stays", function()
    for id = 1, 2 do assert.is_true(own:connect(id)) end
    ask(2, "m")
    for i = 1, 10 do assert.is_true(own:send(1, write("m", "k" .. i, i))) end
    -- It has what the cluster has sent: an event and an update for each write.
    local inboxes = own.inboxes
    eventually("all have come", function() return inboxes.count >= 30, inboxes.count end) -- with the acknowledgements of user 1
    local seen = {}
    for i = 1, 10 do seen[i] = assert(own:receive(2, "SERVER_EVENT", PATIENCE)).payload.record.value end
    table.sort(seen) -- of several batches the nodes of v2 may work on one before another
    assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, seen)
    for _ = 1, 10 do assert(own:receive(2, function(message) return message.type == "QUERY_UPDATE" end, PATIENCE)) end
    assert.equal("TIMEOUT", select(2, own:receive(2, "QUERY_UPDATE", 0.01)).code)
    assert.is_true(own:receive(1, "OP_ACK", PATIENCE) ~= nil)
    own:disconnect(1)
    assert.equal(0, inboxes.count)
    assert.equal(0, inboxes.dropped)
  end)

  it("takes no message that came before a request for its answer", function()
    assert.is_true(own:connect(1))
    for stamp = 1, 3 do
      assert.is_true(own:send(1, { type = "PING", timestamp = stamp }))
      eventually("the answer has come", function() return own.inboxes.count == stamp end)
    end
    assert.equal(4, assert(own:request(1, { type = "PING", timestamp = 4 }, "PONG", PATIENCE)).timestamp)
    for stamp = 1, 3 do assert.equal(stamp, assert(own:receive(1, "PONG", 0)).timestamp) end
  end)

  it("that ended leaves what it had received, and a new one begins with nothing", function()
    assert.is_true(own:connect(1))
    for stamp = 1, 2 do assert.is_true(own:send(1, { type = "PING", timestamp = stamp })) end
    eventually("the answers have come", function() return own.inboxes.count == 2 end)
    assert(cluster:command("kill " .. cluster.nodes[1].id))
    eventually("the connection is gone", function() return own.open == 0 end)
    assert.equal(1, assert(own:receive(1, "PONG", 0)).timestamp)
    assert(cluster:command("restart " .. cluster.nodes[1].id))
    eventually("it is connected again", function() return own:connect(1, 1) end)
    assert.equal(0, own.inboxes.count)
    assert.equal("TIMEOUT", select(2, own:receive(1, "PONG", 0.01)).code)
  end)

  it("says once that messages were dropped, and counts them", function()
    local inbox = require "wingman.load.inbox"
    local most = inbox.MOST
    finally(function() inbox.MOST = most end)
    inbox.MOST = 2
    local reported = 0
    own.on_inbox_full = function() reported = reported + 1 end
    assert.is_true(own:connect(1))
    for stamp = 1, 5 do assert.is_true(own:send(1, { type = "PING", timestamp = stamp })) end
    eventually("three are dropped", function() return own.inboxes.dropped == 3, own.inboxes.dropped end)
    assert.same({ 1, 4, 5 }, { reported, own:receive(1, "PONG", 0).timestamp, own:receive(1, "PONG", 0).timestamp })
  end)

  it("receives the PONG of a PING that its user sends, and no PONG of a heartbeat", function()
    own:close()
    own = assert(sessions.new {
      urls = cluster.urls, token = cluster.token, capacity = 50, metrics = core.op_metrics(), client = { heartbeat = { interval = 0.05 } },
      lost = function(reason) lost[#lost + 1] = reason end,
    })
    assert.is_true(own:connect(1))
    for stamp = 1, 20 do
      assert.is_true(own:send(1, { type = "PING", timestamp = stamp }))
      assert.equal(stamp, assert(own:receive(1, "PONG", PATIENCE)).timestamp)
    end
    local any = loop.spawn(function() return own:receive(1, function() return true end, PATIENCE) end)
    eventually("a heartbeat is answered", function()
      local info = own.core:connection_info(0)
      return info.rtt > 0, info
    end)
    assert.is_true(own:send(1, subscribe "m"))
    assert.equal("QUERY_RESP", any:wait(PATIENCE).type)
    assert.same({}, lost)
  end)

  it("says why nothing is received, or sent", function()
    local _, err = own:receive(1, "OP_ACK", 1)
    assert.equal("NOT_CONNECTED", err.code)
    _, err = own:send(1, subscribe "m")
    assert.equal("NOT_CONNECTED", err.code)
    assert.is_true(own:connect(1))
    _, err = own:receive(1, "OP_ACK", 0.05)
    assert.equal("TIMEOUT", err.code)
    assert.matches("no OP_ACK in 0.05 s", err.message)
    _, err = own:send(1, { type = "OP_BATCH", payload = function() end })
    assert.equal("NOT_ENCODABLE", err.code)
    local result
    loop.spawn(function() result = { own:receive(1, "OP_ACK", PATIENCE) } end)
    loop.soon(function() own:disconnect(1) end)
    eventually("the wait ends", function() return result end)
    assert.equal("NOT_CONNECTED", result[2].code)
  end)

  it("raises where the user waits what the user's function raises", function()
    assert.is_true(own:connect(1))
    assert.is_true(own:send(1, subscribe "m"))
    local ok, raised = pcall(own.receive, own, 1, function() error("not so", 0) end, PATIENCE)
    assert.same({ false, "not so" }, { ok, raised })
    assert.same({}, ask(1, "m"))
  end)

  it("takes messages of any size, in whatever pieces they are read", function()
    assert.is_true(own:connect(1))
    local client = wingman.client { server = cluster.urls[1], auth = { token = cluster.token } }
    assert(client:start())
    for _, size in ipairs { 10, 350, 400, 450, 500, 512, 1024, 5000, 100000 } do
      local name, value = "m" .. size, ("v"):rep(size - 1) .. "!"
      assert(client:map(name):set("key", value))
      assert(client:drain(PATIENCE))
      assert.equal(value, ask(1, name)[1].value)
    end
    client:close()
  end)
end)
