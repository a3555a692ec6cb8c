--- A look into a client: the functions behind the prompt's commands.
local cjson = require "cjson"
local core = require "wingman.core"
local eventually = require "spec.support.eventually"
local inspect = require "wingman.inspect"
local virtual_time = require "spec.support.virtual_time"
local wingman = require "wingman"

--- Seconds for what takes milliseconds on a machine that has time.
local PATIENCE = eventually.PATIENCE

describe("inspect", function()
  local client
  before_each(function()
    client = wingman.client { cluster = "sim://3", log_to = function() end }
    assert(client:start())
  end)
  after_each(function() client:close() end)

  local function write(n)
    local map = client:map "players"
    for i = 1, n do assert(map:set("player-" .. i, { x = i })) end
    assert(client:drain(PATIENCE))
    return map
  end

  it("shows the nodes: what they own, what they did, and those that are gone", function()
    write(300)
    local nodes = inspect.nodes(client)
    assert.equal(3, #nodes)
    local partitions, acknowledged = 0, 0
    for i, node in ipairs(nodes) do
      assert.equal("node-" .. i, node.id)
      assert.equal("ready", node.state)
      assert.equal("closed", node.circuit)
      assert.equal(0, node.in_flight)
      partitions, acknowledged = partitions + node.partitions, acknowledged + node.acknowledged
    end
    assert.same({ 271, 300 }, { partitions, acknowledged })
    assert(inspect.sim(client, "kill", 2))
    eventually("node-2 is not ready any more", function()
      local state = inspect.nodes(client)[2].state
      return state ~= "ready", state
    end)
    local gone = inspect.nodes(client)[2]
    assert.equal("node-2", gone.id)
    local text = tostring(inspect.nodes(client))
    assert.truthy(text:find("node%-2 +[%a ]*%(%a+%)"), text)
    assert.truthy(text:find("node%-1 +ready"), text)
  end)

  it("shows the partition map, and which partitions are not at their owner", function()
    local map = inspect.map(client)
    assert.equal(271, map.partition_count)
    assert.equal(0, map.elsewhere)
    local letters = { ["node-1"] = "A", ["node-2"] = "B", ["node-3"] = "C" }
    local expected = {}
    for p = 1, 271 do expected[p] = letters[map.owners[p]] end
    local shown = tostring(map):gsub("^[^\n]*\n", "")
    local grid = {}
    for row in shown:gmatch "%f[^\n%z] +%d+  (%u+)\n" do grid[#grid + 1] = row end
    assert.equal(table.concat(expected), table.concat(grid))
    -- the node stops answering for its partitions, the map stays as it is
    client.provider.routing = function(partition) return partition.owner ~= "node-3" and partition.owner or nil end
    client.provider:recompute()
    map = inspect.map(client)
    assert.equal(90, map.elsewhere)
    local _, small = tostring(map):gsub("^[^\n]*\n", ""):gsub("  [A-Z]  .*", ""):gsub("c", "")
    assert.equal(90, small)
  end)

  it("says where a key goes", function()
    write(3)
    local route = inspect.route(client, "player-2")
    assert.equal(client:partition_of "player-2", route.partition)
    assert.equal(client:partition_map().owners[route.partition + 1], route.owner)
    assert.equal(route.owner, route.node)
    assert.same({ "players" }, route.maps)
    client.provider.routing = function() return nil end
    client.provider:recompute()
    route = inspect.route(client, "player-2")
    assert.is_nil(route.node)
    assert.truthy(tostring(route):find("writes wait", 1, true))
    assert.has_error(function() inspect.route(client, 5) end)
  end)

  it("counts", function()
    write(50)
    local stats = inspect.stats(client)
    assert.same({ 50, 50, 50, 0 }, { stats.ops_recorded, stats.ops_acked, stats.direct_routes, stats.pending })
    assert.equal(50, stats.latency.count)
    assert.is_true(stats.latency.p999 > 0 and stats.latency.p999 < 5)
    assert.truthy(tostring(stats):find("recorded +50\n"))
  end)

  it("gives records with their times", function()
    local before = core.wall_ms()
    local map = write(12)
    local records = inspect.records(map, "player-1*", nil, "copy")
    assert.equal(4, records.total)
    assert.equal("player-1", records[1].key)
    assert.same({ x = 1 }, records[1].value)
    assert.is_true(records[1].millis >= before - 1000 and records[1].millis <= core.wall_ms() + 1000)
    assert.is_true(records[1].own)
    assert.equal(2, #inspect.records(map, nil, 2, "copy"))
    assert.truthy(tostring(inspect.records(map, nil, 2, "copy")):find("10 more", 1, true))
    assert.equal(0, inspect.records(map, "%", nil, "copy").total)
  end)

  it("gives a key's value as its owner has it", function()
    local map = write(12)
    local found = inspect.read(map, "player-1")
    local owner = map.client:partition_map().owners[map.client:partition_of "player-1" + 1]
    assert.same({ true, { x = 1 }, owner, owner }, { found.is_there, found.value, found.owner, found.holder })
    found = inspect.read(map, "nobody")
    assert.same({ false, nil, nil }, { found.is_there, found.value, found.holder })
    assert.truthy(tostring(found):find("which has no value of this key", 1, true))
    map.client:close()
    local nothing, err = inspect.read(map, "player-1")
    assert.same({ nil, "CLOSED" }, { nothing, err.code })
  end)

  it("finds records by a part of the key, or by its form with * and ?", function()
    local map = write(12)
    map:set("a.b[1]%", 1)
    local function count(pattern) return inspect.records(map, pattern, nil, "copy").total end
    assert.equal(4, count "r-1")
    assert.equal(4, count "player-1*")
    assert.equal(3, count "player-1?")
    assert.equal(1, count "*-1")
    assert.equal(0, count "layer-*")
    assert.equal(0, count "player.1")
    assert.equal(1, count "b[1]%")
    assert.equal(1, count "a.b[?]*")
    assert.equal(13, count "*")
  end)

  it("watches changes of others", function()
    local other = wingman.client { cluster = { seeds = client:cluster().urls }, auth = { token = client:cluster().token } }
    assert(other:start())
    local seen = {}
    local watch = inspect.watch(client, "players", "a*", function(key, value) seen[#seen + 1] = { key, value } end)
    local theirs, ours = other:map "players", client:map "players"
    -- It takes effect some time after the call, at each node by itself.
    eventually("changes at every node are heard of", function()
      local heard = 0
      for i = 1, 30 do
        theirs:set("probe-" .. i, i)
        if ours:get("probe-" .. i) then heard = heard + 1 end
      end
      return heard == 30, heard
    end)
    for _, key in ipairs { "ann", "bob", "abe" } do assert(theirs:set(key, { n = key })) end
    assert(other:drain(PATIENCE))
    eventually("two changes are seen", function() return watch.seen == 2, watch.seen end)
    table.sort(seen, function(a, b) return a[1] < b[1] end)
    assert.same({ { "abe", { n = "abe" } }, { "ann", { n = "ann" } } }, seen)
    watch.stop()
    theirs:set("amy", { n = 1 })
    theirs:set("zoe", { n = 1 })
    assert(other:drain(PATIENCE))
    eventually("the change after it is heard of", function() return ours:get "zoe" end)
    assert.equal(2, watch.seen)
    other:close()
  end)

  it("traces frames in both directions, until it is stopped", function()
    local frames = {}
    local trace = inspect.trace(client, function(frame) frames[#frames + 1] = frame end)
    write(3)
    local out, back = 0, 0
    for _, frame in ipairs(frames) do
      for _, message in ipairs(frame.messages) do
        if message.type == "OP_BATCH" then
          assert.is_true(frame.outward)
          out = out + #message.payload.ops
        elseif message.type == "OP_ACK" then
          assert.is_false(frame.outward)
          back = back + 1
        end
      end
      assert.truthy(frame.node:match "^node%-%d$")
      assert.is_true(frame.bytes > 0)
    end
    assert.equal(3, out)
    assert.is_true(back > 0)
    trace.stop()
    local n = #frames
    write(3)
    assert.equal(n, #frames)
  end)

  it("masks tokens in what it traces", function()
    local token = client:cluster().token
    local seen, auths = {}, 0
    inspect.trace(client, function(frame)
      for _, message in ipairs(frame.messages) do
        if message.type == "AUTH" then auths = auths + 1 end
        seen[#seen + 1] = cjson.encode(message)
      end
    end)
    local first = client:health().nodes[1].connects
    client:cluster():kill "node-1"
    client:cluster():restart "node-1"
    eventually("node-1 is connected again", function()
      local connects = client:health().nodes[1].connects
      return connects > first, connects
    end)
    client:map "players":set("stolen", { name = token, deep = { password = "hunter2" } })
    assert(client:drain(PATIENCE))
    assert.is_true(auths > 0)
    local all = table.concat(seen, "\n")
    assert.is_nil(all:find(token, 1, true))
    assert.is_nil(all:find("hunter2", 1, true))
    assert.truthy(all:find("masked", 1, true))
  end)

  it("compares with another partition map", function()
    write(400)
    local held = client:partition_map()
    local owners = {}
    for p = 1, 271 do owners[p] = held.owners[p] == "node-3" and "node-9" or held.owners[p] end
    local result = inspect.whatif(client, { partition_count = 271, owners = owners, nodes = { { id = "node-9", endpoint = "ws://new:1" } } })
    local expected = 0
    for key in client:map("players"):each() do
      if held.owners[client:partition_of(key) + 1] == "node-3" then expected = expected + 1 end
    end
    assert.is_true(expected > 50)
    assert.same({ 400, expected, 90 }, { result.keys, result.moved, result.partitions_moved })
    assert.same({ from = "node-3", to = "node-9", keys = expected }, { from = result.moves[1].from, to = result.moves[1].to, keys = result.moves[1].keys })
    assert.equal(1, #result.moves)
    assert.same({ { id = "node-9", endpoint = "ws://new:1" } }, result.needed)
    assert.same({ "node-3" }, result.idle)
    assert.equal(expected, result.nodes["node-9"].new_keys)
    for p = 1, 271 do owners[p] = "node-1" end
    result = inspect.whatif(client, { owners = owners })
    assert.equal(1, result.new_skew)
    assert.equal(400, result.nodes["node-1"].new_keys)
  end)

  it("reads maps and keys from files, and says what is wrong with them", function()
    write(5)
    local path, keys = os.tmpname(), os.tmpname()
    assert(inspect.save_map(client, path))
    local result = inspect.whatif(client, path)
    assert.same({ 5, 0, 0 }, { result.keys, result.moved, result.partitions_moved })
    local function put(name, text)
      local file = assert(io.open(name, "w"))
      file:write(text)
      file:close()
    end
    put(keys, "one\ntwo\nthree\n")
    assert.equal(3, inspect.whatif(client, path, keys).keys)
    put(keys, '["one", "two"]')
    assert.equal(2, inspect.whatif(client, path, keys).keys)
    put(keys, '{ "ann": {}, "bob": {} }')
    assert.equal(2, inspect.whatif(client, path, keys).keys)
    -- as it is on the wire, with another number of partitions
    local partitions = {}
    for p = 0, 2 do partitions[p + 1] = { partitionId = p, ownerNodeId = "node-" .. p + 1, backupNodeIds = {} } end
    put(path, cjson.encode { payload = { version = 1, partitionCount = 3, nodes = { { nodeId = "node-1", endpoints = { websocket = "ws://a:1" } } },
      partitions = partitions } })
    result = inspect.whatif(client, path)
    assert.same({ 5, 3 }, { result.keys, result.partition_count })
    local total = 0
    for _, node in pairs(result.nodes) do total = total + node.new_keys end
    assert.equal(5, total)
    for _, bad in ipairs { "{", "[]", '{ "partitions": 3 }', '{ "owners": [] }' } do
      put(path, bad)
      assert.has_error(function() inspect.whatif(client, path) end)
    end
    assert.has_error(function() inspect.whatif(client, "/no/such/file") end)
    os.remove(path)
    os.remove(keys)
  end)

  it("measures", function()
    local time = virtual_time.new()
    local measure, sleep = time:require "wingman.inspect.measure", time.loop.sleep
    local seconds, a, b = measure.time(function() sleep(0.02) return "a", "b" end)
    assert.near(0.02, seconds, 1e-6)
    assert.same({ "a", "b" }, { a, b })
    local calls = 0
    local result = measure.bench(function()
      calls = calls + 1
      time:pass(1e-6)
    end, 0.1)
    assert.near(1000, result.batch, 1) -- a millisecond
    assert.near(1e5, result.calls, result.batch)
    assert.is_true(calls > result.calls, "how many make a batch was not tried")
    assert.near(1e6, result.per_second, 1)
    for _, name in ipairs { "p50", "p99", "max" } do assert.near(1e-6, result[name], 1e-9, name) end
    assert.is_true(result.garbage < 8, result.garbage .. " bytes")
    local kept
    local table_made = measure.bench(function()
      time:pass(1e-6)
      kept = { {} }
    end, 0.02)
    assert.is_table(kept)
    assert.is_true(table_made.garbage >= 32, table_made.garbage .. " bytes")
    result = measure.bench(function() sleep(0.005) end, 0.05)
    assert.equal(1, result.batch)
    assert.near(0.005, result.p50, 1e-5)
  end)

  it("orders an embedded cluster, and refuses what is no order", function()
    assert(inspect.sim(client, "pause", "node-1"))
    assert(inspect.sim(client, "resume", "1"))
    local ok, err = inspect.sim(client, "kill", "node-77")
    assert.is_nil(ok)
    assert.equal("CLUSTER", err.code)
    assert.has_error(function() inspect.sim(client, "explode", 1) end)
  end)
end)
