--- The timeline of node losses.
local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"
local failover = require "wingman.cluster.failover_log"
local loop = require "wingman.loop"

describe("failovers", function()
  -- Two nodes, indexes 0 and 1, with two partitions each; a backlog by word.
  local function on_nothing()
    local world = { routes = { [0] = 0, 0, 1, 1 }, home = {}, last = 7, backlog = true, completed = {} }
    local failovers = failover.new {
      core = {
        routes = function() return { world.routes[0], unpack(world.routes) } end,
        partitions_at = function(_, node_index)
          local list = {}
          for partition = 0, 3 do
            if world.home[partition] == node_index then list[#list + 1] = partition end
          end
          return list
        end,
        partition_count = function() return 4 end,
        pending = function() return 0, 0, 0, world.last end,
        has_backlog = function(_, partitions, seq)
          world.asked_for = { #partitions, seq }
          return world.backlog
        end,
      },
      completed = function(record) world.completed[#world.completed + 1] = record end,
    }
    function world.serve(...)
      local serving = {}
      for _, node_index in ipairs { ... } do serving[node_index] = true end
      local moves = {}
      for partition = 0, 3 do
        local from, to = world.home[partition], world.routes[partition]
        if from and from ~= to then for _, n in ipairs { partition, from, to } do moves[#moves + 1] = n end end
        world.home[partition] = to
      end
      failovers:routes_changed(serving, moves)
    end
    function world.look()
      loop.sleep(0.002) -- two looks are a millisecond apart
      failovers:look()
    end
    world.serve(0, 1)
    return failovers, world
  end

  local node = { id = "node-2", url = "ws://two", index = 1 }
  local function record_of(failovers) return failovers:list()[1] end

  it("count a route only when every partition has a node that serves", function()
    local failovers, world = on_nothing()
    failovers:lost(node, "lost", "reset")
    world.serve(0)
    assert.same({ "node-2", "ws://two", "lost", "reset", 2 }, { record_of(failovers).node, record_of(failovers).url,
      record_of(failovers).reason, record_of(failovers).detail, record_of(failovers).partitions })
    assert.is_nil(record_of(failovers).rerouted, "the routes are still those of the dead node")
    world.routes[2] = 0
    world.serve(0)
    assert.is_nil(record_of(failovers).rerouted, "one partition has no route")
    world.routes[3] = 0
    world.serve(0)
    assert.is_number(record_of(failovers).rerouted)
    world.look()
    assert.is_nil(record_of(failovers).drained)
    assert.same({ 2, 7 }, world.asked_for)
    world.backlog = false
    world.look()
    assert.is_number(record_of(failovers).drained)
    assert.same({ record_of(failovers) }, world.completed)
  end)

  it("know the map that gave the routes, or else the first one after them", function()
    local failovers, world = on_nothing()
    failovers:lost(node, "lost")
    failovers:map_received() -- one that helps nothing
    local first = record_of(failovers).map_received
    loop.sleep(0.005)
    failovers:map_received()
    local second = record_of(failovers).map_received
    assert.is_true(second > first)
    world.routes = { [0] = 0, 0, 0, 0 }
    world.serve(0)
    loop.sleep(0.005)
    failovers:map_received()
    assert.equal(second, record_of(failovers).map_received)

    failovers, world = on_nothing()
    failovers:lost(node, "lost")
    world.routes = { [0] = 0, 0, 0, 0 }
    world.serve(0) -- by a policy that needs no map
    assert.is_nil(record_of(failovers).map_received)
    failovers:map_received()
    assert.is_number(record_of(failovers).map_received)
  end)

  it("take the first request and the first acknowledgement of the node's partitions", function()
    local failovers = on_nothing()
    failovers:map_asked()
    failovers:lost(node, "lost")
    assert.is_nil(record_of(failovers).map_asked, "asked before")
    failovers:map_asked()
    local asked = record_of(failovers).map_asked
    loop.sleep(0.005)
    failovers:map_asked()
    assert.equal(asked, record_of(failovers).map_asked)
    failovers:acked(0)
    assert.is_nil(record_of(failovers).first_ack, "another node's partition")
    failovers:acked(3)
    local acked = record_of(failovers).first_ack
    loop.sleep(0.005)
    failovers:acked(2)
    assert.equal(acked, record_of(failovers).first_ack)
  end)

  it("begin with the map that took the partitions away, when it comes before the end of the connection", function()
    local failovers, world = on_nothing()
    world.routes = { [0] = 0, 0, 0, 0 }
    local before = loop.now()
    world.serve(0, 1) -- a map without node-2, whose connection still stands
    local after = loop.now()
    loop.sleep(0.005)
    failovers:acked(2)
    loop.sleep(0.005)
    failovers:lost(node, "lost")
    world.serve(0)
    local record = record_of(failovers)
    assert.is_true(record.detected_at >= before and record.detected_at <= after)
    assert.same({ 2, 0 }, { record.partitions, record.map_received })
    assert.is_true(record.first_ack >= 0.004 and record.first_ack < record.rerouted, record.first_ack)
    world.backlog = false
    world.look()
    assert.same({ 2, 7 }, world.asked_for)

    failovers, world = on_nothing()
    world.routes[3] = 0
    world.serve(0, 1)
    world.routes[3] = 1 -- it comes back
    world.serve(0, 1)
    world.routes = { [0] = 0, 0, 0, 1 }
    world.serve(0, 1)
    failovers:lost(node, "lost")
    assert.equal(1, record_of(failovers).partitions, "one is left, and one was taken before")
    assert.is_nil(record_of(failovers).map_received)
  end)

  it("have a first acknowledgement when no write waited, if there is one soon", function()
    local failovers, world = on_nothing()
    failovers:lost(node, "lost")
    world.routes, world.backlog = { [0] = 0, 0, 0, 0 }, false
    world.serve(0)
    world.look()
    assert.is_nil(world.completed[1].first_ack)
    failovers:acked(1)
    assert.is_nil(record_of(failovers).first_ack)
    failovers:acked(2)
    assert.is_true(record_of(failovers).first_ack > record_of(failovers).drained)
  end)

  it("are reported once each, and not for a node that served nothing", function()
    local failovers, world = on_nothing()
    failovers:lost(node, "circuit")
    failovers:lost(node, "lost")
    world.serve(0)
    failovers:lost(node, "lost")
    assert.equal(1, #failovers:list())
    failovers:lost({ id = "node-9", url = "ws://nine", index = 8 }, "refused")
    assert.equal(1, #failovers:list())
    world.serve(0, 1)
    failovers:lost(node, "lost")
    assert.equal(2, #failovers:list())
    assert.equal(2, failovers:list()[2].partitions)
  end)

  it("are the last hundred, and nobody can change them", function()
    local failovers, world = on_nothing()
    for i = 1, 103 do
      world.serve(0, 1)
      failovers:lost(node, "loss " .. i)
      world.serve(0)
    end
    local list = failovers:list()
    assert.equal(100, #list)
    assert.equal("loss 4", list[1].reason)
    assert.equal("loss 103", list[100].reason)
    list[1].reason = "changed"
    assert.equal("loss 4", record_of(failovers).reason)
  end)
end)

-- A client that keeps writing to the partitions of one node.
local function writing(shared, client, id)
  local writer = { keys = clusters.keys_of(client, id, 40), map = client:map(shared:map_name()), count = 0 }
  function writer.stop()
    writer.stopped = true
    writer.task:wait()
  end
  writer.task = loop.spawn(function()
    while not writer.stopped and not client.closed do
      for _, key in ipairs(writer.keys) do assert(writer.map:set(key, { n = writer.count })) end
      writer.count = writer.count + 1
      loop.sleep(0.002)
    end
  end)
  return writer
end

local function owned(client, id)
  local count = 0
  for _, owner in ipairs(client:partition_map().owners) do count = count + (owner == id and 1 or 0) end
  return count
end

local function in_order(record, ...)
  local previous = 0
  for _, name in ipairs { ... } do
    assert.is_number(record[name], name)
    assert.is_true(record[name] >= previous, ("%s at %s, before %s"):format(name, record[name], previous))
    previous = record[name]
  end
end

clusters.on_each(getfenv(), "failovers", function(shared, it)
  it("of a killed owner are recorded from the loss to the last held write", function()
    local client = shared:started { reconnect = function() return 0.1 end }
    assert.same({}, client:failovers())
    local partitions, reported = owned(client, "node-3"), nil
    client:on("failover", function(record) reported = record end)
    local writer = writing(shared, client, "node-3")
    eventually("100 writes are acknowledged", function() return client:stats().ops_acked > 100, client:stats().ops_acked end)
    -- A write that has to wait: real nodes can take over before the next one comes.
    client:on("node_lost", function() assert(writer.map:set(writer.keys[1], "held")) end)
    local killed = loop.now()
    assert(shared.cluster:kill "node-3")
    eventually("the failover is over", function() return reported end)
    local over = loop.now()
    writer.stop()
    local list = client:failovers()
    assert.equal(1, #list)
    assert.same(list[1], reported)
    assert.equal("node-3", reported.node)
    assert.is_true(reported.detected_at >= killed and reported.detected_at + reported.drained <= over)
    in_order(reported, "map_asked", "drained")
    assert.equal(partitions, reported.partitions)
    in_order(reported, "map_received", "rerouted", "drained")
    in_order(reported, "first_ack", "drained")
    assert(client:drain(60))
    shared:restart("node-3", client)
  end)

  it("have no first acknowledgement when nothing was written", function()
    local client, reported = shared:started(), nil
    client:on("failover", function(record) reported = record end)
    assert(shared.cluster:stop_node "node-2")
    eventually("the failover is over", function() return reported end)
    in_order(reported, "rerouted", "drained")
    assert.is_nil(reported.first_ack)
    shared:restart("node-2", client)
  end)

  it("of a single server end with its return", function()
    local client, reported = shared:started { server = shared.cluster.urls[1], reconnect = function() return 0.05 end }, nil
    client:on("failover", function(record) reported = record end)
    local map = client:map(shared:map_name())
    assert(map:set("before", 1))
    assert(client:drain(60))
    assert(shared.cluster:kill "node-1")
    eventually("no node is connected", function() return #client:connected_nodes() == 0, client:connected_nodes() end)
    assert(map:set("meanwhile", 1))
    loop.sleep(0.1)
    assert.is_nil(client:failovers()[1].rerouted)
    assert(shared.cluster:restart "node-1")
    eventually("the failover is over", function() return reported end)
    assert.equal(shared.cluster.urls[1], reported.url)
    assert.is_nil(reported.map_asked)
    in_order(reported, "rerouted", "first_ack", "drained")
    assert.is_true(reported.rerouted > 0.1)
    assert.equal(0, client:pending_ops())
  end)
end)

clusters.on_each(getfenv(), "failovers, with orders", function(shared, it)
  it("of a node whose circuit opened are recorded once", function()
    local client = shared:started {
      unanswered = 0.3, batch = { ack_timeout = 30 }, heartbeat = { interval = 0.1, timeout = 5 },
      map_requests = { refresh = 0.3 }, reconnect = function() return 0.05 end,
    }
    local id = client:connected_nodes()[2]
    local function records()
      local list = {}
      for _, record in ipairs(client:failovers()) do
        if record.node == id then list[#list + 1] = record end
      end
      return list
    end
    local writer, lost = writing(shared, client, id), nil
    client:on("node_lost", function(node) lost = lost or (node.id == id and node.reason) end)
    assert(shared.cluster:pause(id))
    eventually("the loss is recorded", function() return records()[1] end)
    assert.equal("circuit", records()[1].reason)
    eventually("the heartbeat ends the connection", function() return lost == "heartbeat", lost end)
    assert.equal(1, #records())
    assert(shared.cluster:resume(id))
    eventually("the failover is over", function() return records()[1].drained end)
    writer.stop()
    assert(client:drain(60))
  end)

  it("tell a map that was asked for from one that was pushed", function()
    local client = shared:started { map_requests = { debounce = 0.05, refresh = 60 } }
    local reported
    client:on("failover", function(record) reported = record end)
    assert(shared.cluster:fault("all", "map-unpushed", true))
    local writer = writing(shared, client, "node-1")
    assert(shared.cluster:kill "node-1")
    eventually("the failover is over", function() return reported end)
    writer.stop()
    in_order(reported, "map_asked", "map_received", "rerouted", "drained")
    assert.is_true(reported.map_received > reported.map_asked)
    assert(client:drain(60))
    assert(shared.cluster:fault("all", "none"))
    shared:restart("node-1", client)
  end)
end, { "sim://3", "sim://3?dialect=0.11" })
