--- A large message is decoded over several steps of the host, in order with all others.
local core = require "wingman.core"
local loop = require "wingman.loop"
local sim = require "wingman.sim"
local sim_support = require "spec.sim.support"
local wingman = require "wingman"

local PATIENCE = 20
local ROWS = 10000

describe("a large message", function()
  local cluster, client, heard, log

  setup(function() cluster = assert(sim.start { nodes = 1 }) end)
  teardown(function() cluster:stop() end)

  before_each(function()
    heard, log = {}, {}
    client = wingman.client {
      cluster = { seeds = cluster.urls }, auth = { token = cluster.token },
      log_to = function(level, event, fields)
        if level == "warn" then log[#log + 1] = { event, fields.reason } end
      end,
    }
    assert(client:start())
    client:on("message", function(message) heard[#heard + 1] = message end)
    client:map("large"):on("change", function(key, value) heard[#heard + 1] = { key, value } end)
    assert(client:map("large"):set("first", 1)) -- the answer of the subscription is through
    assert(client:drain(PATIENCE))
  end)
  after_each(function() client:close() end)

  local function rows()
    local list = {}
    for i = 1, ROWS do list[i] = { n = i, text = "row " .. i, list = { i, { x = i } } } end
    return list
  end

  -- The client hands out nothing meanwhile: waiting for the cluster's answer turns the loop, on a
  -- slow machine for long enough that the message is there before the steps that are counted.
  local function send(bytes)
    client.drain_events = function() end
    assert(cluster:command("send node-1 binary " .. sim_support.hex(bytes)))
    client.drain_events = nil
  end
  local function change(value)
    return core.encode { type = "SERVER_EVENT", payload = { mapName = "large", key = "k", eventType = "PUT",
      record = { value = value, timestamp = { millis = 2 ^ 41, counter = 0, nodeId = "other" } } } }
  end

  -- Steps without a budget until so many messages were heard.
  local function steps_until(count)
    local steps, limit = 0, loop.now() + PATIENCE
    while #heard < count do
      assert(loop.now() < limit, ("%d of %d were heard"):format(#heard, count))
      loop.step(0)
      steps = steps + 1
    end
    return steps
  end

  it("is decoded a part a step, and what came behind it waits", function()
    send(core.encode { type = "LARGE", payload = { rows = rows() } })
    send(core.encode { type = "SMALL" })
    local steps = steps_until(2)
    -- 10 items a row, 500 at once, at two places of a step
    assert.is_true(steps >= ROWS * 10 / 500 / 2, steps .. " steps")
    assert.same({ "LARGE", "SMALL" }, { heard[1].type, heard[2].type })
    assert.same(rows(), heard[1].payload.rows)
  end)

  it("that is a change is merged once its value is whole", function()
    send(change(rows()))
    local steps = steps_until(1)
    assert.is_true(steps >= ROWS * 10 / 500 / 2, steps .. " steps")
    assert.same({ "k", rows() }, heard[1])
    assert.same(rows(), client:map("large"):get "k")
  end)

  it("that Lua cannot have is refused at its end, in a change too", function()
    local list = rows()
    list[ROWS] = "EXT"
    local function with_extension(bytes) return (bytes:gsub("\163EXT", "\199\1\5\1")) end
    send(with_extension(core.encode { type = "LARGE", payload = { rows = list } }))
    send(with_extension(change(list)))
    send(core.encode { type = "SMALL" })
    steps_until(1)
    assert.equal("SMALL", heard[1].type)
    assert.same({ { "message_not_read", "unknown MessagePack extension type 5" } }, log)
  end)

  it("that is half decoded goes with its client", function()
    send(core.encode { type = "LARGE", payload = { rows = rows() } })
    local core_client, was_begun = client.core, false
    local next_event = core_client.next_event
    local limit = loop.now() + PATIENCE
    while not was_begun do
      assert(loop.now() < limit, "nothing came")
      loop.handle():turn_until(0)
      was_begun = next_event(core_client, 10) == "decoding"
    end
    collectgarbage()
    assert.equal("decoding", (next_event(core_client, 10)))
    client:close()
    collectgarbage()
    assert.equal(0, #heard)
  end)

  it("is decoded whole where nobody has a budget", function()
    send(core.encode { type = "LARGE", payload = { rows = rows() } })
    assert(loop.wait_until(function() return heard[1] end, PATIENCE))
    assert.same(rows(), heard[1].payload.rows)
  end)
end)
