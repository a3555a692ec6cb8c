--- Acknowledgements that come late, twice, out of order, for nobody or from the wrong
--- node, and those that do not come. WINGMAN_SEED=N replays a seed.
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local core_events = require "wingman.client.incoming.core_events"
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"

local SEEDS = 5

local function hex(text) return (text:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end)) end

clusters.on_each(getfenv(), "acknowledgements", function(shared, it)
  local function inject_ack(id, last_id)
    local bytes = core.encode { type = "OP_ACK", payload = { lastId = last_id, achievedLevel = "APPLIED" } }
    assert(shared.cluster:command(("send %s binary %s"):format(id, hex(bytes))))
  end

  local function received(id) return assert(shared.cluster:received(id)).ids end

  -- A batch of five operations that node-1 has and does not acknowledge.
  local function held_back(options)
    local client, ids = shared:started(options), nil
    client.unmatched = client:stats().unmatched_acks -- finding the hash has some
    assert(shared.cluster:reset_stats())
    assert(shared.cluster:fault("node-1", "ack-drop", 1))
    local map = client:map(shared:map_name())
    for _, key in ipairs(clusters.keys_of(client, "node-1", 5)) do assert(map:set(key, 1)) end
    eventually("node-1 has received five operations", function()
      ids = received "node-1"
      return #ids == 5, ids
    end)
    return client, ids, map
  end

  -- Waits until so many injected acknowledgements have settled nothing.
  local function wait_unmatched(client, count)
    eventually(count .. " acknowledgements have settled nothing", function()
      local unmatched = client:stats().unmatched_acks - client.unmatched
      return unmatched == count, unmatched
    end)
  end

  it("of any operation but the last of a batch settle nothing", function()
    local client, ids = held_back { batch = { ack_timeout = 30 } }
    for i = 1, 4 do inject_ack("node-1", ids[i]) end
    inject_ack("node-1", "unknown")
    inject_ack("node-1", ids[5] .. "x")
    inject_ack("node-1", "")
    wait_unmatched(client, 7)
    assert.equal(5, client:pending_ops())
    inject_ack("node-1", ids[5])
    assert(client:drain(60))
    assert.same({ 5, 1 }, { client:stats().ops_acked, client:stats().batches_acked })
  end)

  it("from another node settle nothing", function()
    local client, ids = held_back { batch = { ack_timeout = 30 } }
    inject_ack("node-2", ids[5])
    inject_ack("node-3", ids[5])
    wait_unmatched(client, 2)
    assert.equal(5, client:pending_ops())
    inject_ack("node-1", ids[5])
    assert(client:drain(60))
  end)

  it("that come again settle nothing more", function()
    local client, ids, map = held_back { batch = { ack_timeout = 30 } }
    for _ = 1, 4 do inject_ack("node-1", ids[5]) end
    wait_unmatched(client, 3)
    assert.equal(5, client:stats().ops_acked)
    assert(shared.cluster:fault("node-1", "ack-drop", 1))
    assert(map:set(clusters.keys_of(client, "node-1", 1)[1], 2))
    inject_ack("node-1", ids[5])
    wait_unmatched(client, 4)
    assert.equal(1, client:pending_ops())
    eventually("node-1 has received 6 operations", function() return #received "node-1" == 6, #received "node-1" end)
    inject_ack("node-1", received("node-1")[6])
    assert(client:drain(60))
  end)

  it("of an attempt that was given up do not settle the next one", function()
    local client, ids = held_back { batch = { ack_timeout = 0.2 }, reconnect = function() return 0.02 end, circuit = "never" }
    assert(shared.cluster:fault("node-1", "ack-drop", 1)) -- nor of the second attempt
    eventually("what was not answered is sent again", function() return #received "node-1" >= 10, #received "node-1" end)
    local again = received "node-1"
    for i = 1, 5 do assert.not_equal(ids[5], again[5 + i]) end
    inject_ack("node-1", ids[5])
    wait_unmatched(client, 1)
    assert(client:drain(60))
    assert.equal(5, client:stats().ops_acked)
    assert.is_true(client:stats().ops_resent >= 5)
  end)

  after_each(function() assert(shared.cluster:fault("all", "none")) end)

  it("that do not come are waited for while nothing that was sent later is acknowledged, and then sent again", function()
    local client = shared:started { batch = { ack_timeout = 0.1 }, reconnect = function() return 0.001 end, circuit = "never" }
    local key, waits = clusters.keys_of(client, "node-1", 1)[1], 0
    client:on("ack_timeout", function(event) if not event.again then waits = waits + 1 end end)
    assert(shared.cluster:reset_stats())
    assert(shared.cluster:fault("node-1", "ack-drop", 1000))
    assert(client:map(shared:map_name()):set(key, 1))
    eventually("the acknowledgement is waited for six times", function() return waits >= 6, waits end)
    local function times_sent()
      local count = 0
      for _, arrived in ipairs(assert(shared.cluster:received "node-1").keys) do count = count + (arrived == key and 1 or 0) end
      return count
    end
    assert.equal(1, times_sent())
    assert.equal(1, client:pending_ops())
    assert(shared.cluster:fault("node-1", "none"))
    assert(client:drain(60))
    assert.equal(2, times_sent())
  end)

  -- How often each operation was settled, by the core's own word.
  local function count_settlements()
    local counts, saved = {}, {}
    for _, name in ipairs { "op_done", "op_rejected", "op_dropped" } do
      saved[name] = core_events[name]
      core_events[name] = function(client, connection_id, seq, ...)
        counts[seq] = (counts[seq] or 0) + 1
        return saved[name](client, connection_id, seq, ...)
      end
    end
    return counts, function()
      for name, handler in pairs(saved) do core_events[name] = handler end
    end
  end

  local disturbances = {
    function(id) assert(shared.cluster:fault(id, "ack-drop", math.random(3))) end,
    function(id) assert(shared.cluster:fault(id, "ack-duplicate", math.random(5))) end,
    function(id) assert(shared.cluster:fault(id, "ack-delay", math.random(0, 60))) end,
    function(id) assert(shared.cluster:fault(id, "reorder", math.random(2) == 1)) end,
    function(id) assert(shared.cluster:fault(id, "close", 1012)) end,
    function(id) assert(shared.cluster:fault(id, "error", ({ "429", "500", "NOT_OWNER", "STALE_MAP" })[math.random(4)], 1)) end,
    function(id) -- of any node's operations, except where it would be the very answer
      local other = "node-" .. math.random(3)
      local ids = received(other)
      if other ~= id and #ids > 0 then inject_ack(id, ids[math.random(#ids)]) end
    end,
    function(id) inject_ack(id, "nobody's") end,
  }

  local function run(seed)
    math.randomseed(seed)
    local client = shared:started {
      batch = { ack_timeout = 0.25, ops = math.random(2) == 1 and math.random(20) or nil, in_flight = math.random(1, 8) },
      reconnect = function() return 0.01 end, circuit = "never", connections_per_node = math.random(2),
      map_requests = { debounce = 0.05, refresh = 0.3 },
    }
    local map, last, futures, seqs = client:map(shared:map_name()), {}, {}, {}
    local counts, restore = count_settlements()
    for _ = 1, 60 do
      for _ = 1, math.random(30) do
        local key = "key-" .. math.random(80)
        last[key] = math.random(1e9)
        local seq = assert(map:set(key, last[key]))
        seqs[#seqs + 1] = seq
        futures[#futures + 1] = loop.spawn(function() return client:wait(seq) end)
      end
      if math.random() < 0.6 then disturbances[math.random(#disturbances)]("node-" .. math.random(3)) end
      loop.sleep(0.005 * math.random())
    end
    assert(shared.cluster:fault("all", "none"))
    assert(client:drain(30))
    for i, future in ipairs(futures) do assert.is_true(future:wait(60), "write " .. i) end
    restore()
    for _, seq in ipairs(seqs) do assert.equal(1, counts[seq], "operation " .. seq) end
    local stats = client:stats()
    assert.equal(#seqs, stats.ops_acked)
    assert.equal(0, stats.ops_rejected + stats.ops_dropped)
    local owners = client:partition_map().owners
    local holdings = {}
    for i = 1, 3 do holdings["node-" .. i] = assert(client:holdings("node-" .. i, map.name)) end
    for key, value in pairs(last) do
      assert.equal(value, holdings[owners[client:partition_of(key) + 1]][key].value, key)
    end
  end

  local first = tonumber(os.getenv "WINGMAN_SEED") or os.time() % 1000000
  for seed = first, os.getenv "WINGMAN_SEED" and first or first + SEEDS - 1 do
    it("settle each write once, whatever becomes of them, seed " .. seed, function()
      run(seed)
    end)
  end
end, { "sim://3", "sim://3?dialect=0.11" })
