--- Queries that would not be whole; subscriptions: what they cost while nothing changes, and
--- what they leave alone.
local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"
local wingman = require "wingman"

local KEYS = 5000
local VALUE = { text = ("x"):rep(100) }

local function received(client)
  local bytes = 0
  for _, connections in ipairs { client.provider.connections, client.listeners.connections } do
    for connection_id in pairs(connections.by_id) do bytes = bytes + client.core:connection_info(connection_id).bytes_in end
  end
  return bytes
end

clusters.on_each(getfenv(), "a subscription", function(shared, it)
  local name, writer, client

  before_each(function()
    name, writer, client = shared:map_name(), shared:started { oplog = { max_ops = 2 * KEYS } }, shared:started()
    for i = 1, KEYS do assert(writer:map(name):set("key-" .. i, VALUE)) end
    assert(writer:drain(30))
    while not loop.step(1000) do end
  end)

  -- Waits for `is_so(bytes that came since)`; how often it was looked.
  local function await(what, before, is_so)
    local looks = 0
    eventually(what, function()
      looks = looks + 1
      return is_so(received(client) - before, looks), received(client) - before
    end)
    return looks
  end

  -- Lua memory that one look takes, with the garbage collector stopped (KB): the slower the machine,
  -- the more often it is looked.
  local function kilobytes_of_a_look()
    local kilobytes = collectgarbage "count"
    await("50 looks", 0, function(_, looks) return looks == 50 end)
    return (collectgarbage "count" - kilobytes) / 50
  end

  it("leaves the copy of the map, which a 0.11 server answers it with, in the core", function()
    if not shared.is_0_11 then return end
    local before = received(client)
    local heard = 0
    finally(function() collectgarbage "restart" end)
    collectgarbage()
    collectgarbage "stop"
    local of_a_look, kilobytes = kilobytes_of_a_look(), collectgarbage "count"
    client:map(name):on("change", function() heard = heard + 1 end, { replicate = false })
    local looks = await("most of the answer has come", before, function(bytes) return bytes > KEYS * 100 end)
    while not loop.step(1000) do end
    kilobytes = collectgarbage "count" - kilobytes - looks * of_a_look
    collectgarbage "restart"
    assert.is_true(kilobytes < KEYS * 100 / 1024, ("%.0f KB"):format(kilobytes))
    assert.equal(0, heard)
  end)

  it("gets no copy of the map from a v2 server, and each change once", function()
    if shared.is_0_11 then return end
    local before, heard, last = received(client), {}, {}
    client:map(name):on("change", function(key, value)
      heard[#heard + 1] = { key, value }
      last[key] = value
    end, { replicate = false })
    -- Each node tells of its own, once its listening connection is there.
    for _, node in ipairs(shared.cluster.nodes) do
      local key, rounds = clusters.keys_of(writer, node.id, 1)[1], 0
      eventually("a change is heard of from " .. node.id, function()
        rounds = rounds + 1
        assert(writer:map(name):set(key, "round " .. rounds))
        return last[key]
      end)
      eventually("the last change is heard of", function() return last[key] == "round " .. rounds, last[key] end)
    end
    heard = {}
    for i = 1, 50 do assert(writer:map(name):set("key-" .. i, i)) end
    eventually("50 changes are heard of", function() return #heard == 50, #heard end)
    assert.equal(50, client:map(name):get "key-50")
    assert.is_true(received(client) - before < KEYS * 20, received(client) - before)
  end)

  it("keeps no answer from a query of the same map", function()
    if shared:has_no_queries(getfenv()) then return end
    client:map(name):on("change", function() end, { replicate = false })
    local values = wingman.by_key(assert(client:query(name, { where = {} })))
    assert.same(VALUE, values["key-1"])
  end)
end)

clusters.on_each(getfenv(), "a subscription of a cluster that tells it of changes by JSON texts", function(shared, it)
  it("does not warn of a text that is too large, as nobody reads it", function()
    local name, writer, client = shared:map_name(), shared:started(), shared:started()
    client:map(name):on("change", function() end, { replicate = false })
    assert(writer:map(name):set("first", 1))
    assert(writer:drain(30))
    local before, size = received(client), client.options.max_text_bytes + 1000
    for i = 1, 5 do assert(writer:map(name):set("key-" .. i, ("v"):rep(size))) end
    eventually("some of the texts have come", function() return received(client) - before > 3 * size, received(client) - before end)
    while not loop.step(1000) do end
    assert.same({}, shared:logged "message_too_large")
    assert.equal(0, client:stats().messages_too_large)
  end)
end, { "sim://3?dialect=0.11" })

clusters.on_each(getfenv(), "a query", function(shared, it)
  it("is whole, or an error that names the owner that was not asked", function()
    if shared:has_no_queries(getfenv()) then return end
    local name, writer = shared:map_name(), shared:started()
    for i = 1, 300 do assert(writer:map(name):set("key-" .. i, i)) end
    assert(writer:drain(60))
    local client = shared:started {
      cluster = { seeds = { shared.cluster.urls[1], shared.cluster.urls[2] } },
      endpoint = function(id, url) return id == "node-3" and "ws://127.0.0.1:1" or url end,
    }
    eventually("2 nodes are connected", function() return #client:connected_nodes() == 2, client:connected_nodes() end)
    local values, err = client:query(name)
    if shared.is_0_11 then -- the backups have what the owner has
      return assert.equal(300, #assert(values, err))
    end
    assert.is_nil(values)
    assert.equal("NOT_CONNECTED", err.code)
    assert.truthy(err.message:find("node-3, the owner of 90 of 271 partitions, is not connected", 1, true), err.message)
  end)
end)

describe("the options of a query", function()
  local client
  setup(function() client = wingman.client { cluster = "sim://1", log_to = function() end } end)
  teardown(function() client:close() end)

  it("are refused at once, by name, when they are wrong", function()
    for _, case in ipairs {
      { { limit = -1 }, "option limit: a whole number from 1 to 4294967295 is expected, got -1" },
      { { limit = 0 }, "option limit: a whole number from 1 to 4294967295 is expected, got 0" },
      { { limit = 1.5 }, "option limit: a whole number" }, { { limit = 2 ^ 32 }, "option limit: a whole number" },
      { { limit = 0 / 0 }, "option limit: a whole number" }, { { limit = "x" }, "is expected, got 'x'" },
      { { where = 5 }, "option where: a table of fields and their values is expected, got 5" },
      { { where = { 1 } }, "option where: " }, { { predicate = "a > 1" }, "option predicate: a table" },
      { { sort = "" }, 'option sort: a field like "score desc", a list of these, or { field = "asc" or "desc" }, is expected, got \'\'' },
      { { sort = { n = "up" } }, "option sort: " }, { { sort = "n up" }, "option sort: " }, { { sort = { 1 } }, "option sort: " },
      { { sort = { a = "asc", b = "desc" } }, "option sort: " }, { { sort = { "a", b = "desc" } }, "option sort: " },
      { { where = { n = { gtee = 1 } } }, "option where 'n': unknown operator 'gtee'; did you mean 'gte'?" },
      { { where = { n = { ["$eqq"] = 1 } } }, "option where 'n': unknown operator '$eqq'; did you mean 'eq'?" },
      { { where = { n = { gt = {} } } }, "option where 'n': of the operator gt, a number or a string is expected" },
      { { where = { n = { between = { 1, "b" } } } }, "{ lowest, highest } is expected" },
      { { where = { n = { ["in"] = 1 } } }, "a list of values is expected" }, { { where = { n = {} } }, "operators are expected" },
      { { predicate = { op = "regex", attribute = "n", value = "x" } }, "option predicate: unknown operator 'regex'" },
      { { predicate = {} }, "option predicate: a string is expected for op" },
      { { predicate = { op = "eq", value = 1 } }, "option predicate: a string is expected for attribute" },
      { { predicate = { op = "not", children = {} } }, "one child is expected" }, { { predicate = { op = "and" } }, "a list of children" },
      { { offset = -1 }, "option offset: " }, { { timeout = -1 }, "option timeout: " },
      { { limt = 3 }, "unknown option 'limt'; did you mean 'limit'?" }, { { 3 }, "unknown option '1'" },
      { 5, "a table of options is expected, got number" }, { false, "a table of options is expected, got boolean" },
    } do
      local ok, err = pcall(function() local _ = client:query("m", case[1]) end)
      assert.is_false(ok, "not refused: " .. case[2])
      assert.truthy(err:find("queries_spec.lua:%d+: client:query: "), err)
      assert.truthy(err:find(case[2], 1, true), err)
    end
  end)

  it("are taken in each of their forms", function()
    for _, query in ipairs {
      {}, { limit = 1 }, { where = {} }, { where = { a = 1 }, sort = { n = "desc" } }, { predicate = { op = "gt", attribute = "n", value = 1 } },
      { sort = { { field = "n", direction = "asc" } }, limit = 2 ^ 32 - 1 },
      { sort = "x" }, { sort = { "n desc", "m" } }, { sort = {} }, { where = { n = { ["$gte"] = 1, lt = 5 } }, offset = 3, timeout = "2s" },
    } do
      assert.equal("NOT_CONNECTED", select(2, client:query("m", query)).code)
    end
  end)
end)
