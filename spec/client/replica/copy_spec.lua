--- A replicated map: what is there, what follows, what is found by comparing, and what is said of it. What is right
--- is computed from the nodes' holdings by another client (spec/support/replica_checker.lua).
local checker = require "spec.support.replica_checker"
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local hex = require("spec.core.support").hex
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"

local env = getfenv()

clusters.on_each(env, "a replica", function(shared, it)
  local writer, reader, written, map

  before_each(function()
    writer, reader = shared:started(), shared:started()
    local name = shared:map_name()
    written, map = writer:map(name), reader:map(name)
    for _, client in ipairs { writer, reader } do
      eventually("every node is connected", function() return #client:connected_nodes() == #shared.cluster.nodes end)
    end
  end)

  local function assert_right(replica, lost)
    assert(replica:synced(60))
    local differences
    eventually("the replica is what the nodes hold", function()
      differences = checker.differences(replica, checker.expected(writer, replica.name), lost)
      return not differences, differences
    end)
  end

  local function write(from, to, value_of)
    for i = from, to do assert(written:set("k" .. i, value_of(i))) end
    assert(writer:drain(60))
  end

  it("has everything that was written before, and says when it has", function()
    local values = { f = false, zero = 0, text = "", list = { 1, { 2 } }, ["key ä"] = { x = -1.5 }, big = ("x"):rep(70000) }
    for key, value in pairs(values) do assert(written:set(key, value)) end
    write(1, 500, function(i) return { v = i } end)
    local told = {}
    local copy = map:replicate()
    assert.equal("snapshot", copy:status().state)
    copy:on("synced", function(records, seconds) told[#told + 1] = { records, type(seconds) } end)
    assert_right(map)
    eventually("it is told", function() return told[1] end)
    assert.same({ { 506, "number" } }, told)
    for key, value in pairs(values) do assert.same(value, map:get(key), key) end
    local status = copy:status()
    assert.same({ "live", 506, 0, 0 }, { status.state, status.records, status.repairs, status.lost })
    for _, node in ipairs(shared.cluster.nodes) do assert.equal("number", type(status.equal_at[node.id]), node.id) end
    assert.equal(copy, map:replicate())
  end)

  it("of an empty map is synced, too", function()
    assert(map:synced(60))
    assert.same({ "live", 0 }, { map:replicate():status().state, map:size() })
  end)

  it("follows what is written and removed, and tells each key its last value", function()
    write(1, 200, function(i) return { v = i } end)
    local last, origins = {}, {}
    map:watch(nil, function(key, value, origin)
      last[key], origins[origin] = value and value.v or "none", true
    end)
    assert_right(map)
    assert.same({ snapshot = true }, origins)
    for round = 1, 5 do
      write(1, 100, function(i) return { v = i * 1000 + round } end)
      for i = 101, 120 do assert(written:remove("k" .. i)) end
      for i = 101, 110 do assert(written:set("k" .. i, { v = -round })) end
    end
    assert(writer:drain(60))
    assert_right(map)
    eventually("all is told", function() return map:replicate():status().behind == 0 end)
    for i = 1, 200 do
      local value = map:get("k" .. i)
      assert.equal(value and value.v or "none", last["k" .. i], "k" .. i)
    end
    assert.equal("none", last.k115)
  end)

  it("tells a watch of one key of this key only, with what is there first if it wants to", function()
    write(1, 20, function(i) return i end)
    assert(map:synced(60))
    local first, later = {}, {}
    map:watch("k5", function(key, value) first[#first + 1] = { key, value } end)
    local watch = map:watch("k5", function(key, value) later[#later + 1] = { key, value } end, { initial = false })
    eventually("the first value is told", function() return first[1] end)
    write(1, 20, function(i) return i + 100 end)
    eventually("the second value is told", function() return first[2] and later[1] end)
    assert.same({ { { "k5", 5 }, { "k5", 105 } }, { { "k5", 105 } } }, { first, later })
    watch:close()
    write(5, 5, function() return "closed" end)
    eventually("the third value is told", function() return first[3] end)
    assert.equal(1, #later)
  end)

  it("of two writers of the same keys becomes equal, and get never goes back to an own value", function()
    local keys, own = 50, written
    for _, one in ipairs { own, map } do assert(one:synced(60)) end
    for round = 1, 4 do
      for i = 1, keys do
        assert(own:set("r" .. i, { by = 1, n = round }))
        assert(map:set("r" .. i, { by = 2, n = round }))
        for w, one in ipairs { own, map } do
          local value = one:get("r" .. i)
          assert.same({ w, round }, { value.by, value.n }) -- its own, just written
        end
        if i % 7 == 0 then loop.sleep(0.002) end
      end
    end
    assert(writer:drain(60))
    assert(reader:drain(60))
    assert_right(own)
    assert_right(map)
  end)

  it("shows an own write from set on, and what replaces it", function()
    assert(map:synced(60))
    local seen, is_on = {}, true
    loop.spawn(function()
      while is_on do
        local value = map:get "k1"
        if seen[#seen] ~= value then seen[#seen + 1] = value end
        loop.sleep(0)
      end
    end)
    for i = 1, 20 do
      assert(map:set("k1", i))
      loop.sleep(i % 5 == 0 and 0.01 or 0)
    end
    assert(reader:drain(60))
    assert_right(map)
    assert(written:set("k1", "foreign"))
    assert(writer:drain(60))
    eventually("the other's value is shown", function() return seen[#seen] == "foreign", seen[#seen] end)
    is_on = false
    for i = 2, #seen - 1 do assert(seen[i] > seen[i - 1], ("%d came after %d"):format(seen[i], seen[i - 1])) end
    assert(map:remove "k1")
    assert.is_nil(map:get "k1")
    assert(reader:drain(60))
    assert_right(map)
    assert.is_nil(map:get "k1")
  end)

  it("shows own writes from before it was one, until it knows better", function()
    assert(map:set("mine", 1))
    assert(map:set("ours", 1))
    assert(reader:drain(60))
    assert(written:set("ours", 2))
    assert(written:remove "mine")
    assert(writer:drain(60))
    local told = {}
    map:watch(nil, function(key, value) told[key] = value == nil and "none" or value end)
    assert.same({ 1, 1 }, { map:get "mine", map:get "ours" })
    assert_right(map)
    eventually("both are told", function() return told.mine == "none" and told.ours == 2, told end)
  end)

  it("shows what replaced an own write that was acknowledged before the nodes were followed", function()
    map:replicate()
    for i = 1, 100 do
      if i % 2 == 0 then assert(map:set("k" .. i, "own")) else assert(map:remove("k" .. i)) end
    end
    assert(reader:drain(60))
    write(1, 100, function(i) return i end)
    assert_right(map)
    for i = 1, 100 do assert.equal(i, map:get("k" .. i)) end
  end)

  it("misses nothing of a burst, of which nodes drop announcements", function()
    assert(map:synced(60))
    write(1, 3000, function(i) return { v = i } end)
    assert_right(map)
    assert.equal(3000, map:size())
  end)

  it("asks for nothing while nothing happens", function()
    write(1, 100, function(i) return i end)
    assert(map:synced(60))
    local copy, compared = map:replicate(), nil
    -- Once more after the first comparison of a connection.
    eventually("it has come to rest", function()
      local requests, since = copy:status().requests, compared
      compared = requests
      loop.sleep(0.8)
      return since == copy:status().requests
    end)
    local before, began = copy:status().requests, loop.now()
    for i = 1, 30 do
      assert(writer:map "another":set("k" .. i, i))
      assert(writer:drain(60))
      loop.sleep(0.02)
    end
    -- At rest each node is compared every 30 s: a machine that takes so long for this sees some of that.
    local rounds = math.floor((loop.now() - began) / 20)
    assert.is_true(copy:status().requests <= before + rounds * #shared.cluster.nodes, copy:status().requests - before)
  end)

  it("reads after a loss only what differs", function()
    if shared.is_real then return end -- the next spec says the same of it, more slowly
    write(1, 2000, function(i) return i end)
    assert(map:synced(60))
    local copy, states = map:replicate(), {}
    copy:on("state", function(to) states[#states + 1] = to end)
    local before = copy:status().requests
    shared.cluster:fault("all", "reset")
    for i = 1, 20 do assert(written:set("k" .. i, -i)) end
    for i = 21, 30 do assert(written:remove("k" .. i)) end
    assert(writer:drain(60))
    eventually("it is live again", function() return states[2] and copy:status().state == "live", states end)
    assert_right(map)
    local asked = copy:status().requests - before
    assert(asked < 600, asked .. " requests for 30 changed keys of 2,000")
  end)

  it("ends with close, and the map has this client's own writes again", function()
    write(1, 10, function(i) return i end)
    assert(map:set("own", 1))
    assert(reader:drain(60))
    local copy, calls = map:replicate(), 0
    map:watch(nil, function() calls = calls + 1 end)
    assert(map:synced(60))
    eventually("all is told", function() return calls == 11, calls end) -- its own, too, as that was there
    local states = {}
    copy:on("state", function(to, from, why) states[#states + 1] = { to, from, why } end)
    copy:close()
    copy:close()
    assert.same({ { "off", "live", "closed" } }, states)
    assert.same({ 1, 1, "off" }, { map:get "own", map:size(), copy:status().state })
    local ok, err = copy:synced(1)
    assert.same({ nil, "CLOSED" }, { ok, err.code })
    write(1, 10, function(i) return -i end)
    assert.equal(11, calls)
    assert_right(map) -- a new one
    assert.not_equal(copy, map:replicate())
  end)

  it("is what a listener of changes makes of a map, unless it wants hints only", function()
    write(1, 50, function(i) return i end)
    local last, hints = {}, reader:map(shared:map_name())
    map:on("change", function(key, value, origin)
      last[key] = value == nil and "none" or value
      assert.not_equal("snapshot", origin)
    end)
    assert_right(map)
    assert.same({}, last)
    write(1, 30, function(i) return -i end)
    assert(written:remove "k50")
    assert(writer:drain(60))
    assert_right(map)
    eventually("all is heard of", function()
      for i = 1, 30 do
        if last["k" .. i] ~= -i then return false, i, last["k" .. i] end
      end
      return last.k50 == "none"
    end)
    hints:on("change", function() end, { replicate = false })
    assert.is_nil(hints.copy)
    assert.error_matches(function() map:on("change", print, { replicat = false }) end, "did you mean 'replicate'")
  end)

  it("refuses options that do not exist", function()
    assert.error_matches(function() map:replicate { on_los = "drop" } end, "did you mean 'on_loss'")
    for name, options in pairs { ["keys: a node's hashes"] = { keys = { "k1" } }, ["keys:"] = { keys = "k" }, ['visible = "owner": a node'] = { visible = "owner" } } do
      local copy, err = map:replicate(options)
      assert.same({ "UNSUPPORTED", map.name, false }, { err.code, err.map, err.retriable })
      assert.is_nil(copy)
      assert.is_nil(map.copy)
      assert.truthy(err.message:find(name, 1, true), err.message)
    end
    assert.error_matches(function() map:watch("k", 5) end, "a function is expected, got number")
    assert.error_matches(function() map:watch("", print) end, "the key has 1 to 65535 bytes")
  end)

  local function restart(id)
    assert(shared.cluster:kill(id))
    for _, client in ipairs { writer, reader } do
      eventually(id .. " is lost", function() return #client:connected_nodes() < #shared.cluster.nodes end)
    end
    shared:restart(id, writer)
    eventually(id .. " is followed again", function() return #reader:connected_nodes() == #shared.cluster.nodes end)
  end

  for _, on_loss in ipairs { "keep", "drop" } do
    it("of a node that is gone for good is live without it, and " .. on_loss .. "s what it held", function()
      write(1, 300, function(i) return i end)
      local copy = map:replicate { on_loss = on_loss }
      assert(map:synced(60))
      local held = 0
      for _ in pairs(assert(writer:holdings("node-2", map.name))) do held = held + 1 end
      if shared.is_0_11 then held = 0 end -- the backups have it
      assert(shared.cluster:kill "node-2")
      eventually("it is live without the node", function()
        local status = copy:status()
        return status.state == "live" and not status.equal_at["node-2"], status
      end, 120)
      assert(map:synced(60))
      local keeps = on_loss == "keep"
      assert.same({ keeps and held or 0, keeps and 300 or 300 - held }, { copy:status().lost, map:size() })
      shared:restart("node-2", writer)
      eventually("it is followed again", function() return copy:status().equal_at["node-2"] end)
      if shared:keeps_records() then
        eventually("what it has is lost no more", function() return copy:status().lost == 0 and map:size() == 300 end)
      end
    end)

    it("of a node that came up empty " .. on_loss .. "s what it held", function()
      if shared:keeps_records() then return end
      write(1, 300, function(i) return i end)
      local copy, told, removed = map:replicate { on_loss = on_loss }, nil, 0
      copy:on("lost", function(_, keys)
        told = {}
        for _, key in ipairs(keys) do told[key] = true end
      end)
      map:watch(nil, function(_, value, origin) if value == nil and origin == "lost" then removed = removed + 1 end end)
      assert(map:synced(60))
      restart "node-2"
      assert(map:synced(60))
      local gone = 300
      for _ in pairs(checker.expected(writer, map.name)) do gone = gone - 1 end
      if shared.is_0_11 then -- the backups have it
        assert.same({ 0, 0, 300 }, { gone, copy:status().lost, map:size() })
      elseif on_loss == "keep" then
        eventually("the losses are told", function() return told end)
        assert(gone > 0)
        assert.same({ gone, 300 }, { copy:status().lost, map:size() })
      else
        eventually("the losses are told", function() return removed == gone, removed end)
        assert.same({ 0, 300 - gone }, { copy:status().lost, map:size() })
      end
      assert_right(map, told)
      -- What is written again is lost no more.
      write(1, 300, function(i) return -i end)
      assert_right(map)
      assert.same({ 0, 300 }, { copy:status().lost, map:size() })
    end)
  end
end)

clusters.on_each(env, "a replica of an empty map", function(shared, it)
  it("takes what was announced before the first answer for no loss", function()
    local writer, reader = shared:started(), shared:started()
    local map, told, lost = reader:map "m", {}, 0
    assert(reader:map "another":synced(60)) -- the listening connection is there
    assert(shared.cluster:fault("all", "root-delay", 3600000)) -- the answer is given below
    map:replicate { on_loss = "drop" }:on("lost", function() lost = lost + 1 end)
    map:watch(nil, function(_, value) told[#told + 1] = value == nil and "none" or value end)
    eventually("the root is asked for", function() return (map.core_map:replica_node(0)) == "asking" end)
    assert(writer:map "m":set("k", "value"))
    eventually("it is announced", function() return map:get "k" end)
    local answer = core.encode { type = "SYNC_RESP_ROOT", payload = { mapName = "m", rootHash = 0, timestamp = { millis = 1, counter = 0, nodeId = "n" } } }
    assert(shared.cluster:command("send node-1 binary " .. hex(answer)))
    eventually("it is live", function() return map:replicate():status().state == "live" end)
    assert.same({ "value", 0 }, { map:get "k", map:replicate():status().lost })
    eventually("all is told", function() return told[1] and map:replicate():status().behind == 0 end)
    assert.same({ 0, 0 }, { lost, #told - 1 })
    assert(shared.cluster:fault("all", "none"))
  end)
end, { "sim://1" })

describe("a replica, of nodes that talk nonsense", function()
  local HOSTILE = {
    { type = "SYNC_RESP_ROOT", payload = { mapName = "m", rootHash = "no number" } },
    { type = "SYNC_RESP_ROOT", payload = { mapName = "m", rootHash = 2 ^ 40 } },
    { type = "SYNC_RESP_BUCKETS", payload = { mapName = "m", path = "", buckets = { zz = 1 } } },
    { type = "SYNC_RESP_BUCKETS", payload = { mapName = "m", path = "", buckets = 5 } },
    { type = "SYNC_RESP_BUCKETS", payload = { mapName = "m", path = "ffff", buckets = { ["1"] = 1 } } },
    { type = "SYNC_RESP_LEAF", payload = { mapName = "m", path = "000", records = { { key = "x" } } } },
    { type = "SYNC_RESP_LEAF", payload = { mapName = "m", path = "", records = { 1, 2 } } },
    { type = "SYNC_RESP_LEAF", payload = { mapName = "m", path = "0", records = {} } },
    { type = "SERVER_EVENT", payload = { mapName = "m", eventType = "PUT", key = "x", record = { value = 1, timestamp = { millis = 2 ^ 52, counter = 0, nodeId = "n" } } } },
    { type = "SERVER_EVENT", payload = { mapName = "m", eventType = "PUT", key = "x", record = 5 } },
    { type = "SERVER_EVENT", payload = { mapName = "m", eventType = "MOVED", key = "x" } },
  }

  local shared
  clusters.on_each(env, "one", function(one, it)
    it("takes none of it, and becomes equal", function()
      shared = one
      local writer, reader = shared:started(), shared:started()
      for i = 1, 500 do assert(writer:map "m":set("k" .. i, i)) end
      assert(writer:drain(60))
      local map = reader:map "m"
      map:replicate()
      for _ = 1, 10 do
        for _, message in ipairs(HOSTILE) do
          for _, node in ipairs(shared.cluster.nodes) do assert(shared.cluster:command(("send %s binary %s"):format(node.id, hex(core.encode(message))))) end
        end
        loop.sleep(0.005)
      end
      assert(map:synced(60))
      assert.is_nil(checker.differences(map, checker.expected(writer, "m")))
      assert.equal(500, map:size())
    end)
  end, { "sim://2" })
end)
