--- Random faults while clients write: whatever happens, every write is acknowledged
--- in the end, each key has its last value, and the counts agree. A failure prints
--- its seed; WINGMAN_SEED=N replays it.
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"

local SCHEDULES = 4
local STEPS, STEP_SECONDS = 12, 0.06
local WRITERS, KEYS = 2, 60

-- Before another node may go the clients repair what died with this one: what two
-- nodes have lost one after the other nobody can know.
local function gone(order)
  return function(cluster, id, state)
    if state.gone or not cluster[order](cluster, id) then return nil end
    state.gone = true
    return function() assert(cluster:restart(id)) end
  end
end

-- What may happen to a node, and how it is undone.
local faults = {
  gone "kill",
  gone "stop_node",
  function(cluster, id) if cluster:pause(id) then return function() cluster:resume(id) end end end,
  function(cluster, id) cluster:fault(id, "ack-drop", 2) end,
  function(cluster, id) cluster:fault(id, "ack-duplicate", 3) end,
  function(cluster, id) cluster:fault(id, "close", 1012) end,
  function(cluster, id) cluster:fault(id, "error", "429", 2) end,
  function(cluster, id) cluster:fault(id, "error", "500", 1) end,
  function(cluster, id) cluster:fault(id, "garbage") end,
  function(cluster, id)
    cluster:fault(id, "ack-delay", math.random(1, 40))
    return function() cluster:fault(id, "ack-delay", 0) end
  end,
  function(cluster, id)
    cluster:fault(id, "reorder", true)
    return function() cluster:fault(id, "reorder", false) end
  end,
  function(cluster, id)
    cluster:fault(id, "map-withhold", true)
    return function() cluster:fault(id, "map-withhold", false) end
  end,
}

local function write_some(map, writer, expected)
  for _ = 1, math.random(1, 80) do
    local key = ("w%d-%d"):format(writer, math.random(KEYS))
    if math.random(8) == 1 then
      assert(map:remove(key))
      expected[key] = nil
    else
      local value = { n = math.random(1e9) }
      assert(map:set(key, value))
      expected[key] = value
    end
  end
end

local function owners_of(client)
  local owners = {}
  for i, owner in ipairs(client:partition_map().owners) do owners[i] = tostring(owner) end
  return table.concat(owners, " ")
end

local function run(shared, seed)
  math.randomseed(seed)
  local cluster, name = shared.cluster, "lost" .. seed
  local function options()
    return {
      reconnect = function() return 0.03 end, heartbeat = { interval = 0.05, timeout = 0.25 },
      batch = { ack_timeout = 0.3, ops = math.random(3) == 1 and 7 or nil }, connections_per_node = math.random(2),
      map_requests = { debounce = 0.05, refresh = 0.3, answer_timeout = 0.2 }, circuit = { reset = 0.3 },
    }
  end
  local clients, expected, undo = {}, {}, {}
  local state = {}
  -- All nodes there, everything acknowledged, and what was forgotten sent again.
  function state:repair()
    for id, undo_one in pairs(undo) do
      undo_one()
      undo[id] = nil
    end
    state.gone = false
    assert(cluster:fault("all", "none"))
    for _, client in ipairs(clients) do
      eventually("3 nodes are connected", function() return #client:connected_nodes() == 3, client:connected_nodes() end)
      assert(client:drain(60))
    end
    eventually("the clients know the same owners, of all nodes", function()
      local maps = {}
      for i, client in ipairs(clients) do maps[i] = owners_of(client) end
      for i = 2, #maps do
        if maps[i] ~= maps[1] then return false, maps end
      end
      return maps[1]:find "node%-1" and maps[1]:find "node%-2" and maps[1]:find "node%-3", maps
    end)
    for _, client in ipairs(clients) do
      for round = 1, 6 do
        -- The short heartbeat may end a connection once more on a busy machine.
        local again = eventually("a repair finds every owner", function() return client:repair(name) end)
        assert(client:drain(60))
        if again == 0 then break end
        assert.is_true(round < 6, "repair finds no end")
      end
    end
  end
  for w = 1, WRITERS do clients[w] = shared:started(options()) end
  for _ = 1, STEPS do
    for w, client in ipairs(clients) do write_some(client:map(name), w, expected) end
    local id = "node-" .. math.random(3)
    if undo[id] then
      undo[id]()
      undo[id] = nil
      if state.gone then state:repair() end
    elseif math.random() < 0.7 then
      undo[id] = faults[math.random(#faults)](cluster, id, state)
    end
    loop.sleep(STEP_SECONDS * math.random())
  end
  state:repair()
  for _, client in ipairs(clients) do
    local stats = client:stats()
    assert.equal(stats.ops_recorded, stats.ops_acked + stats.ops_rejected + stats.ops_dropped, "the counts differ")
    assert.equal(0, stats.ops_rejected + stats.ops_dropped)
    assert.equal(0, client:pending_ops())
  end
  local reader, holdings = clients[1], {}
  for id = 1, 3 do
    holdings["node-" .. id] = eventually("node-" .. id .. " tells what it has", function() return reader:holdings("node-" .. id, name) end)
  end
  for w = 1, WRITERS do
    for k = 1, KEYS do
      local key = ("w%d-%d"):format(w, k)
      local record = holdings[reader:partition_map().owners[reader:partition_of(key) + 1]][key]
      local value = record and record.value
      if value == core.null then value = nil end
      assert.same(expected[key], value, key)
    end
  end
end

clusters.on_each(getfenv(), "nothing is lost", function(shared, it)
  local first = tonumber(os.getenv "WINGMAN_SEED") or os.time() % 1000000
  for seed = first, os.getenv "WINGMAN_SEED" and first or first + SCHEDULES - 1 do
    it("whatever happens to nodes, seed " .. seed, function() run(shared, seed) end)
  end
end, { "sim://3", "sim://3?dialect=0.11" })
