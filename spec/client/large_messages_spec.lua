--- A large message is decoded over several steps of the host, in order with all others.
local core = require "wingman.core"
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"
local sim = require "wingman.sim"
local sim_support = require "spec.core.sim.support"
local wingman = require "wingman"

local PATIENCE = 60
local ROWS = 10000

describe("a large message", function()
  local cluster, client, heard, log

  setup(function() cluster = assert(sim.start { nodes = 1 }) end)
  teardown(function() cluster:stop() end)

  before_each(function()
    heard, log = {}, {}
    client = wingman.client {
      cluster = { seeds = cluster.urls }, auth = { token = cluster.token },
      log_to = function() end,
    }
    -- Each line, also those that are held back because they come again within a second.
    client.log_seldom = function(level, event, fields)
      if level == "warn" then log[#log + 1] = { event, fields.reason } end
    end
    assert(client:start())
    client:on("message", function(message) heard[#heard + 1] = message end)
    client.listeners.open = function() end -- a listening connection would bring what the node sends once more
    client:map("large"):on("change", function(key, value) heard[#heard + 1] = { key, value } end, { replicate = false })
    assert(client:map("large"):set("first", 1)) -- what came at the start is through
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
  local function char_be(n)
    return string.char(math.floor(n / 2 ^ 24), math.floor(n / 65536) % 256, math.floor(n / 256) % 256, n % 256)
  end
  local function change(value)
    return core.encode { type = "SERVER_EVENT", payload = { mapName = "large", key = "k", eventType = "PUT",
      record = { value = value, timestamp = { millis = 2 ^ 41, counter = 0, nodeId = "other" } } } }
  end

  local function change_of(bytes) return (change("VALUE"):gsub("\165VALUE", function() return bytes end)) end

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
    local line = { "message_not_read", "unknown MessagePack extension type 5" }
    assert.same({ line, line }, log)
  end)

  -- The table of each is made in one go: 1 ms at most.
  it("has tables of 131,072 keys and values at most, unless an option says more", function()
    local function list(count) return "\221" .. char_be(count) .. ("\1"):rep(count) end
    local function map(count)
      local parts = { "\223", char_be(count) }
      for i = 1, count do parts[i + 2] = "\206" .. char_be(i) .. "\1" end
      return table.concat(parts)
    end
    local function large(value) return "\130\164type\165LARGE\167payload\129\161v" .. value end
    send(large(list(131073)))
    send(large(map(65537)))
    send(change_of(list(131073)))
    send(large(list(131072)))
    send(large(map(65536)))
    steps_until(2)
    assert.same({ 131072, 65536 }, { #heard[1].payload.v, #heard[2].payload.v })
    assert.equal(3, client:stats().messages_too_large)
    assert.same({ { "message_too_large" }, { "message_too_large" }, { "message_too_large" } }, log)
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
    eventually("a message is heard of", function() return heard[1] end)
    assert.same(rows(), heard[1].payload.rows)
  end)
end)
