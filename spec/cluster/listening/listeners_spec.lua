--- Listening connections: when there are any, what is sent on them, and what becomes of writes when they end.
local clusters = require "spec.support.cluster"
local cjson = require "cjson"
local core = require "wingman.core"
local eventually = require "spec.support.eventually"
local inspect = require "wingman.inspect"
local loop = require "wingman.loop"
local process_size = require "spec.support.process_size"
local raw_connections = require "spec.support.raw_connections"

--- Seconds: a green spec does not wait for them.
local LONG = { timeout = 60 }
local PATIENCE = 60

-- The states of a client's listening connections, by node.
local function states(client)
  local found = {}
  for _, node in ipairs(client:health().nodes) do
    if node.id then found[node.id] = node.listening end -- at a new address it has not said yet which node it is
  end
  return found
end

local function all(state) return { ["node-1"] = state, ["node-2"] = state, ["node-3"] = state } end

local function await_all(client, state)
  eventually("every listening connection is " .. state, function()
    local found = states(client)
    for _, of_node in pairs(found) do
      if of_node ~= state then return false, found end
    end
    return true
  end)
end

-- Ends only the listening connection to a node, without a word.
local function cut(shared, client, id)
  local node
  for _, one in ipairs(client.provider:nodes()) do node = one.id == id and one or node end
  local connection_id = client.listeners:of(node)
  if shared.is_real then
    client.core:disconnect(connection_id, 1000)
    client.provider:handle("lost", connection_id, "lost", 0, true, "")
    return
  end
  local listening = 0 -- the one that was opened last
  for _, connection in ipairs(assert(shared.cluster:connections(id))) do
    listening = math.max(listening, connection.number)
    if connection.number == listening then assert.is_nil(connection.carried.OP_BATCH) end
  end
  assert(shared.cluster:fault(id, "reset", listening))
  eventually("the client has noticed", function() return client.listeners:of(node) ~= connection_id or states(client)[id] ~= "ready" end)
end

-- The types of messages that a client sends from now on, on each kind of connection.
local function trace(client)
  local sent = { [true] = {}, [false] = {} }
  inspect.trace(client, function(frame)
    if not frame.outward then return end
    for _, message in ipairs(frame.messages) do
      local counts = sent[frame.listening]
      counts[message.type] = (counts[message.type] or 0) + 1
    end
  end)
  return sent
end

