local circuit = require "wingman.policy.circuit"
local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"
local virtual_time = require "spec.support.virtual_time"

describe("circuits", function()
  -- On a clock that moves only when the loop waits.
  local closing, loop, circuits
  before_each(function()
    local time = virtual_time.new()
    loop, circuits = time.loop, time:require "wingman.cluster.circuit_breakers"
  end)
  after_each(function()
    if closing then closing:close() end
    closing = nil
  end)

  -- A host without a network: one node, which answers requests as `world` says.
  local function on_nothing(policy)
    local node = { id = "node-1", url = "ws://x", whole_url = "ws://x", index = 0, connection_ids = { 0 }, usable = true }
    local world = { asked = 0, answer = true, acked = 0, unanswered = 0, changes = {}, logged = {} }
    closing = circuits.new(policy, 0.04, {
      nodes = function() return { node } end,
      core = {
        node_stats = function() return { ops_acked = world.acked } end,
        connection_info = function() return { unanswered = world.unanswered } end,
      },
      ask = function()
        world.asked = world.asked + 1
        loop.sleep(0.02)
        return world.answer
      end,
      changed = function(_, state) world.changes[#world.changes + 1] = state end,
      log = function(level, event) world.logged[#world.logged + 1] = level .. " " .. event end,
    })
    return closing, node, world
  end

  local function await(condition) assert(loop.wait_until(condition, 5), "it has not come in 5 s of that clock") end

  it("ask for one trial when it is due, whatever else happens, and close when it succeeds", function()
    local c, node, world = on_nothing(circuit.consecutive { failures = 2, reset = 0.05 })
    c:failure(node, "lost", "x")
    c:failure(node, "lost", "x")
    assert.is_false(c:is_closed(node))
    await(function() return world.asked == 1 end)
    assert.equal("half_open", (c:state_of(node)))
    for _ = 1, 5 do c:connected(node) end
    await(function() return c:is_closed(node) end)
    assert.equal(1, world.asked)
    assert.same({ "open", "half_open", "closed" }, world.changes)
    assert.equal(1, select(2, c:state_of(node)))
  end)

  it("stay open when the trial fails", function()
    local c, node, world = on_nothing(circuit.consecutive { failures = 1, reset = 0.05 })
    world.answer = false
    c:failure(node, "lost", "x")
    await(function() return world.asked == 2 end)
    assert.same({ "open", "half_open", "open", "half_open" }, world.changes)
    world.answer = true
    await(function() return c:is_closed(node) end)
  end)

  it("ask a node that leaves a batch unanswered, and open only when it answers nothing", function()
    local c, node, world = on_nothing(circuit.consecutive { reset = 60 })
    world.unanswered = 1
    await(function() return world.asked >= 2 end)
    assert.is_true(c:is_closed(node))
    world.answer = false
    await(function() return not c:is_closed(node) end)
    world.acked = 7 -- late, but it lives
    await(function() return c:is_closed(node) end)
  end)

  it("do not suspect a node that acknowledges other batches", function()
    local _, _, world = on_nothing(circuit.consecutive())
    world.unanswered, world.answer = 1, false
    local looks = 0
    await(function()
      world.acked, looks = world.acked + 1, looks + 1
      return looks > 30
    end)
    assert.equal(0, world.asked)
    assert.same({}, world.changes)
  end)

  it("use a policy of the script's own, and survive its mistakes", function()
    local reported = {}
    local c, node, world = on_nothing(function(of)
      assert(of.url == "ws://x")
      return {
        failure = function(_, kind) reported[#reported + 1] = kind end,
        success = function() error "a mistake" end,
        connected = function() end,
        state = function() return #reported >= 2 and "open" or "closed" end,
        due = function() end,
      }
    end)
    c:failure(node, "refused", "x")
    assert.is_true(c:is_closed(node))
    c:failure(node, "connect", "x")
    assert.is_false(c:is_closed(node))
    assert.same({ "refused", "connect" }, reported)
    world.acked = 1
    await(function() return #world.logged > 0 end)
    assert.equal("error circuit_policy", world.logged[1])
    assert.is_false(c:is_closed(node))
  end)
end)

clusters.on_each(getfenv(), "circuits", function(shared, it)
  -- The states that a node's circuit has taken, in order.
  local function states_of(client, id)
    local seen = {}
    client:on("circuit", function(change)
      if change.node == id then seen[#seen + 1] = change.state end
    end)
    return seen
  end

  local function circuit_of(client, id)
    local node = clusters.node_of(client, id)
    return node and node.circuit
  end

  it("take out a node that keeps its connection and answers nothing, and take it back", function()
    local client = shared:started {
      unanswered = 0.2, batch = { ack_timeout = 30 }, heartbeat = { timeout = 60 }, map_requests = { refresh = 0.3 },
      routing = function(partition, view) return view:usable(partition.owner) and partition.owner or nil end,
    }
    local id = client:connected_nodes()[2]
    local seen = states_of(client, id)
    local map, keys = client:map(shared:map_name()), {}
    assert(shared.cluster:pause(id))
    -- By the routes of this moment: a real cluster that has just formed may still move
    -- partitions, and what went to others would be acknowledged.
    for i = 1, 1e5 do
      local node = client.provider:node_of("key-" .. i)
      if node and node.id == id and #keys < 20 then keys[#keys + 1] = "key-" .. i end
    end
    assert.equal(20, #keys)
    for _, key in ipairs(keys) do assert(map:set(key, { v = key })) end
    eventually("the circuit of " .. id .. " opens", function() return seen[1] end)
    assert.equal("open", seen[1])
    assert.not_equal("closed", circuit_of(client, id))
    assert.is_nil(client.provider:node_of(keys[1]), "the node is still used")
    assert(shared.cluster:resume(id))
    assert(client:drain(60))
    eventually("the circuit closes", function() return circuit_of(client, id) == "closed", seen end)
    for _, key in ipairs(keys) do assert.same({ v = key }, map:get(key)) end
  end)
end)

clusters.on_each(getfenv(), "circuits", function(shared, it)
  local function is_connected_to(client, id)
    for _, connected in ipairs(client:connected_nodes()) do
      if connected == id then return true end
    end
    return false
  end

  local function break_off(client, id, times)
    for _ = 1, times do
      eventually(id .. " is connected", function() return is_connected_to(client, id) end)
      assert(shared.cluster:fault(id, "close", 1012))
      eventually("the connection to " .. id .. " is lost", function() return not is_connected_to(client, id) end)
    end
  end

  it("let a node that is well again back soon, by default", function()
    local client = shared:started { reconnect = function() return 0.005 end }
    local id = client:connected_nodes()[1]
    local opened
    client:on("circuit", function(change) opened = opened or change.state == "open" end)
    break_off(client, id, 5)
    assert.is_true(opened)
    assert(client:map(shared:map_name()):set(clusters.keys_of(client, id, 1)[1], 1))
    assert(client:drain(25)) -- the reference client would leave it alone for 30 s
  end)

  it("leave a node alone for a while that connects and breaks off again and again", function()
    local now = 0 -- of the circuits; it stands still until the spec says otherwise
    local function on_its_own_clock(node)
      local inner = circuit.consecutive { failures = 3, first = 10, reset = 10 }(node)
      return {
        failure = function(_, kind) inner:failure(kind, now) end, success = function() inner:success(now) end,
        connected = function() inner:connected(now) end, state = function() return inner:state(now) end,
        due = function() return 0.01 end,
      }
    end
    local client = shared:started { circuit = on_its_own_clock, reconnect = function() return 0.01 end }
    local id = client:connected_nodes()[1]
    break_off(client, id, 3)
    eventually(id .. " is connected", function() return is_connected_to(client, id) end)
    local key = clusters.keys_of(client, id, 1)[1]
    local seq = assert(client:map(shared:map_name()):set(key, 1))
    now = 9.9
    assert.is_nil((client:wait(seq, 0.2)))
    assert.is_nil(client.provider:node_of(key), "the node is used")
    now = 10
    assert(client:wait(seq, 60))
  end)

  it("open when a server answers every batch with an error", function()
    local client = shared:started { circuit = { failures = 3, reset = 0.3 } }
    local id = client:connected_nodes()[1]
    local opened, errors = nil, 0
    client:on("circuit", function(change) opened = opened or (change.state == "open" and change) end)
    client:on("server_error", function() errors = errors + 1 end)
    assert(shared.cluster:fault(id, "error", 500, 4))
    local map = client:map(shared:map_name())
    for i, key in ipairs(clusters.keys_of(client, id, 3)) do
      assert(map:set(key, 1))
      eventually("a batch is refused", function() return errors >= i or opened, errors end)
    end
    eventually("a circuit opens", function() return opened end)
    assert.equal(id, opened.node)
    assert.truthy(opened.reason:find("error 500", 1, true))
    assert(client:drain(60))
  end)
end, { "sim://3", "sim://3?dialect=0.11" })
