--- Every way to lose a node: each has a reason that the event, health(), the counters
--- and the failover's record tell; routes without the node exist when it is reported; the
--- other nodes go on, and what was written to the lost one arrives later.
local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"
local sockets = require "spec.support.sockets"

local VICTIM, OTHER = "node-2", "node-1"
local PATIENCE = 60
local simulated = { "sim://3", "sim://3?dialect=0.11" }

--- A working connection is lost. `on`: where it can be caused; `cause` and, when the
--- node has to be helped back, `undo`.
local losses = {
  { "a close frame", reason = "closed", code = 1001, fault = { "close", 1001 } },
  { "an end without a close frame", reason = "lost", code = 0, fault = { "drop" } },
  { "a reset", reason = "lost", code = 0, fault = { "reset" } },
  { "a half-open connection: the peer has vanished", reason = "heartbeat", code = 0, fault = { "half-open" } },
  { "a server that says nothing any more", reason = "heartbeat", code = 0, fault = { "mute" }, undo = "none" },
  { "bytes that are not the protocol", reason = "protocol", code = 0, fault = { "garbage" } },
  { "close 4001", reason = "auth_failed", code = 4001, fault = { "close", 4001 }, needs_token = true },
  { "close 1002", reason = "bad_frame", code = 1002, fault = { "close", 1002 } },
  { "close 1013", reason = "overloaded", code = 1013, fault = { "close", 1013 } },
  { "a dead process", on = "any", reason = "lost", order = "kill", back = "restart" },
  { "a process that is stopped (SIGSTOP), and continued", on = "any", reason = "heartbeat", order = "pause", back = "resume" },
}

