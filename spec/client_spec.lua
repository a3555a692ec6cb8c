--- A client against clusters: order, sizes, refusals, overload, death of a node.
local build = require "spec.support.build"
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"
local wingman = require "wingman"

local function set_all(map, count, value)
  for i = 1, count do assert(map:set("key-" .. i, value or i)) end
end

clusters.on_each(getfenv(), "client", function(shared, it)
  it("keeps the order of the writes of a key", function()
    local client = shared:started()
    local name = shared:map_name()
    local map = client:map(name)
    for i = 1, 200 do
      for k = 1, 5 do assert(map:set("k" .. k, i)) end
      if i % 3 == 0 then loop.sleep(0) end
    end
    assert(client:drain(60))
    local values = shared:values(client, name)
    for k = 1, 5 do assert.equal(200, values["k" .. k]) end
  end)

  it("removes what it wrote", function()
    local client = shared:started()
    local name = shared:map_name()
    local map = client:map(name)
    set_all(map, 20)
    assert(client:drain(60))
    for i = 1, 10 do assert(map:remove("key-" .. i)) end
    assert.is_nil(map:get "key-1")
    assert.equal(10, map:size())
    assert(client:drain(60))
    local values = shared:values(client, name)
    for i = 1, 20 do assert.equal(i > 10 and i or nil, values["key-" .. i]) end
  end)

  it("writes keys and values of every kind", function()
    local client = shared:started()
    local name = shared:map_name()
    local map = client:map(name)
    local long = ("x"):rep(100000)
    local records = {
      ["Ünïcode/日本語"] = "ünï", ["𐐷 astral"] = 1.5, [("k"):rep(1000)] = true, number = -7, zero = 0, text = "",
      list = { 1, 2, { "three" } }, nested = { a = { b = { c = false } } }, long = long, big = 2 ^ 40,
    }
    for key, value in pairs(records) do assert(map:set(key, value)) end
    assert(client:drain(60))
    local values = shared:values(client, name)
    for key, value in pairs(records) do
      assert.same(value, values[key])
      assert.same(value, map:get(key))
    end
  end)

  it("takes a value that can be read again, and refuses a larger one by name and size", function()
    local client = shared:started()
    local name = shared:map_name()
    local map = client:map(name)
    -- An operation fits into a message of 1 MiB; what a v2 server answers into one of 512 KiB.
    local size = shared.is_0_11 and 1000 * 1000 or 524032 - #name - #"large" - 5
    assert(map:set("large", ("x"):rep(size)))
    assert(map:set("small", 1))
    assert(client:drain(60))
    assert.equal(size, #shared:values(client, name).large)
    assert.equal(size, #assert(client:holdings(client.provider:connection("large").id, name)).large.value)
    local ok, err = map:set("huge", ("x"):rep(1024 * 1024 + 1))
    assert.is_nil(ok)
    assert.equal("TOO_LARGE", err.code)
    assert.truthy(err.message:find("'huge'", 1, true))
    assert.truthy(err.message:find(name, 1, true))
    assert.is_nil(map:get "huge")
    assert.equal(0, client:pending_ops())
  end)

  it("settles wait(seq) when the operation is acknowledged", function()
    local client = shared:started()
    local seq = assert(client:map(shared:map_name()):set("a", 1))
    assert.equal(1, client:pending_ops())
    assert.is_true(assert(client:wait(seq, 60)))
    assert.equal(0, client:pending_ops())
    assert.is_true(assert(client:wait(seq, 60)))
  end)

  it("says by settlement(seq) which node acknowledged", function()
    local client = shared:started()
    local map = client:map(shared:map_name())
    for _, id in ipairs(client:connected_nodes()) do
      local settlement = client:settlement(assert(map:set(clusters.keys_of(client, id, 1)[1], 1)))
      assert.same({ true, id }, { settlement:wait(60) })
    end
    local seq = assert(map:set("a", 1))
    assert(client:drain(60))
    assert.same({ true }, { client:settlement(seq):wait(0) })
  end)

  it("refuses a wrong token with an error that does not show it", function()
    local token = core.jwt_sign('{"sub":"x","exp":4000000000}', "not the secret")
    local client = shared:client { auth = { token = token }, start_timeout = 60 }
    local ok, err = client:start()
    assert.is_nil(ok)
    assert.equal("AUTH_FAILED", err.code)
    assert.is_nil(tostring(err):find(token, 1, true))
    for _, line in ipairs(shared.log) do
      for _, value in pairs(line.fields) do assert.is_nil(tostring(value):find(token, 1, true)) end
    end
  end)

  it("asks a token function, which may wait", function()
    local asked = 0
    local client = shared:started { auth = { token = function()
      asked = asked + 1
      loop.sleep(0.01)
      return shared.cluster.token
    end } }
    assert.equal(3, #client:connected_nodes())
    assert.equal(3, asked)
  end)

  it("says what is wrong with a token function", function()
    local client = shared:client { auth = { token = function() error "no token today" end }, start_timeout = 60 }
    local ok, err = client:start()
    assert.is_nil(ok)
    assert.truthy(tostring(err):find("no token today", 1, true))
  end)

  it("uses several connections per node, one of them for each key", function()
    local client = shared:started { connections_per_node = 3 }
    local name = shared:map_name()
    local map = client:map(name)
    for i = 1, 50 do
      for k = 1, 30 do assert(map:set("k" .. k, i)) end
      loop.sleep(0)
    end
    assert(client:drain(60))
    local values = shared:values(client, name)
    for k = 1, 30 do assert.equal(50, values["k" .. k]) end
    local used = 0
    for _, node in ipairs(client.provider.links.nodes) do
      for _, lane in ipairs(node.lanes) do
        if client.core:lane_info(lane).state == "ready" then used = used + 1 end
      end
    end
    assert.equal(9, used)
  end)

  it("waits for room in a full log, and loses nothing", function()
    local client = shared:started { oplog = { max_ops = 100 } }
    local name = shared:map_name()
    set_all(client:map(name), 2000)
    assert.is_true(client:pending_ops() <= 100)
    assert(client:drain(60))
    local values, count = shared:values(client, name), 0
    for _ in pairs(values) do count = count + 1 end
    assert.equal(2000, count)
  end)

  it("ends every wait when it is closed", function()
    local client = shared:started { cluster = { seeds = { shared.cluster.urls[1] } }, endpoint = function() end }
    local map, owners, held = client:map(shared:map_name()), client:partition_map().owners, nil
    for i = 1, 50 do
      local seq = assert(map:set("key-" .. i, i))
      if owners[client:partition_of("key-" .. i) + 1] ~= "node-1" then held = seq end
    end
    local results = {}
    loop.spawn(function() results.wait = { client:wait(held) } end)
    loop.spawn(function() results.drain = { client:drain() } end)
    loop.sleep(0.05)
    client:close()
    eventually("both waits end", function() return results.wait and results.drain end)
    assert.is_nil(results.wait[1])
    assert.equal("CLOSED", results.wait[2].code)
    assert.is_nil(results.drain[1])
    assert.equal("CLOSED", results.drain[2].code)
    local ok, err = map:set("late", 1)
    assert.is_nil(ok)
    assert.equal("CLOSED", err.code)
  end)

  it("goes on with the next owner when a node is killed, and repairs what died with it", function()
    local client = shared:started()
    local name = shared:map_name()
    local map = client:map(name)
    set_all(map, 500, "before")
    assert(client:drain(60))
    local resumed
    client:on("resumed", function(event) resumed = resumed or event end)
    assert(shared.cluster:kill "node-3")
    for i = 501, 1000 do assert(map:set("key-" .. i, "after")) end
    assert(client:drain(60))
    assert.is_table(resumed)
    assert.not_equal("node-3", resumed.node)
    assert.is_true(resumed.seconds >= 0)
    shared:restart("node-3", client)
    assert(client:repair(name))
    assert(client:drain(60))
    local values = shared:values(client, name)
    for i = 1, 1000 do assert.equal(i <= 500 and "before" or "after", values["key-" .. i]) end
    assert.equal(0, assert(client:repair(name)))
  end)
end)

-- Servers of the v2 family tell other clients about changes.
clusters.on_each(getfenv(), "changes by others", function(shared, it)
  it("reach the listeners of a map", function()
    local reader, writer = shared:started(), shared:started()
    local name, changes = shared:map_name(), {}
    reader:map(name):on("change", function(key, value, origin)
      assert.equal("remote", origin)
      changes[key] = value == nil and "removed" or value
    end)
    -- The reader is subscribed once it hears of a write to each node.
    local markers, round = {}, 0
    for i, id in ipairs(writer:connected_nodes()) do markers[i] = clusters.keys_of(writer, id, 51)[51] end
    eventually("the reader hears of each node", function()
      round = round + 1
      for _, marker in ipairs(markers) do
        assert(writer:map(name):set(marker, round))
        if not changes[marker] then return false, changes end
      end
      return true
    end)
    for i = 1, 50 do assert(writer:map(name):set("key-" .. i, { i = i })) end
    assert(writer:drain(60))
    eventually("all changes are heard of", function()
      for i = 1, 50 do
        if not changes["key-" .. i] then return false, "key-" .. i end
      end
      return true
    end)
    assert.same({ i = 50 }, reader:map(name):get "key-50")
    assert(writer:map(name):remove "key-50")
    assert(writer:drain(60))
    eventually("the removal is heard of", function() return changes["key-50"] == "removed", changes["key-50"] end)
    assert.is_nil(reader:map(name):get "key-50")
  end)
end, { "sim://3", "topgun://3" })

clusters.on_each(getfenv(), "changes of others", function(shared, it)
  -- A client whose writes are acknowledged after longer than usual, and a map of it.
  local function slow_client()
    local client = shared:started()
    local function delay_acks(ms)
      for _, node in ipairs(client:connected_nodes()) do assert(shared.cluster:fault(node, "ack-delay", ms)) end
    end
    delay_acks(150)
    finally(function() delay_acks(0) end)
    return client, client:map(shared:map_name())
  end

  it("are taken once the own write of the key is acknowledged", function()
    local client = shared:started()
    local map = client:map(shared:map_name())
    assert(map:set("k", "mine"))
    assert(client:drain(60))
    local later = { millis = map:record("k").millis + 1000, counter = 0, nodeId = "node-1" }
    assert.is_true(map:merge("k", "theirs", later, false, true))
    assert.equal("theirs", map:get "k")
  end)

  it("leave this client an own write that a node tells again", function()
    local client = shared:started()
    local map = client:map(shared:map_name())
    assert(map:set("k", { a = 1, b = 2 }))
    assert(client:drain(60))
    local later = { millis = map:record("k").millis + 1000, counter = 0, nodeId = "node-1" }
    assert.is_false(map:merge("k", { b = 2, a = 1 }, later, false, true))
    assert.equal(client.options.node_id, map:record("k").node) -- for client:repair
  end)

  -- As when they were forwarded, or the node was stopped and went on: they come back as
  -- changes, after a later write was acknowledged.
  it("are not own writes that come back late, each once", function()
    local client, map = slow_client()
    assert(map:set("k", "first"))
    assert(map:remove "k")
    assert(map:set("k", "last"))
    assert(client:drain(60))
    local later = { millis = map:record("k").millis + 60000, counter = 0, nodeId = "node-1" }
    assert.is_false(map:merge("k", "first", later, false, true))
    map:forget "k"
    assert.equal("last", map:get "k")
    map:forget "k" -- another client's
    assert.is_nil(map:get "k")
    assert.is_true(map:merge("k", "first", later, false, true))
    assert.equal("first", map:get "k")
  end)

  it("are older than an own write that waited long for its turn", function()
    local client, map = slow_client()
    assert(map:set("k", "mine"))
    local recorded = map:record("k").millis
    assert(client:drain(60))
    assert.is_false(map:merge("k", "theirs", { millis = recorded + 50, counter = 0, nodeId = "node-1" }, false, true))
    assert.equal("mine", map:get "k")
  end)
end, { "sim://3" })

-- Server 2.2.0 stands still while it writes to disk behind 10,000 operations: it neither
-- answers nor accepts a connection, for 30 s on a machine that had much else to do. A query
-- of that time fails, and is asked again.
local STANDSTILL = 120
-- With the sanitizers it is not waited for again.
local function with_real(simulated, real) return build.is_sanitized and { simulated } or { simulated, real } end

local function found_by_query(client, name)
  return (eventually("a query is answered", function() return client:query(name) end, STANDSTILL))
end

-- The errors of an overload name no operation: 429 in the simulated cluster, 500
-- "Write-behind capacity exceeded" (10,000 operations) in the real one.
clusters.on_each(getfenv(), "overload", function(shared, it)
  it("slows a connection down and loses nothing", function()
    -- One real server: while it stands still the others of a cluster would take it for dead
    -- and give its partitions away, and a query asks the owners of the moment.
    local client = shared:started(shared.is_real and { server = shared.cluster.urls[1] } or nil)
    local count = shared.is_real and 40000 or 9000
    local name = shared:map_name()
    local map = client:map(name)
    set_all(map, count)
    assert(client:drain(STANDSTILL))
    assert.is_true(client:stats().overloads > 0, "there was no overload")
    local found = 0
    for _ in pairs(found_by_query(client, name)) do found = found + 1 end
    assert.equal(count, found)
  end)
end, with_real("sim://3?rate=1000", "topgun://1"))

-- A v2 server leaves out silently what goes beyond 10,000 results.
clusters.on_each(getfenv(), "queries", function(shared, it)
  it("are complete beyond what a server answers at once", function()
    local client = shared:started { server = shared.cluster.urls[1] }
    local name = shared:map_name()
    local map = client:map(name)
    for i = 1, 10500 do assert(map:set("key-" .. i, { i = i })) end
    assert(client:drain(STANDSTILL))
    local count = 0
    for _ in pairs(found_by_query(client, name)) do count = count + 1 end
    assert.equal(10500, count)
    local values, err = client:query(name, { where = { i = { ["$gt"] = 0 } } })
    if values then return end -- the server did not take the filter for one that matches all
    assert.equal("TOO_MANY", err.code)
  end)
end, with_real("sim://1", "topgun://1"))

describe("client, refused by a batch error,", function()
  local names = { v2 = { "NOT_OWNER", "STALE_MAP", "500", "429" }, ["0.11"] = { "NOT_OWNER", "STALE_MAP", "500", "429" } }
  for _, dialect in ipairs { "v2", "0.11" } do
    clusters.on_each(getfenv(), "recovers", function(shared, it)
      for _, name in ipairs(names[dialect]) do
        it("from " .. name, function()
          local client = shared:started { batch = { ack_timeout = 0.3 } }
          assert(shared.cluster:fault("all", "error", name, 2))
          local map_name = shared:map_name()
          set_all(client:map(map_name), 300)
          assert(client:drain(60))
          local found = 0
          for _ in pairs(assert(client:query(map_name))) do found = found + 1 end
          assert.equal(300, found)
        end)
      end
    end, { "sim://3?dialect=" .. dialect })
  end
end)

describe("client:start", function()
  it("names every seed that cannot be reached", function()
    local client = wingman.client { cluster = { seeds = { "ws://127.0.0.1:1", "ws://127.0.0.1:2/ws" } },
      start_timeout = 0.3, log_to = function() end }
    local ok, err = client:start()
    client:close()
    assert.is_nil(ok)
    assert.equal("NOT_CONNECTED", err.code)
    assert.truthy(err.message:find("ws://127.0.0.1:1", 1, true))
    assert.truthy(err.message:find("ws://127.0.0.1:2/ws", 1, true))
  end)
end)
