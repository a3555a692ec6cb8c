--- The C client as a Lua object: what it refuses, and what it does when it is closed.
local core = require "wingman.core"
local wingman = require "wingman"

local NAN, INFINITY = 0 / 0, 1 / 0

describe("core client", function()
  local client, map
  before_each(function()
    -- Never started: nothing is connected.
    client = assert(wingman.client { server = "ws://127.0.0.1:1" })
    map = client.core:map "binding"
  end)
  after_each(function() client:close() end)

  it("refuses what is no node, connection, partition or position", function()
    local c = client.core
    for _, bad in ipairs { -1, 1, 1e9, NAN } do
      assert.has_error(function() c:set_node_id(bad, "node-1") end)
      assert.has_error(function() c:connect(bad) end)
      assert.has_error(function() c:connection_info(bad) end)
      assert.has_error(function() c:node_stats(bad) end)
    end
    assert.equal(0, c:add_node "ws://127.0.0.1:1")
    for _, bad in ipairs { -2, 1, 2 ^ 40, NAN, { 0, 1 }, { "node-1" }, { [271] = -2 }, "none", false } do
      assert.has_error(function() c:set_routes(bad) end)
    end
    assert.same({ 271, nil }, { c:set_routes(0) })
    assert.has_error(function() c:set_routes { -1, 5 } end)
    assert.equal(0, c:routes()[1], "a list with one bad route changes nothing")
    for _, bad in ipairs { -1, NAN, INFINITY, 2 ^ 60 } do
      assert.has_error(function() c:notify(bad) end)
      assert.has_error(function() c:operations(bad) end)
      assert.has_error(function() map:next(bad) end)
      assert.has_error(function() map:next_own(bad) end)
    end
    assert.has_error(function() c:set_hash "md5" end)
    assert.has_error(function() c:send(0, {}) end)
  end)

  it("drops the oldest for a provider of the script's own, too", function()
    local full = assert(wingman.client { server = "ws://127.0.0.1:1", oplog = { max_ops = 2, when_full = "drop_oldest" } })
    local m = full.core:map "m"
    assert(m:set("a", 1))
    full.core:foreign_take()
    assert(m:set("b", 2))
    assert(m:set("c", 3))
    assert.equal(2, (full.core:pending()))
    assert.equal(1, full.core:stats().ops_dropped)
    full:close()
  end)

  it("walks nothing from a position that there never was", function()
    assert(map:set("a", 1))
    assert.is_nil((map:next(2 ^ 53)))
    assert.is_nil((map:next_own(2 ^ 40)))
  end)

  it("refuses an invalid URL", function()
    local node_index, err = client.core:add_node "http://127.0.0.1"
    assert.is_nil(node_index)
    assert.equal("it is no ws:// or wss:// URL", err)
  end)

  it("refuses map events whose times are none, and takes the others", function()
    client.core:add_node "ws://127.0.0.1:1"
    local function take(value, millis, counter)
      return client.core:take_map_event(0, core.encode { mapName = "binding", key = "k", eventType = "PUT",
        record = { value = value, timestamp = { millis = millis, counter = counter, nodeId = "n" } } })
    end
    for _, bad in ipairs { -1, NAN, INFINITY, 2 ^ 53 } do assert.same({ nil, "an invalid time" }, { take(1, bad, 0) }) end
    for _, bad in ipairs { -1, NAN, 2 ^ 32 } do assert.same({ nil, "an invalid time" }, { take(1, 1, bad) }) end
    assert.is_true(take({ a = 1 }, 5, 0))
    assert.is_false(take({ a = 2 }, 4, 0))
    assert.same({ a = 1 }, map:get "k")
  end)

  it("says why a value cannot be written, and stays as it was", function()
    local seq, err = map:set("k", function() end)
    assert.is_nil(seq)
    assert.is_string(err)
    assert.is_nil(map:get "k")
    assert.equal(0, (client.core:pending()))
    assert.equal(1, map:set("k", { nested = { 1, 2, 3 } }))
    assert.same({ nested = { 1, 2, 3 } }, map:get "k")
  end)

  it("raises for everything once it is closed, and may be closed again", function()
    local c = client.core
    client:close()
    c:close()
    for name in pairs(getmetatable(c).__index) do
      if name ~= "close" then
        local ok, err = pcall(c[name], c, 0, 0, 0)
        assert.is_false(ok, name)
        assert.truthy(err:find("the client is closed", 1, true), name .. ": " .. err)
      end
    end
    for name in pairs(getmetatable(map).__index) do
      local ok, err = pcall(map[name], map, "a", 0, 0)
      assert.is_false(ok, name)
      assert.truthy(err:find("the client of this map is closed", 1, true), name .. ": " .. err)
    end
  end)

  it("takes no other object for itself", function()
    assert.has_error(function() client.core.pending(map) end)
    assert.has_error(function() map.size(client.core) end)
    assert.has_error(function() client.core.pending(nil) end)
  end)

  it("survives a finalizer that writes in the middle of a write", function()
    local other = client.core:map "other"
    for i = 1, 200 do
      getmetatable(newproxy(true)).__gc = function() assert(other:set("f" .. i, { i = i })) end
      local value = {}
      for k = 1, 50 do value["key" .. k] = ("x"):rep(k) .. i end
      assert(map:set("k" .. i, value))
      collectgarbage "step"
      assert.same(value, map:get("k" .. i))
    end
    collectgarbage()
    assert.equal(200, map:size())
    assert.equal(200, other:size())
  end)

  it("needs its options", function()
    assert.has_error(function() core.client(require("wingman.loop").core, {}) end)
    assert.has_error(function() core.client(nil, {}) end)
  end)
end)
