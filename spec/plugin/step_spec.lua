--- Steps of a host that owns the loop: they keep to their budget, whatever arrives, and
--- carry the rest over.
local build = require "spec.support.build"
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local loop = require "wingman.loop"
local process = require "wingman.process"
local sim_support = require "spec.sim.support"
local steps = require "spec.support.steps"
local wingman = require "wingman"

local BURST, ROUNDS = 10000, 20
local PATIENCE = 60

local function reached_by_steps(condition) return (select(2, steps.run(condition, 1000, PATIENCE))) end

local function timestamp(millis) return { millis = millis, counter = 0, nodeId = "spec" } end

local function change(map, i)
  return { mapName = map, key = "key-" .. i, eventType = "PUT", record = { value = { n = i }, timestamp = timestamp(1000 + i) } }
end

local function le32(n) return string.char(n % 256, math.floor(n / 256) % 256, math.floor(n / 65536) % 256, math.floor(n / 2 ^ 24)) end

-- A BATCH envelope of so many SERVER_EVENTs.
local function envelope(map, count)
  local parts = { le32(count) }
  for i = 1, count do
    local message = core.encode { type = "SERVER_EVENT", payload = change(map, i) }
    parts[#parts + 1] = le32(#message)
    parts[#parts + 1] = message
  end
  return core.encode { type = "BATCH", count = count, data = wingman.bin(table.concat(parts)) }
end

local function batch_event(map, count)
  local events = {}
  for i = 1, count do events[i] = change(map, i) end
  return core.encode { type = "SERVER_BATCH_EVENT", payload = { events = events } }
end

clusters.on_each(getfenv(1), "step", function(shared, it)
  local client, name, count, out_of_order

  -- A client that steps have to serve: nothing turns the loop but they.
  local function begin(map_name)
    name = map_name or shared:map_name()
    client = shared:started()
    count, out_of_order = 0, 0
    client:map(name):on("change", function(_, value)
      count = count + 1
      if value.n ~= count then out_of_order = out_of_order + 1 end
    end)
    assert.is_true(reached_by_steps(function() return loop.step(1000) end))
  end

  local function order_to_send(frame)
    return ("send %s binary %s"):format(shared.cluster.nodes[1].id, sim_support.hex(frame))
  end

  local function send(order)
    return loop.spawn(function() assert(shared.cluster:command(order)) end)
  end

  -- The steps of a burst that somebody begins, from its first event on.
  local function steps_of_burst(map_name, burst, budget, worked)
    begin(map_name)
    local sent = burst()
    assert.is_true(reached_by_steps(function() return count > 0 end))
    local times, reached = steps.run(function() return count >= BURST end, budget, PATIENCE)
    assert.is_true(reached, count .. " changes came")
    for _, us in ipairs(times) do worked[#worked + 1] = us end
    assert.equal(BURST, client:map(name):size())
    if sent then sent:wait(PATIENCE) end
    shared:close_clients()
  end

  -- Several bursts, so that there are enough steps for percentiles, after one in which
  -- LuaJIT compiles. The collector's atomic phase, which nobody can cut, grows with the
  -- heap of the host, and busted's is large: 1 ms for it. (scripts/bench/plugin.lua
  -- measures in a small host.) With the sanitizers times mean nothing, and one burst will do.
  local function check_times(map_name, burst, budget)
    local worked, at_99, at_99_9
    steps_of_burst(map_name, burst, budget, {})
    if build.is_sanitized then return end
    for _ = 1, 3 do -- a machine with other work steals time in a way that counts as ours
      worked = {}
      for _ = 1, ROUNDS do steps_of_burst(map_name, burst, budget, worked) end
      at_99, at_99_9 = steps.percentile(worked, 0.99), steps.percentile(worked, 0.999)
      if at_99 <= budget + 200 and at_99_9 <= budget + 1000 then break end
    end
    assert.is_true(#worked > 1000, "the bursts took " .. #worked .. " steps")
    assert.is_true(at_99 <= budget + 200, ("p99 of %d steps: %.0f us of %d"):format(#worked, at_99, budget))
    assert.is_true(at_99_9 <= budget + 1000, ("p99.9 of %d steps: %.0f us of %d"):format(#worked, at_99_9, budget))
  end

  if not shared.is_0_11 then -- there, subscriptions are kept elsewhere
    it("keeps to its budget while another client writes 10,000 keys, and loses none", function()
      check_times(nil, function()
        local child = assert(process.spawn { file = process.wingman_path(), args = {
          "run", "spec/support/burst_writer.lua", table.concat(shared.cluster.urls, ","), shared.cluster.token, name,
          tostring(BURST),
        } })
        steps.idle(0.2) -- it piles up
        return { wait = function()
          assert.equal(0, child:wait(PATIENCE))
          child:close()
        end }
      end, 100)
    end)
  end

  for _, form in ipairs { "BATCH", "SERVER_BATCH_EVENT" } do
    it("reads a " .. form .. " of 10,000 changes in pieces, in order", function()
      local make = form == "BATCH" and envelope or batch_event
      -- Made once: the collector would have its garbage to deal with in every round.
      local order = order_to_send(make(form, BURST))
      check_times(form, function() return send(order) end, 100)
      assert.equal(0, out_of_order)
    end)
  end

  it("says whether something is left", function()
    begin()
    send(order_to_send(envelope(name, 2000)))
    assert.is_true(reached_by_steps(function() return count > 0 end))
    assert.is_false(loop.step(10))
    assert.is_true(reached_by_steps(function() return loop.step(100) end))
    assert.equal(2000, count)
  end)

  it("hears a heartbeat that waits behind a burst: no connection is lost", function()
    local lost, order = 0, order_to_send(envelope(shared:map_name(), BURST))
    client = shared:started { heartbeat = { interval = 0.2, timeout = 1 } }
    client:on("node_lost", function() lost = lost + 1 end)
    count = 0
    client:map("m" .. shared.names):on("change", function() count = count + 1 end)
    send(order)
    local begun = steps.now()
    while steps.now() - begun < 3e6 do
      loop.step(0) -- one event at a time: far too little
      steps.idle(0.001)
    end
    assert.is_true(count > 0 and count < BURST, count .. " changes came")
    assert.equal(0, lost)
    assert.is_true(reached_by_steps(function() return count == BURST end))
  end)
end, { "sim://3", "sim://3?dialect=0.11" })
