--- What the reference client does wrong (the checklist of the protocol notes, by its
--- numbers) and this client must do right.
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"
local wingman = require "wingman"

local OPS = 300

local function set_all(map, count, from)
  for i = from or 1, (from or 1) + count - 1 do assert(map:set("key-" .. i, { i = i })) end
end

local function owned(client, id, count)
  local n, owners = 0, client:partition_map().owners
  for i = 1, count do
    if owners[client:partition_of("key-" .. i) + 1] == id then n = n + 1 end
  end
  return n
end

local function total(cluster, what)
  local sum = 0
  for _, node in pairs(assert(cluster:stats())) do sum = sum + node[what] end
  return sum
end

-- Waits until the client is connected to so many nodes.
local function await_nodes(client, count)
  eventually(count .. " nodes are connected", function() return #client:connected_nodes() == count, client:connected_nodes() end)
end

clusters.on_each(getfenv(), "faults of the reference client", function(shared, it)
  local function fault(...) assert(shared.cluster:fault(...)) end

  after_each(function()
    fault("all", "none")
    for _, node in ipairs(shared.cluster.nodes) do
      shared.cluster:resume(node.id)
      shared.cluster:restart(node.id)
    end
    assert(shared.cluster:reset_stats())
  end)

  it("1: a working connection is never closed because of a map", function()
    assert(shared.cluster:reset_stats())
    local client = shared:started()
    await_nodes(client, 3)
    set_all(client:map "a", OPS)
    assert(client:drain(60))
    loop.sleep(client.options.map_requests.debounce + 0.2)
    assert.equal(3, #client:connected_nodes())
    assert.equal(3, total(shared.cluster, "opened"))
    assert.equal(3, total(shared.cluster, "open"))
  end)

  it("2: send_batch says which operations are not on the wire", function()
    local client = shared:started { cluster = { seeds = { shared.cluster.urls[1] } }, endpoint = function() end }
    local results
    local send_batch = client.provider.send_batch
    client.provider.send_batch = function(self, operations)
      results = send_batch(self, operations)
      return results
    end
    set_all(client:map "b", OPS)
    eventually("node-1 acknowledges its operations", function() return client:pending_ops() == OPS - owned(client, "node-1", OPS), client:pending_ops() end)
    local owners, unsent = client:partition_map().owners, 0
    for i = 1, OPS do
      local key = "key-" .. i
      local has_route = owners[client:partition_of(key) + 1] == "node-1"
      assert.equal(not has_route, results[key] == false)
      if not has_route then unsent = unsent + 1 end
    end
    assert.equal(unsent, client:pending_ops())
  end)

  it("3: nodes are known by the id that they tell, whatever the seed's URL looks like", function()
    local seeds = {}
    for i, url in ipairs(shared.cluster.urls) do seeds[i] = url:gsub("127%.0%.0%.1", "localhost") end
    local client = shared:started { cluster = { seeds = seeds } }
    assert.same({ "node-1", "node-2", "node-3" }, client:connected_nodes())
  end)

  it("4: what is recorded while a node is dead waits, all of it, for whoever owns it next", function()
    local client = shared:started()
    assert(shared.cluster:kill "node-3")
    local map = client:map "d"
    set_all(map, 5000)
    assert.is_true(client:pending_ops() > 0)
    assert(client:drain(60))
    -- A 0.11 node that has lost a partition and not yet said so acknowledges a batch
    -- and loses it; only the other nodes' hash trees tell.
    if shared.is_0_11 then
      assert(client:repair "d")
      assert(client:drain(60))
    end
    local values = wingman.by_key(assert(client:query "d"))
    for i = 1, 5000 do assert.is_table(values["key-" .. i], "key-" .. i .. " is missing") end
  end)

  it("6: a cluster that counts its map versions anew is followed", function()
    fault("all", "map-version", 1000)
    local client = shared:started()
    eventually("the new map is taken", function() return client:partition_map().version >= 1000, client:partition_map().version end)
    for _, node in ipairs(shared.cluster.nodes) do assert(shared.cluster:kill(node.id)) end
    await_nodes(client, 0)
    for _, node in ipairs(shared.cluster.nodes) do assert(shared.cluster:restart(node.id)) end
    await_nodes(client, 3)
    eventually("the map of the cluster that began anew is taken", function() return client:partition_map().version < 1000, client:partition_map().version end)
    set_all(client:map "f", OPS)
    assert(client:drain(60))
  end)

  it("7: silence after a map request means that the held map is current", function()
    local client = shared:started { map_requests = { refresh = 0.1, answer_timeout = 0.1 } }
    fault("all", "map-withhold", true)
    local function ask_three_times()
      local asked = client:router_stats().map_requests
      eventually("the map is asked for three times", function() return client:router_stats().map_requests >= asked + 3, client:router_stats().map_requests end)
    end
    ask_three_times() -- a map may still have been under way
    local version = client:partition_map().version
    ask_three_times()
    assert.equal(version, client:partition_map().version)
    assert.equal("CONNECTED", client.state.current)
    set_all(client:map "g", OPS)
    assert(client:drain(60))
  end)

  it("11: an acknowledgement settles the batch that it answers, on its connection, and nothing else", function()
    local client = shared:started { batch = { ack_timeout = 30 } }
    fault("node-1", "mute", true)
    set_all(client:map "k", OPS)
    eventually("the others acknowledge theirs", function() return client:pending_ops() <= owned(client, "node-1", OPS), client:pending_ops() end)
    assert.is_nil(client:drain(0.1))
    assert.equal(owned(client, "node-1", OPS), client:pending_ops())
    fault("node-1", "mute", false)
  end)

  it("11: acknowledgements that overtake each other, or come twice, settle each batch once", function()
    local client = shared:started()
    fault("all", "ack-delay", 5)
    fault("all", "reorder", true)
    fault("all", "ack-duplicate", 20)
    local map = client:map "k2"
    for round = 0, 19 do
      set_all(map, OPS, round * OPS + 1)
      loop.sleep(0.001)
    end
    assert(client:drain(60))
    assert.equal(20 * OPS, client:stats().ops_acked)
  end)

  it("12: an operation is sent once on a connection that stays", function()
    local client = shared:started()
    assert(shared.cluster:reset_stats())
    fault("all", "ack-delay", 50)
    local map = client:map "l"
    for round = 0, 9 do
      set_all(map, OPS, round * OPS + 1)
      loop.sleep(0.002)
    end
    assert(client:drain(60))
    assert.equal(10 * OPS, total(shared.cluster, "ops"))
    assert.equal(0, client:stats().ops_resent)
  end)

  it("12: an operation whose acknowledgement is lost is sent again", function()
    local client = shared:started { batch = { ack_timeout = 0.2 } }
    fault("all", "ack-drop", 1)
    set_all(client:map "l2", OPS)
    assert(client:drain(60))
    assert.is_true(client:stats().ops_resent > 0)
    assert.equal(0, client:pending_ops())
  end)

  it("13: what is acknowledged leaves the log", function()
    local client = shared:started()
    local map, footprint = client:map "n", nil
    for round = 1, 40 do
      set_all(map, 2000)
      assert(client:drain(60))
      assert.equal(0, client:pending_ops())
      if round == 10 then footprint = client:stats().log_footprint end
    end
    assert.equal(footprint, client:stats().log_footprint)
  end)

  it("15: a PONG, whose timestamp is a plain number, leaves the clock alone", function()
    local client = shared:started { heartbeat = { interval = 0.05 } }
    eventually("the nodes are pinged six times", function() return total(shared.cluster, "pings") >= 6, total(shared.cluster, "pings") end)
    local before = core.wall_ms()
    assert(client:map("o"):set("k", 1))
    local millis = client:map("o"):record("k").millis
    assert.is_true(millis >= before - 1000 and millis <= core.wall_ms() + 1000, millis - before)
    assert(client:drain(60))
    assert.equal(1, client:stats().ops_acked)
  end)

  it("16: connections that answer PING stay", function()
    assert(shared.cluster:reset_stats())
    -- One that does not answer for 4 s would be lost; each is asked for longer than that.
    local client = shared:started { heartbeat = { interval = 0.2, timeout = 4 } }
    local begun = loop.now()
    eventually("every node is asked for 5 s", function()
      if loop.now() - begun < 5 then return false end
      for _, node in pairs(assert(shared.cluster:stats())) do
        if node.pings < 10 then return false, node.pings end
      end
      return true
    end)
    assert.equal(3, #client:connected_nodes())
    assert.equal(3, total(shared.cluster, "opened"))
  end)

  it("17, 18: a node that falls silent is noticed, and connected to again when it speaks", function()
    local client = shared:started { heartbeat = { interval = 0.05, timeout = 0.2 },
      reconnect = function() return 0.05 end }
    local lost
    client:on("node_lost", function(event) lost = event.id == "node-2" or lost end)
    assert(shared.cluster:pause "node-2")
    eventually("the silence is noticed", function() return lost end)
    assert(shared.cluster:resume "node-2")
    await_nodes(client, 3)
    set_all(client:map "q", OPS)
    assert(client:drain(60))
  end)

  it("17: the connection to a single server is made again too", function()
    local client = shared:started { server = shared.cluster.urls[1], reconnect = function() return 0.05 end }
    fault("node-1", "close", 1012)
    eventually("every connection is lost", function() return not client.provider:is_connected() end)
    set_all(client:map "q2", 5)
    assert(client:drain(60))
  end)

  it("19: a node that cannot be reached is tried again for as long as the policy says", function()
    local attempts = {}
    local client = shared:started {
      reconnect = function(_, attempt)
        attempts[#attempts + 1] = attempt
        return 0.01
      end,
    }
    assert(shared.cluster:kill "node-3")
    eventually("twelve attempts are made", function() return #attempts >= 12, #attempts end)
    assert.equal(12, attempts[12])
    assert(shared.cluster:restart "node-3")
    await_nodes(client, 3)
  end)

  it("19: a refused token is not shown again; a new one resumes at once", function()
    assert(shared.cluster:reset_stats())
    local bad = core.jwt_sign('{"sub":"x","exp":4000000000}', "another secret")
    local client = shared:client { auth = { token = bad }, start_timeout = 60 }
    local ok, err = client:start()
    assert.is_nil(ok)
    assert.equal("AUTH_FAILED", err.code)
    assert.is_nil(tostring(err):find(bad, 1, true))
    local shown = total(shared.cluster, "opened")
    loop.sleep(0.3)
    assert.equal(shown, total(shared.cluster, "opened"))
    client:set_auth_token(shared.cluster.token)
    await_nodes(client, 3)
    set_all(client:map "s", 5)
    assert(client:drain(60))
  end)

  it("20: one AUTH per connection", function()
    assert(shared.cluster:reset_stats())
    local client = shared:started()
    set_all(client:map "t", 10)
    assert(client:drain(60))
    assert.equal(3, total(shared.cluster, "auths"))
  end)

  it("29: a connection that ends before it is authenticated is an end with a reason", function()
    fault("node-2", "no-auth-ack", true)
    local client = shared:started { auth_timeout = 0.2, reconnect = function() return 0.05 end }
    local function node_2()
      for _, node in ipairs(client:health().nodes) do
        if node.url == shared.cluster.urls[2] then return node end
      end
    end
    eventually("node-2 is lost", function() return node_2().last_reason end)
    assert.equal("auth_timeout", node_2().last_reason)
    fault("node-2", "none")
    await_nodes(client, 3)
  end)
end, { "sim://3", "sim://3?dialect=0.11" })

clusters.on_each(getfenv(), "fault 30 of the reference client", function(shared, it)
  it("the hash is found out, not assumed: writes go to their owners", function()
    local client = shared:started()
    assert.equal("xxh64", client:router_stats().hash)
    set_all(client:map "h", OPS)
    assert(client:drain(60))
    assert.equal(OPS, client:stats().ops_acked)
    local values = wingman.by_key(assert(client:query "h"))
    for i = 1, OPS do assert.is_table(values["key-" .. i], "key-" .. i .. " is missing") end
  end)
end, { "sim://3?dialect=0.11&hash=xxh64" })
