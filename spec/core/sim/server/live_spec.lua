--- What listeners hear of a write: from the simulated server as from the real one.
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local raw = require "spec.support.raw_connections"
local uuid = require "wingman.base.uuid"

clusters.on_each(getfenv(), "a change", function(shared, it)
  local name, writer, other

  before_each(function()
    name = shared:map_name()
    writer, other = raw.open(shared, 2)
  end)

  -- A condition that no record fulfils: its listener hears events only.
  local function never() return { where = { __wm_none = uuid.v4() } } end

  local function write(...) writer:write { ... } end

  it("is not announced to the connection that wrote it, but to another one of the same user", function()
    writer:subscribe(name, {})
    other:subscribe(name, {})
    write(raw.put(name, "a", 1))
    assert.same({ 1, 1 }, { #other:expect(1, "SERVER_EVENT"), #other:expect(1, "QUERY_UPDATE") })
    assert.equal(0, #writer:expect(0, "SERVER_EVENT"))
    local own = shared.is_0_11 and 1 or 0 -- the writer's own query is updated there
    assert.equal(own, #writer:expect(own, "QUERY_UPDATE"))
  end)

  it("is announced with the time that the record has", function()
    other:subscribe(name, {})
    local put = raw.put(name, "a", 1)
    write(put)
    local announced = other:expect(1, "SERVER_EVENT")[1].record.timestamp
    local held = other:leaf(name, "a").record.timestamp
    assert.same(held, announced)
    assert.equal(shared.is_0_11, announced.nodeId == put.record.timestamp.nodeId)
  end)

  it("comes as two messages to a query that it matches, with what happened to the record there", function()
    other:subscribe(name, { where = { team = "red" } })
    write(raw.put(name, "a", { team = "red" }))
    write(raw.put(name, "a", { team = "red", score = 1 }))
    write(raw.put(name, "a", { team = "blue" }))
    local field, last = "changeType", "LEAVE"
    if shared.is_0_11 then field, last = "type", "REMOVE" end
    local changes = {}
    for i, update in ipairs(other:expect(3, "QUERY_UPDATE")) do changes[i] = { update.key, update[field] } end
    assert.same({ { "a", shared.is_0_11 and "UPDATE" or "ENTER" }, { "a", "UPDATE" }, { "a", last } }, changes)
    assert.equal(3, #other:expect(3, "SERVER_EVENT"))
  end)

  it("is heard by a query that never matches as an event, and as nothing else", function()
    write(raw.put(name, "before", 1))
    assert.same({}, other:subscribe(name, never()).results)
    local ops = {}
    for i = 1, 20 do ops[i] = raw.put(name, "key-" .. i, i) end
    write(unpack(ops))
    write(raw.remove(name, "key-1"))
    local heard = {}
    for _, event in ipairs(other:expect(21, "SERVER_EVENT")) do heard[event.key] = (heard[event.key] or 0) + 1 end
    for i = 2, 20 do assert.equal(1, heard["key-" .. i], "key-" .. i) end
    assert.equal(2, heard["key-1"])
    assert.is_nil(heard.before)
    assert.equal(0, #other:of_type "QUERY_UPDATE")
  end)

  it("that removes a record carries no record and no time on v2, and a nil with a time on 0.11", function()
    write(raw.put(name, "a", 1))
    other:subscribe(name, {})
    write(raw.remove(name, "a"))
    local event = other:expect(1, "SERVER_EVENT")[1]
    if shared.is_0_11 then
      assert.same({ "UPDATED", core.null }, { event.eventType, event.record.value })
      assert.equal("raw", event.record.timestamp.nodeId)
    else
      assert.same({ mapName = name, eventType = "REMOVE", key = "a" }, event)
    end
    local updates = other:expect(1, "QUERY_UPDATE")
    assert.same({ 1, core.null }, { #updates, updates[1].value })
  end)

  it("of a key that is not there is announced all the same, but not to a query", function()
    other:subscribe(name, {})
    write(raw.remove(name, "nobody"))
    assert.equal(1, #other:expect(1, "SERVER_EVENT"))
    assert.equal(0, #other:of_type "QUERY_UPDATE")
  end)

  it("is not sent to a query on 0.11 when it is one of numbers, or leads to false, 0 or \"\"; it is announced all the same", function()
    other:subscribe(name, {})
    local values = { 1, 2, 3, "text", false, 0, "", true, "more" }
    for _, value in ipairs(values) do write(raw.put(name, "a", value)) end
    write(raw.remove(name, "a"))
    if shared.is_0_11 then values = { 1, "text", true, "more" } end
    values[#values + 1] = core.null
    local reported = {}
    for i, update in ipairs(other:expect(#values, "QUERY_UPDATE")) do reported[i] = update.value end
    assert.same(values, reported)
    assert.equal(10, #other:expect(10, "SERVER_EVENT"))
  end)

  -- Batches of so many operations, each sent when the one before was acknowledged, to one who listens.
  local function write_batches(batches, size)
    other:subscribe(name, never())
    for b = 1, batches do
      local ops = {}
      for i = 1, size do ops[i] = raw.put(name, ("%d-%d"):format(b, i), i) end
      writer:write(ops)
    end
  end

  it("of small batches, one after the other, is heard by a listener each time", function()
    write_batches(20, 50)
    assert.equal(1000, #other:expect(1000, "SERVER_EVENT"))
  end)

  it("of one large batch is dropped on v2 where too many wait; what is asked is answered all the same", function()
    write_batches(1, 2000)
    if shared.is_0_11 then return assert.equal(2000, #other:expect(2000, "SERVER_EVENT")) end
    local heard = #other:expect(1, "SERVER_EVENT")
    assert(heard > 0 and heard < 2000, heard .. " of 2000 events were heard")
    assert.is_truthy(other:root(name) ~= 0)
    write(raw.put(name, "after", 1))
    other:expect(heard + 1, "SERVER_EVENT")
    assert.equal(2001, #other:subscribe(name, {}).results)
  end)
end, { "sim://1", "sim://1?dialect=0.11", "topgun://1" })

clusters.on_each(getfenv(), "a change in a 0.11 cluster", function(shared, it)
  it("is no event, but a text for the queries that it matches; they lack false, 0 and \"\"", function()
    local name = shared:map_name()
    local keys = clusters.keys_of(shared:started(), shared.cluster.nodes[1].id, 4)
    local writer, other, unmatched = raw.open(shared, 3)
    writer:write { raw.put(name, keys[1], false), raw.put(name, keys[2], 0), raw.put(name, keys[3], ""), raw.put(name, keys[4], 1) }
    assert.same({ { key = keys[4], value = 1 } }, other:subscribe(name, {}).results)
    unmatched:subscribe(name, { where = { none = true } })
    for _, value in ipairs { 2, 3, "text" } do writer:write { raw.put(name, keys[4], value) } end
    local update = other:await("an update", function(message) return message.type == "QUERY_UPDATE" end).payload
    assert.same({ keys[4], "text", "UPDATE" }, { update.key, update.value, update.type })
    for _, connection in ipairs { other, unmatched } do
      connection:settle()
      assert.equal(0, #connection:of_type "SERVER_EVENT")
    end
    assert.equal(0, #unmatched:of_type "QUERY_UPDATE")
  end)
end, { "sim://3?dialect=0.11" })

for most, heard in pairs { [0] = 300, [1] = 1, [299] = 299, [300] = 300 } do
  clusters.on_each(getfenv(), "with room for " .. most .. " events", function(shared, it)
    it("a simulated v2 node sends as many of a batch, and counts those that it drops", function()
      local writer, listener = raw.open(shared, 2)
      listener:subscribe("m", { where = { none = true } })
      local ops = {}
      for i = 1, 300 do ops[i] = raw.put("m", "key-" .. i, i) end
      writer:write(ops)
      listener:settle()
      assert.equal(heard, #listener:of_type "SERVER_EVENT")
      assert.equal(300 - heard, shared.cluster:stats()["node-1"].events_dropped)
    end)
  end, { "sim://1?event_queue=" .. most })
end
