--- What a query finds: the rows of the whole cluster, each once, and all of them.
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"
local sorted = require "wingman.base.sorted"
local wingman = require "wingman"

local PATIENCE = 60

clusters.on_each(getfenv(), "a query", function(shared, it)
  local name, client

  before_each(function() name, client = shared:map_name(), shared:started() end)

  local function fill(count)
    local values = {}
    for i = 1, count do values["p" .. i] = { score = (i * 7919) % 100, team = "t" .. i % 3 } end
    for key, value in pairs(values) do assert(client:map(name):set(key, value)) end
    assert(client:drain(PATIENCE))
    return values
  end

  it("is sorted and cut over all nodes", function()
    local values, expected = fill(300), {}
    for key, value in pairs(values) do
      if value.team == "t1" and value.score >= 30 then expected[#expected + 1] = { key = key, value = value } end
    end
    table.sort(expected, function(a, b)
      if a.value.score ~= b.value.score then return a.value.score > b.value.score end
      return a.key < b.key
    end)
    local query = { where = { team = "t1", score = { ["$gte"] = 30 } }, sort = { score = "desc" } }
    assert.same(expected, assert(client:query(name, query)))
    query.limit, query.offset = 10, 5
    assert.same({ unpack(expected, 6, 15) }, assert(client:query(name, query)))
    query.offset = #expected - 3
    assert.same({ unpack(expected, #expected - 2) }, assert(client:query(name, query)))
    query.offset = #expected
    assert.same({}, assert(client:query(name, query)))
  end)

  it("has its rows in the order of keys without a sort, so that pages fit together", function()
    local keys, paged = sorted.keys(fill(50)), {}
    for offset = 0, 49, 7 do
      for _, row in ipairs(assert(client:query(name, { limit = 7, offset = offset }))) do paged[#paged + 1] = row.key end
    end
    assert.same(keys, paged)
  end)

  it("finds values that are false, 0 or empty, and nothing that was removed", function()
    local values = { a = false, b = 0, c = "", d = {}, e = { x = core.null }, f = "gone" }
    for key, value in pairs(values) do assert(client:map(name):set(key, value)) end
    assert(client:drain(PATIENCE))
    client:map(name):remove "f"
    assert(client:drain(PATIENCE))
    values.f = nil
    assert.same(values, wingman.by_key(assert(client:query(name))))
  end)

  it("of a map that nobody wrote is empty", function() assert.same({}, assert(client:query(name))) end)

  it("shares a reading of the map with others that wait, and sees what was acknowledged before it", function()
    fill(100)
    local requests, roots = client.provider.requests, 0
    function requests.request(self, connection_id, message, ...)
      if message.type == "SYNC_INIT" then roots = roots + 1 end
      return getmetatable(self).__index.request(self, connection_id, message, ...)
    end
    local first = loop.spawn(client.query, client, name)
    eventually("the first query reads", function() return roots > 0 end)
    local later = {}
    for i = 1, 10 do
      assert(client:wait(assert(client:map(name):set("new-" .. i, i)), PATIENCE))
      later[i] = loop.spawn(client.query, client, name)
    end
    assert(first:wait(PATIENCE))
    for i, task in ipairs(later) do
      local rows = wingman.by_key(assert(task:wait(PATIENCE)))
      assert.equal(i, rows["new-" .. i], "query " .. i)
    end
    roots = 0
    for i = 1, 20 do later[i] = loop.spawn(client.query, client, name, { limit = i }) end
    for i, task in ipairs(later) do assert.equal(i, #assert(task:wait(PATIENCE))) end
    assert.equal(#shared.cluster.nodes, roots)
  end)

  it("raises what its condition raises, and the next one reads", function()
    fill(20)
    local reader = require "wingman.client.query.reader"
    loop.on_error(function() end) -- the nodes that were not waited for yet
    local raised = loop.spawn(function()
      return tostring(select(2, pcall(reader.rows, client, name, function() error "on purpose" end, PATIENCE)))
    end):wait(PATIENCE)
    loop.on_error(nil)
    assert.truthy(raised:find("on purpose", 1, true), raised)
    eventually("nothing is left of it", function() return next(client.query_readings) == nil end)
    assert.equal(20, #assert(client:query(name)))
  end)

  it("has its rows while others remove what it is about to read", function()
    local values, map = fill(1200), client:map(name)
    local reader = shared:started()
    local remover = loop.spawn(function()
      for i = 1, 1200, 3 do
        assert(map:remove("p" .. i))
        if i % 60 == 1 then assert(client:drain(PATIENCE)) end
      end
      return assert(client:drain(PATIENCE))
    end)
    repeat
      local rows = wingman.by_key(assert(reader:query(name)))
      for i = 2, 1200, 3 do assert.same(values["p" .. i], rows["p" .. i]) end
    until remover.done
    assert(remover:wait())
    assert.equal(800, #assert(reader:query(name)))
  end)

  it("ends with TIMEOUT when it may not take long", function()
    fill(50)
    local rows, err = client:query(name, { timeout = 0 })
    assert.is_nil(rows)
    assert.equal("TIMEOUT", err.code)
    assert.equal(50, #assert(client:query(name)))
  end)
end)

-- The nodes of a v2 cluster keep what they are sent, whoever owns the key.
clusters.on_each(getfenv(), "a query of nodes that disagree", function(shared, it)
  it("believes the owner, also where only the other node's record matches", function()
    local name, client = shared:map_name(), shared:started()
    local key = clusters.keys_of(client, "node-1", 1)[1]
    local function send_to(id, value)
      for _, node in ipairs(client.provider:nodes()) do
        if node.id == id then
          assert(client.core:send(node.connection_ids[1], core.encode { type = "OP_BATCH", payload = { ops = { {
            id = "by-hand", mapName = name, key = key, opType = "PUT",
            record = { value = value, timestamp = { millis = core.wall_ms(), counter = 0, nodeId = "spec" } },
          } } } }))
        end
      end
      eventually(id .. " holds the record", function() return assert(client:holdings(id, name))[key] ~= nil end)
    end
    send_to("node-2", { n = 9 })
    assert.same({ { key = key, value = { n = 9 } } }, assert(client:query(name, { where = { n = 9 } })))
    send_to("node-1", { n = 1 })
    assert.same({}, assert(client:query(name, { where = { n = 9 } })))
    assert.same({ { key = key, value = { n = 1 } } }, assert(client:query(name)))
  end)
end, { "sim://3", "topgun://3" })
