--- Hosts whose ticks are too small for what other clients write: nothing dies of it, nothing is missed in the end, and
--- how far behind it is, is said.
local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"
local ffi = require "ffi"
local loop = require "wingman.loop"
local process = require "wingman.loop.process"
local starving = require "wingman.client.health.starving"
local steps = require "spec.support.steps"

ffi.cdef "int usleep(unsigned int us);"

local HZ = 20
local PATIENCE = 120

clusters.on_each(getfenv(1), "a host with small ticks", function(shared, it)
  local patience = starving.PATIENCE
  after_each(function() starving.PATIENCE = patience end)

  -- A client that dies of 0.3 s without an acknowledgement, and of 1 s without a message; a map that it watches; the
  -- other clients' writes begin.
  local function begin(players, rounds)
    local client = shared:started { batch = { ack_timeout = 0.3 }, heartbeat = { interval = 0.2, timeout = 1 } }
    eventually("every node is connected", function() return #client:connected_nodes() == #shared.cluster.nodes end)
    local host = { client = client, map = client:map(shared:map_name()), own = client:map(shared:map_name()), told = {}, calls = 0, faults = {} }
    for _, event in ipairs { "ack_timeout", "node_lost" } do
      client:on(event, function() host.faults[#host.faults + 1] = event end)
    end
    assert(host.map:synced(PATIENCE))
    host.copy = host.map:replicate()
    host.copy:on("state", function(to) host.faults[#host.faults + 1] = "copy is " .. to end)
    host.map:watch(nil, function(key, value) host.told[key], host.calls = value.n, host.calls + 1 end)
    host.child = assert(process.spawn { file = process.wingman_path(), stderr = true,
      args = { "run", "spec/support/players_writer.lua", table.concat(shared.cluster.urls, ","), shared.cluster.token, host.map.name, tostring(players), tostring(rounds) } })
    assert.equal("ready", host.child:read_line(PATIENCE))
    return host
  end

  -- One tick: the host writes, steps, and does what else it does.
  local function tick(host, budget)
    assert(host.own:set("host", (host.ticks or 0)))
    host.ticks = (host.ticks or 0) + 1
    host.client:step(budget)
  end

  local function ticks(host, budget, count, after)
    for _ = 1, count do
      tick(host, budget)
      if after then after() end
      ffi.C.usleep(1e6 / HZ)
    end
  end

  -- The host has time again, and goes on until it has told every player's last move.
  local function catch_up(host, budget, players, rounds)
    local deadline = loop.now() + PATIENCE
    local function behind()
      for i = 1, players do
        if host.told["p" .. i] ~= rounds then return ("p%d is at %s of %d"):format(i, tostring(host.told["p" .. i]), rounds) end
      end
    end
    while behind() do
      if loop.now() > deadline then error(("not caught up: %s; unread %d, behind %d"):format(behind(), host.copy:status().unread, host.copy:status().behind)) end
      host.client:step(budget)
    end
    assert.equal("done", host.child:read_line(PATIENCE))
    host.child:close()
  end

  it("and 50 players at 20 Hz keeps its connections, has its writes acknowledged, and misses nothing", function()
    local host = begin(50, 40)
    local acked = host.client:stats().ops_acked
    ticks(host, 200, 40)
    assert.is_true(host.client:stats().ops_acked > acked, "nothing of the host was acknowledged within 40 ticks")
    catch_up(host, 200, 50, 40)
    assert(host.client:drain(PATIENCE))
    assert.same({}, host.faults)
    for _, node in ipairs(host.client:health().nodes) do assert.equal(1, node.connects) end
  end)

  it("that never suffice says how far behind it is, warns once, and tells final values", function()
    if shared.is_0_11 then return end -- its nodes tell hints, and the copy reads what differs
    starving.PATIENCE = 0.5
    local host = begin(400, 30)
    local acked, most = host.client:stats().ops_acked, { unread = 0, behind = 0 }
    host.map:watch(nil, function() if host.is_slow then steps.idle(0.005) end end, { initial = false })
    host.is_slow = true
    local calls = host.calls
    ticks(host, 1, 30, function()
      -- What is read after a value is told makes the next one newer: only what was left is told before.
      assert.is_true(host.calls <= calls + 1, ("%d slow calls in a step"):format(host.calls - calls))
      calls = host.calls
      local status = host.copy:status()
      for name in pairs(most) do most[name] = math.max(most[name], status[name]) end
    end)
    host.is_slow = false
    assert.is_true(most.unread > 1000 and most.behind > 0, ("%d bytes unread, %d keys behind"):format(most.unread, most.behind))
    assert.is_true(host.client:stats().ops_acked > acked, "nothing of the host was acknowledged within 30 ticks")
    local warnings = shared:logged "starving"
    assert.equal(1, #warnings)
    assert.matches("each step of the last %d+ s left something: %d+ bytes were received and not read, and %d+ keys of replicas have changes", warnings[1].message)
    local found = host.client:health().warnings
    assert.equal("STARVING", found[#found].code)
    starving.PATIENCE = patience
    catch_up(host, 1000, 400, 30)
    assert.is_true(host.calls < host.copy:status().events, ("%d calls for %d events"):format(host.calls, host.copy:status().events))
    assert(host.client:drain(PATIENCE))
    assert.same({}, host.faults)
    assert.equal(1, #shared:logged "starving")
    assert.same({}, host.client:health().warnings)
  end)
end, { "sim://3", "sim://3?dialect=0.11" })
