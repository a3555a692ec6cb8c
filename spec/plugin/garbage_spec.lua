--- What a tick leaves for the collector of its host: bounded, and nothing grows with the
--- number of ticks or with what is held.
local clusters = require "spec.support.cluster"
local loop = require "wingman.loop"
local steps = require "spec.support.steps"

local TICKS, WRITES = 1000, 20

clusters.on_each(getfenv(1), "garbage", function(shared, it)
  local client

  before_each(function()
    client = shared:started()
    assert.is_true((select(2, steps.run(function() return loop.step(1000) end, 1000, 10))))
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
      client:step(2000)
    end)
    assert.is_true(bytes <= WRITES * 100, ("%.0f bytes a tick"):format(bytes))
    assert(client:drain(10))
    loop.step(1000)
    assert.equal(written, acknowledged)
  end)
end, { "sim://3" })