clusters.on_each(getfenv(), "a node is lost by", function(shared, it)
  -- Short is the heartbeat only where it is what is awaited: on a busy machine it ends the
  -- connections of nodes that are well.
  local function started(reason)
    local client = shared:started {
      heartbeat = { interval = 0.1, timeout = reason ~= "heartbeat" and 60 or shared.is_real and 1.5 or 0.6 },
      reconnect = function() return 0.02 end, circuit = "never",
    }
    eventually("3 nodes are connected", function() return #client:connected_nodes() == 3, client:connected_nodes() end)
    -- The routes of now, by the one place that makes them.
    eventually("every partition has a route", function() return client:router_stats().routed_partitions == 271, client:router_stats().routed_partitions end)
    return client
  end

  local function await_return(client, back, keys)
    if back == "restart" then return shared:restart(VICTIM, client) end
    eventually("the node is back", function()
      return #client:connected_nodes() == 3 and client.provider:node_of(keys[1]) ~= nil, client:connected_nodes()
    end)
  end

  for _, case in ipairs(losses) do
    local possible = case.on == "any" or not shared.is_real
    if possible then
      it(case[1] .. ": " .. case.reason, function()
        local reported, routed_to
        local client = started(case.reason)
        local map = client:map(shared:map_name())
        local keys, others = clusters.keys_of(client, VICTIM, 20), clusters.keys_of(client, OTHER, 20)
        local index_of = client.provider.index_of_key
        client:on("node_lost", function(node)
          if node.id ~= VICTIM or reported then return end
          local lost_index
          for _, known in ipairs(client.provider.connections.nodes) do lost_index = known.id == VICTIM and known.index or lost_index end
          reported, routed_to = node, index_of(keys[1]) == lost_index and "the lost node" or "elsewhere"
        end)
        if case.fault then assert(shared.cluster:fault(VICTIM, unpack(case.fault)))
        else assert(shared.cluster[case.order](shared.cluster, VICTIM)) end
        for _, key in ipairs(keys) do assert(map:set(key, 1)) end
        eventually("it is noticed", function() return reported end)
        assert.equal(case.reason, reported.reason, reported.detail)
        if case.code then assert.equal(case.code, reported.code) end
        assert.equal("elsewhere", routed_to, "it is reported before the new routes were computed")
        assert.is_true(client:stats().losses[case.reason] >= 1)
        assert.is_true(clusters.node_of(client, VICTIM).losses[case.reason] >= 1)
        local recorded = {}
        for _, record in ipairs(client:failovers()) do
          if record.node == VICTIM then recorded[#recorded + 1] = record.reason end
        end
        assert.equal(case.reason, recorded[1])
        for _, key in ipairs(others) do assert(client:wait(assert(map:set(key, 2)), PATIENCE)) end
        if case.undo then assert(shared.cluster:fault(VICTIM, case.undo)) end
        if case.back == "resume" then assert(shared.cluster:resume(VICTIM)) end
        if case.needs_token then client:set_auth_token(shared.cluster.token) end
        await_return(client, case.back, keys)
        assert(client:drain(PATIENCE))
        for _, key in ipairs(keys) do assert.equal(1, map:get(key)) end
        assert.equal(0, client:stats().ops_rejected)
      end)
    end
  end
end)

clusters.on_each(getfenv(), "a node is lost by", function(shared, it)
  it("a batch that a v2 node does not acknowledge: ack_timeout; a 0.11 node is sent it again", function()
    local client = shared:started { batch = { ack_timeout = 0.3 }, reconnect = function() return 0.02 end, circuit = "never" }
    local key = clusters.keys_of(client, VICTIM, 1)[1]
    assert(shared.cluster:fault(VICTIM, "ack-drop", 1))
    assert(client:wait(assert(client:map(shared:map_name()):set(key, 1)), PATIENCE))
    assert.equal(shared.is_0_11 and 0 or 1, client:stats().losses.ack_timeout or 0)
  end)

  it("close 1013: the delays grow though connections come about, until it is something else", function()
    local attempts = {}
    local client = shared:started { circuit = "never", reconnect = function(node, attempt, reason)
      if node.id == VICTIM then attempts[#attempts + 1] = attempt .. " " .. reason end
      return 0.01
    end }
    eventually("3 nodes are connected", function() return #client:connected_nodes() == 3, client:connected_nodes() end)
    for i, code in ipairs { 1013, 1013, 1013, 1012, 1012 } do
      local connects = clusters.node_of(client, VICTIM).connects
      assert(shared.cluster:fault(VICTIM, "close", code))
      eventually("the node is back", function()
        return #attempts == i and clusters.node_of(client, VICTIM).connects > connects and #client:connected_nodes() == 3, attempts
      end)
    end
    assert.same({ "1 overloaded", "2 overloaded", "3 overloaded", "1 closed", "1 closed" }, attempts)
  end)

  it("close 1002 over one write: that one is found and rejected, no other, and not sent for ever", function()
    local rejected = {}
    local client = shared:started { circuit = "never", reconnect = function() return 0.01 end, batch = { tries = 255 } }
    client:on("op_rejected", function(err) rejected[#rejected + 1] = err end)
    local map = client:map(shared:map_name())
    local keys = clusters.keys_of(client, VICTIM, 300)
    assert(shared.cluster:fault(VICTIM, "unreadable", "poison"))
    for i, key in ipairs(keys) do assert(map:set(key, i == 150 and "poison" or i)) end
    assert.equal(1, select(2, client:drain(PATIENCE)).rejected)
    assert.equal(1, #rejected)
    assert.equal(keys[150], rejected[1].key)
    assert.truthy(rejected[1].reason:find("1002", 1, true))
    assert.equal(#keys - 1, client:stats().ops_acked)
    local ended = client:stats().losses.bad_frame
    assert.is_true(ended >= 4 and ended <= 30, ended .. " connections ended")
    eventually("3 nodes are connected", function() return #client:connected_nodes() == 3, client:connected_nodes() end)
    -- Nothing else is cut small afterwards.
    local before = client:stats().batches_sent
    for i, key in ipairs(keys) do assert(map:set(key, i)) end
    assert(client:drain(PATIENCE))
    assert.is_true(client:stats().batches_sent - before < 20)
    assert(shared.cluster:fault(VICTIM, "none"))
  end)

  it("close 1002 that no write causes: nothing is rejected", function()
    local client = shared:started { circuit = "never", reconnect = function() return 0.01 end, batch = { tries = 255 } }
    local map, keys = client:map(shared:map_name()), clusters.keys_of(client, VICTIM, 30)
    for i = 1, 8 do
      for _, key in ipairs(keys) do assert(map:set(key, i)) end
      assert(shared.cluster:fault(VICTIM, "close", 1002))
      loop.sleep(0.03)
    end
    assert(client:drain(PATIENCE))
    assert.equal(0, client:stats().ops_rejected)
  end)
end, simulated)

--- No connection comes about. Each gives the URL of a dead node.
local failures = {
  { "nothing listens", reason = "refused", url = function() return "ws://127.0.0.1:1" end },
  { "the name does not exist", reason = "dns", url = function() return "ws://nowhere.invalid:9000" end },
  { "the other end speaks no TLS", reason = "tls", listener = true, scheme = "wss", serve = function(peer)
    peer:write "HTTP/1.1 400 Bad Request\r\n\r\n"
  end },
  { "a listener accepts and says nothing", reason = "connect_timeout", listener = true },
  { "a listener accepts and says nothing to TLS", reason = "connect_timeout", listener = true, scheme = "wss" },
  { "a listener closes at once", reason = "refused", listener = true, serve = function(peer) peer:close() end },
  { "a listener resets at once", reason = "refused", listener = true, serve = function(peer) peer:reset() end },
  { "another kind of server answers", reason = "upgrade", listener = true, serve = function(peer)
    peer:write "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
  end },
  { "bytes that are no HTTP", reason = "upgrade", listener = true, serve = function(peer)
    peer:write "SSH-2.0-OpenSSH_9.2\r\n\r\n"
  end },
}

clusters.on_each(getfenv(), "no connection:", function(shared, it)
  for _, case in ipairs(failures) do
    it(case[1] .. ": " .. case.reason, function()
      local listener = case.listener and assert(sockets.listen "127.0.0.1")
      local url = listener and ("%s://127.0.0.1:%d"):format(case.scheme or "ws", listener.port) or case.url()
      local reasons = {}
      local client = shared:client {
        -- Short only where it is what is awaited: a slow machine needs its time for a TLS handshake.
        cluster = { seeds = { url, unpack(shared.cluster.urls) } }, connect_timeout = case.reason == "connect_timeout" and 0.3 or 10,
        reconnect = function(node, _, reason)
          if node.url == url then reasons[#reasons + 1] = reason end
          return 0.02
        end,
      }
      local starting = loop.spawn(client.start, client)
      eventually("it is noticed twice", function()
        local peer = listener and listener:accept()
        if peer and case.serve then
          loop.wait_until(function() return peer:read() ~= "" end, 0.2) -- what it asks for
          case.serve(peer)
        end
        return starting.done and #reasons >= 2, reasons
      end)
      assert.is_true(starting:wait())
      assert.same({ case.reason, case.reason }, { reasons[1], reasons[2] }, client.provider.connections:reasons())
      assert.is_true(client:stats().losses[case.reason] >= 2)
      assert.equal(case.reason, client:health().nodes[1].last_reason)
      assert.equal(3, #client:connected_nodes())
      if listener then listener:close() end
    end)
  end

  it("the server does not answer the token: auth_timeout", function()
    assert(shared.cluster:fault("node-1", "no-auth-ack"))
    local client = shared:client { cluster = { seeds = shared.cluster.urls }, auth_timeout = 0.2, reconnect = function() return 0.02 end }
    assert(client:start())
    eventually("two authentications time out", function() return (client:stats().losses.auth_timeout or 0) >= 2 end)
    assert(shared.cluster:fault("node-1", "none"))
    eventually("3 nodes are connected", function() return #client:connected_nodes() == 3, client:connected_nodes() end)
  end)
end, simulated)