clusters.on_each(getfenv(), "a listening connection", function(shared, it)
  local name, client, map, keys

  before_each(function()
    name = shared:map_name()
    client = shared:started { reconnect = function() return 0.01 end, map_requests = { refresh = 600 } }
    map, keys = client:map(name), {}
    eventually("every node is connected", function() return #client:connected_nodes() == 3 end)
    for i, node in ipairs(shared.cluster.nodes) do keys[i] = clusters.keys_of(client, node.id, 1)[1] end
  end)

  local function write(value)
    for _, key in ipairs(keys) do assert(map:set(key, value)) end
    assert(client:drain(PATIENCE))
  end

  it("is not opened by a client that only writes", function()
    write(1)
    assert.same(all "off", states(client))
    if shared.is_real then return end
    for _, node in ipairs(shared.cluster.nodes) do assert.equal(1, #assert(shared.cluster:connections(node.id))) end
  end)

  for what, need in pairs {
    ["map:read"] = function() return map:read(keys[1], LONG) end,
    ["client:query"] = function() return client:query(name, LONG) end,
    ["client:holdings"] = function() return client:holdings("node-1", name) end,
    ["client:repair"] = function() return client:repair(name) end,
  } do
    it("is opened to every node by the first " .. what, function()
      write(1)
      assert(need())
      await_all(client, "ready")
      assert.equal(3, #client:connected_nodes())
    end)
  end

  it("carries what is asked and no operation, and the others carry no question about records", function()
    write(1)
    local sent = trace(client)
    for i = 1, 50 do assert(map:set("other-" .. i, i)) end
    assert.equal(1, (map:read(keys[1], LONG)))
    assert.equal(3, #assert(client:query(name, { where = { }, limit = 3 })))
    assert(client:holdings("node-2", name))
    assert(client:repair(name))
    for i = 1, 50 do assert(map:remove("other-" .. i)) end
    assert(client:drain(PATIENCE))
    assert.is_nil(sent[true].OP_BATCH)
    assert.is_true(sent[true].MERKLE_REQ_BUCKET > 0 and sent[false].OP_BATCH > 0)
    assert.same({}, { sent[false].MERKLE_REQ_BUCKET, sent[false].SYNC_INIT })
  end)

  it("is made again when it is lost, and nothing else is", function()
    write(1)
    assert.equal(1, (map:read(keys[1], LONG)))
    await_all(client, "ready")
    -- It is asked for once more when the nodes have connected; what comes may be newer by its time.
    local requests = client.provider.map_refresh
    eventually("the map is not asked for any more", function() return not requests.debounce_timer and not requests.answer_timer end)
    local reported, lost = {}, {}
    for _, event in ipairs { "node_lost", "node_connected", "circuit", "failover", "map_changed", "state" } do
      client:on(event, function() reported[#reported + 1] = event end)
    end
    client.listeners:on("lost", function(node) lost[#lost + 1] = node.id end)
    local before, route_changes = client:stats(), client:router_stats().route_changes
    for round = 1, 3 do
      for i = 1, 20 do assert(map:set("other-" .. i, round)) end
      for _, node in ipairs(shared.cluster.nodes) do cut(shared, client, node.id) end
      assert.equal(3, #client:connected_nodes())
      assert(client:drain(PATIENCE))
      await_all(client, "ready")
      for _, key in ipairs(keys) do assert.equal(1, (map:read(key, LONG))) end
    end
    local stats = client:stats()
    assert.equal(9, #lost)
    assert.same({}, reported)
    assert.same({ 60, 0, 0, before.losses },
      { stats.ops_acked - before.ops_acked, stats.ops_resent - before.ops_resent, stats.unmatched_acks, stats.losses })
    assert.equal(route_changes, client:router_stats().route_changes)
    for _, node in ipairs(client:health().nodes) do assert.equal("closed", node.circuit) end
  end)

  it("is there again with a node that was away, and never keeps it in the client", function()
    write(1)
    assert.equal(1, (map:read(keys[1], LONG)))
    await_all(client, "ready")
    assert(shared.cluster:kill "node-3")
    eventually("the node is lost", function() return #client:connected_nodes() == 2 and states(client)["node-3"] ~= "ready" end)
    assert.equal(1, (map:read(keys[1], { node = "node-1", timeout = 60 }))) -- its owner may be another one now
    shared:restart("node-3", client)
    await_all(client, "ready")
    local key = clusters.keys_of(client, "node-3", 1)[1]
    assert(client:wait(assert(map:set(key, "again")), PATIENCE))
    assert.equal("again", (map:read(key, LONG)))
  end)

  it("that is ready when the client is closed is none for who waited for it", function()
    local reading = loop.spawn(client.holdings, client, "node-2", name)
    client.listeners:on("ready", function(node)
      if node.id == "node-2" then client:close() end
    end)
    local held, err = reading:wait(PATIENCE)
    assert.is_nil(held)
    assert.equal("CLOSED", err.code)
  end)

  it("ends with the client", function()
    write(1)
    assert.equal(1, (map:read(keys[1], LONG)))
    await_all(client, "ready")
    local timers = loop.timer_count()
    client:close()
    assert.is_true(loop.timer_count() <= timers)
    if shared.is_real then return end
    for _, node in ipairs(shared.cluster.nodes) do
      eventually("the node has no connection left", function() return #assert(shared.cluster:connections(node.id)) == 0 end)
    end
  end)

  it("shows a new token when it is opened anew", function()
    local function token() return core.jwt_sign(cjson.encode { sub = "user", exp = math.ceil(core.wall_ms() / 1000) + 3600 }, shared.cluster.secret) end
    local given = 0
    local other = shared:started {
      cluster = { seeds = { shared.cluster.urls[1] } }, endpoint = "seeds", reconnect = function() return 0.01 end,
      auth = { token = function()
        given = given + 1
        return token()
      end },
    }
    assert.equal(1, given)
    assert(other:holdings("node-1", name))
    assert.equal(2, given)
    cut(shared, other, "node-1")
    assert(other:holdings("node-1", name))
    assert.equal(3, given)
  end)

  it("brings changes again once it is made again, and none of this client's own writes", function()
    local writer, heard = shared:started(), {}
    map:on("change", function(key, value) heard[key] = value end, { replicate = false })
    for round = 1, 3 do
      for i, key in ipairs(keys) do
        if shared.is_0_11 then break end -- a cluster of these announces nothing
        eventually("a change at node " .. i .. " is heard of", function()
          assert(writer:map(name):set(key, round))
          return heard[key] == round, heard[key]
        end)
      end
      await_all(client, "ready")
      for _, node in ipairs(shared.cluster.nodes) do cut(shared, client, node.id) end
      await_all(client, "ready")
      heard = {}
      for i = 1, 20 do assert(map:set("own-" .. i, round)) end
      assert(client:drain(PATIENCE))
    end
    assert.is_nil(next(heard))
  end)

  it("of another node than the expected one is refused, and tried again", function()
    write(1)
    local id_of = client.listeners.host.id_of
    client.listeners.host.id_of = function(node) return node.id == "node-2" and "node-9" or id_of(node) end
    -- The first of them may end before the node was asked which it is.
    eventually("a read says which node answered", function()
      local value, err = map:read(keys[2], { timeout = 0.3 })
      assert.same({ nil, "NOT_CONNECTED" }, { value, err.code })
      return err.message:find("other_node (node-2 answers there, not node-9)", 1, true), err.message
    end, PATIENCE)
    assert.is_true(shared:logged("listener_refused")[1].listening)
    assert.equal(1, (map:read(keys[1], LONG)))
    write(2)
    assert.equal(3, #client:connected_nodes())
    client.listeners.host.id_of = id_of
    assert.equal(2, (map:read(keys[2], LONG)))
  end)
end)

clusters.on_each(getfenv(), "a listening connection to a single server", function(shared, it)
  it("is known to lead to the same node, also when the server is not asked as one of a cluster", function()
    local client = shared:started { server = shared.cluster.urls[1] }
    local map = client:map(shared:map_name())
    assert(client:wait(assert(map:set("a", 1)), PATIENCE))
    assert.equal("off", client:health().nodes[1].listening)
    assert.equal(1, (map:read("a", LONG)))
    assert.equal("ready", client:health().nodes[1].listening)
  end)

  it("that the policy has given up is opened again by the next read", function()
    local client = shared:started { reconnect = function() return nil end }
    local map, node = client:map(shared:map_name()), client.provider:nodes()[1]
    for round = 1, 3 do
      assert(client:wait(assert(map:set("a", round)), PATIENCE))
      assert.equal(round, (map:read("a", LONG)))
      cut(shared, client, node.id)
      eventually("it is given up", function() return client.listeners:state_of(node) == "given_up", client.listeners:state_of(node) end)
    end
    assert.equal(1, client:health().nodes[1].connects)
  end)

  it("leaves nothing behind, however often it ends", function()
    local client = shared:started { reconnect = function() return 0 end }
    local map, node = client:map(shared:map_name()), client.provider:nodes()[1]
    assert(client:wait(assert(map:set("a", 1)), PATIENCE))
    local function cycle()
      local connection_id = assert(client.listeners:await(node, loop.now() + PATIENCE))
      client.core:disconnect(connection_id, 1000)
      client.provider:handle("lost", connection_id, "lost", 0, true, "")
      assert.equal(1, (map:read("a", LONG)))
    end
    for _ = 1, 50 do cycle() end
    local timers, memory, fds = loop.timer_count(), process_size.kilobytes(), process_size.settled_fds()
    for _ = 1, 50 do cycle() end
    eventually("no more timers run than before", function() return loop.timer_count() <= timers, loop.timer_count(), timers end)
    assert.is_true(process_size.kilobytes() - memory < 64, "Lua memory grew")
    eventually("no more file descriptors are open than before", function() return process_size.count_fds() <= fds, process_size.count_fds(), fds end)
  end)
end, { "sim://1", "sim://1?dialect=0.11", "topgun://1" })

clusters.on_each(getfenv(), "a listening connection whose token expires", function(shared, it)
  local function token(seconds)
    return core.jwt_sign(cjson.encode { sub = "user" .. seconds, exp = math.ceil(core.wall_ms() / 1000) + seconds }, shared.cluster.secret)
  end

  it("goes on with the next one, of a function or of the script", function()
    local given = 0
    local client = shared:started {
      reconnect = function() return 0.01 end, auth = { token = function()
        given = given + 1
        return token(3600 + given)
      end },
    }
    local map = client:map(shared:map_name())
    local function works(value)
      assert(client:wait(assert(map:set("a", value)), PATIENCE))
      assert.equal(value, (map:read("a", LONG)))
    end
    works(1)
    assert(shared.cluster:command "expire-tokens")
    eventually("both connections have a new token", function() return given >= 4, given end)
    works(2)
    client:set_auth_token(token(7200))
    assert(shared.cluster:command "expire-tokens")
    local node = client.provider.connections.nodes[1]
    eventually("both are refused", function()
      local found = { client.listeners:state_of(node), client.state.current }
      return found[1] ~= "ready" and found[2] == "ERROR", found
    end)
    client:set_auth_token(token(7300))
    works(3)
    assert.equal("ready", client.listeners:state_of(node))
  end)
end, { "sim://1", "sim://1?dialect=0.11" })

clusters.on_each(getfenv(), "users' own connections", function(shared, it)
  it("have no listening ones beside them", function()
    raw_connections.open(shared, 3)
    assert.equal(3, #assert(shared.cluster:connections "node-1"))
  end)
end, { "sim://1" })

clusters.on_each(getfenv(), "the acknowledgement of a write", function(shared, it)
  local RECORDS, QUESTIONS = 400, 40

  it("does not wait for the answers to what is asked on the listening connection", function()
    local client = shared:started()
    local map, node = client:map(shared:map_name()), client.provider:nodes()[1]
    for i = 1, RECORDS do assert(map:set("key-" .. i, ("x"):rep(1000))) end
    assert(client:drain(PATIENCE))
    local connection_id = assert(client.listeners:await(node, loop.now() + PATIENCE))
    local function received() return client.core:connection_info(connection_id).bytes_in end
    local before, whole = received(), QUESTIONS * RECORDS * 1000
    for i = 1, QUESTIONS do
      local question = { type = "QUERY_SUB", payload = { queryId = "q-" .. i, mapName = map.name, query = {} } }
      assert(client.core:send(connection_id, core.encode(question)))
    end
    assert(client:wait(assert(map:set("lone", 1)), PATIENCE))
    local when_acked = received() - before
    eventually("every answer has come", function() return received() - before >= whole, received() - before end)
    assert.is_true(when_acked < whole, when_acked)
  end)
end, { "sim://1", "sim://1?dialect=0.11" })
