--- A client against clusters: order, kinds and sizes of values, waits, a full log, death of a node.
local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"

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
    assert.equal(size, #assert(client:holdings(client.provider:node_of("large").id, name)).large.value)
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
    for _, node in ipairs(client.provider.connections.nodes) do
      for _, connection_id in ipairs(node.connection_ids) do
        if client.core:connection_info(connection_id).state == "ready" then used = used + 1 end
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
