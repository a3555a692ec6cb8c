--- What a tick leaves for the collector of its host: bounded, and nothing grows with the
--- number of ticks or with what is held.
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local loop = require "wingman.loop"
local sim_support = require "spec.core.sim.support"
local steps = require "spec.support.steps"

local TICKS, WRITES, CHANGES = 1000, 20, 2000

clusters.on_each(getfenv(1), "garbage", function(shared, it)
  local client

  before_each(function()
    client = shared:started()
    assert.is_true((select(2, steps.run(function() return loop.step(1000) end, 1000, 60))))
  end)

  -- Bytes per call of fn, with the collector stopped.
  local function garbage(count, fn)
    for i = 1, 200 do fn(i) end -- LuaJIT compiles, tables grow
    collectgarbage()
    collectgarbage "stop"
    local before = collectgarbage "count"
    for i = 1, count do fn(i) end
    local kilobytes = collectgarbage "count" - before
    collectgarbage "restart"
    return kilobytes * 1024 / count
  end

  it("an idle tick makes next to none", function()
    local bytes = garbage(TICKS, function() client:step(100) end)
    assert.is_true(bytes <= 64, ("%.0f bytes a tick"):format(bytes))
  end)

  it("a tick of 20 writes, acknowledged by callbacks, makes at most 100 bytes a write", function()
    local map, acknowledged, written = client:map(shared:map_name()), 0, 0
    local function on_ack(ok) acknowledged = acknowledged + (ok and 1 or 0) end
    local options = { on_ack = on_ack }
    local value = { x = 0, y = 2, z = 3 } -- the host's own garbage is not ours
    local keys = {}
    for i = 1, 1000 do keys[i] = "key-" .. i end
    local bytes = garbage(TICKS, function(i)
      for k = 1, WRITES do
        value.x = i
        assert(map:set(keys[(i * WRITES + k) % 1000 + 1], value, options))
        written = written + 1
      end
      -- What waits for its acknowledgement has a place in a table, which grows with the backlog.
      repeat client:step(2000) until written - acknowledged <= 500
    end)
    assert.is_true(bytes <= WRITES * 100, ("%.0f bytes a tick"):format(bytes))
    assert(client:drain(60))
    loop.step(1000)
    assert.equal(written, acknowledged)
  end)

  it("a change of another client makes at most 250 bytes: its key and its value", function()
    local name, heard = shared:map_name(), 0
    client:map(name):on("change", function() heard = heard + 1 end, { replicate = false })
    local events = {}
    for i = 1, CHANGES do
      events[i] = { mapName = name, key = "key-" .. i, eventType = "PUT",
        record = { value = { n = i }, timestamp = { millis = 1000, counter = i, nodeId = "spec" } } }
    end
    local frame = core.encode { type = "SERVER_BATCH_EVENT", payload = { events = events } }
    loop.spawn(function()
      shared.cluster:command(("send %s binary %s"):format(shared.cluster.nodes[1].id, sim_support.hex(frame)))
    end)
    while heard < 500 do loop.step(100) end -- the order's answer, if it is later, is some bytes of one change
    collectgarbage()
    collectgarbage "stop"
    local before, first = collectgarbage "count", heard
    while heard < CHANGES do loop.step(100) end
    local bytes = (collectgarbage "count" - before) * 1024 / (heard - first)
    collectgarbage "restart"
    assert.is_true(bytes <= 250, ("%.0f bytes a change"):format(bytes))
  end)
end, { "sim://3" })
