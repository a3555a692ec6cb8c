--- A replica of a cluster of head, whose nodes hold the answers on a connection back for 5 s after a subscription, and have
--- their records after a restart.
local checker = require "spec.support.replica_checker"
local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"

local env = getfenv()
-- Seconds for which a node holds answers back.
local HELD = 5

-- Seconds that this machine takes now to read maps from every node.
local function seconds_to_read(client, names)
  local began = loop.now()
  for _, id in ipairs(client:connected_nodes()) do
    for _, name in ipairs(names) do assert(client:holdings(id, name)) end
  end
  return loop.now() - began
end

clusters.on_each(env, "a replica", function(shared, it)
  local writer

  local function all_connected(client)
    eventually("every node is connected", function() return #client:connected_nodes() == #shared.cluster.nodes end)
    return client
  end

  before_each(function() writer = all_connected(shared:started { reconnect = function() return 0.02 end }) end)

  local function write(map, from, to, value)
    for i = from, to do assert(map:set("k" .. i, { v = value or i })) end
    assert(writer:drain(60))
  end

  local function assert_right(map)
    local differences
    eventually("the replica is what the nodes hold", function()
      assert(map:synced(60))
      differences = checker.differences(map, checker.expected(writer, map.name))
      return not differences, differences
    end)
  end

  it("is live before it subscribes, and misses nothing of what is written meanwhile", function()
    local reader = all_connected(shared:started())
    local names, maps, seconds, is_on = { shared:map_name(), shared:map_name(), shared:map_name() }, {}, {}, true
    for _, name in ipairs(names) do write(writer:map(name), 1, 200) end
    local count = 200
    local writing = loop.spawn(function() -- to the last map only: the others are at rest
      while is_on do
        count = count + 1
        assert(writer:map(names[3]):set("k" .. count % 250, { v = count }))
        loop.sleep(0.001)
      end
      return true
    end)
    for i, name in ipairs(names) do
      maps[i] = reader:map(name)
      maps[i]:replicate():on("synced", function(_, took) seconds[i] = took end)
    end
    eventually("those at rest are live", function() return seconds[1] and seconds[2] end)
    local limit = math.max(HELD, 3 * seconds_to_read(writer, names))
    assert.is_true(seconds[1] < limit and seconds[2] < limit, ("live after %.1f and %.1f s"):format(seconds[1], seconds[2]))
    loop.sleep(0.3)
    is_on = false
    assert(writing:wait(60))
    assert(writer:drain(60))
    for _, map in ipairs(maps) do assert_right(map) end
  end)

  it("takes what is gone after a reconnection for removed, not for lost", function()
    local name = shared:map_name()
    write(writer:map(name), 1, 300)
    local reader = all_connected(shared:started { reconnect = function() return 1.5 end })
    local map, removed = reader:map(name), {}
    local copy = map:replicate()
    map:watch(nil, function(key, value, origin) if value == nil then removed[key] = origin end end, { initial = false })
    assert(map:synced(60))
    shared.cluster:fault("all", "reset")
    for i = 1, 290 do assert(writer:map(name):remove("k" .. i)) end
    assert(writer:drain(60))
    all_connected(reader)
    assert_right(map)
    assert.same({ 0, 10 }, { copy:status().lost, map:size() })
    eventually("the removals are told", function() return copy:status().behind == 0 end)
    for i = 1, 290 do assert.truthy(removed["k" .. i]) end
  end)
end, { "sim://3?release=head" })

clusters.on_each(env, "a replica, of a node that holds an answer back once", function(shared, it)
  it("does not take that for what a comparison costs", function()
    local writer, reader = shared:started(), shared:started()
    local map = reader:map(shared:map_name())
    assert(map:synced(60))
    local function compares() return (select(5, map.core_map:replica_node(0))) end
    -- Once more after the first comparison of a connection.
    eventually("it has come to rest", function()
      local before = compares()
      loop.sleep(0.8)
      return compares() == before
    end)
    assert(shared.cluster:fault("all", "root-delay", 3000))
    loop.spawn(map.synced, map, 60)
    eventually("the root is asked for", function() return map.core_map:replica_node(0) == "asking" end)
    assert(shared.cluster:fault("all", "none"))
    eventually("it is answered", function() return map.core_map:replica_node(0) ~= "asking" end)
    local before = compares()
    assert(writer:map(map.name):set("k", 1))
    assert(writer:drain(60))
    assert(loop.wait_until(function() return compares() > before end, 20), "the next comparison waits for 30 s")
  end)
end, { "sim://1" })
