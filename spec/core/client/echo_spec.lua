--- A v2 server tells the writer's other connections of each write: what was written before
--- must not take away what was written since.
local announcement = require "spec.support.announcement"
local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"

local KEYS = 60
--- How far the client's clock is ahead of the nodes' (ms).
local AHEAD_MS = 1000

for connections = 1, 2 do clusters.on_each(getfenv(), ("a client that gets its own writes back, of %d connections"):format(connections), function(shared, it)
  local client, map, other, key

  before_each(function()
    client = shared:started { connections_per_node = connections }
    map = client:map(shared:map_name())
    map:on("change", function() end, { replicate = false })
    other = shared:started():map(map.name)
    key = ("%s-%%d"):format(map.name)
    -- Both are subscribed once each hears of the other.
    eventually("a write of the other client is heard of", function()
      assert(other:set("first", 1))
      return map:get "first"
    end)
  end)

  -- What each node tells last: once that has come, all before has.
  local reported = 0
  local function all_is_told()
    reported = reported + 1
    local markers = {}
    for i, id in ipairs(client:connected_nodes()) do markers[i] = clusters.keys_of(other.client, id, 1)[1] end
    for _, marker in ipairs(markers) do assert(other:set(marker, reported)) end
    eventually("the last change of each node is heard of", function()
      for _, marker in ipairs(markers) do
        if map:get(marker) ~= reported then return false, marker, map:get(marker) end
      end
      return true
    end)
  end

  local function run_ahead()
    announcement.put(map, "clock", 1, { millis = require "wingman.core".wall_ms() + AHEAD_MS, counter = 0, nodeId = "x" })
  end

  -- What the map has of each key, by its number.
  local function assert_values(expected)
    for i = 1, KEYS do
      local value = map:get(key:format(i))
      assert.equal(expected(i), value and value.v, key:format(i))
    end
  end

  for _, clock in ipairs { "in time", "ahead" } do
    it("keeps the last of several, with a clock that is " .. clock, function()
      if clock == "ahead" then run_ahead() end
      local lost = {}
      map:on("change", function(name, value)
        if name:find(map.name, 1, true) then lost[#lost + 1] = name .. " = " .. tostring(value and value.v) end
      end, { replicate = false })
      for i = 1, KEYS do
        local name = key:format(i)
        assert(map:set(name, { v = "old" }))
        if i % 3 ~= 0 then assert(map:remove(name)) end
        assert(map:set(name, { v = "older" }))
        assert(map:set(name, { v = "new" }))
        if i % 3 == 0 then assert(map:remove(name)) end
      end
      assert(client:drain(60))
      all_is_told()
      assert.same({}, lost)
      assert_values(function(i) return i % 3 ~= 0 and "new" or nil end)
    end)
  end

  -- The first of two that are alike may be taken for the second, and what was between them
  -- for news; the second follows.
  it("ends with the last of several that are alike", function()
    for i = 1, KEYS do
      for _, value in ipairs { "a", "b", "a" } do
        assert(map:set(key:format(i), { v = value }))
        if i % 2 == 0 then assert(map:remove(key:format(i))) end
      end
    end
    assert(client:drain(60))
    all_is_told()
    assert_values(function(i) return i % 2 ~= 0 and "a" or nil end)
  end)

  it("takes what others write and remove afterwards", function()
    for i = 1, KEYS do assert(map:set(key:format(i), { v = "mine" })) end
    assert(client:drain(60))
    all_is_told()
    for i = 1, KEYS do
      if i % 2 == 0 then assert(other:remove(key:format(i))) else assert(other:set(key:format(i), { v = "theirs" })) end
    end
    assert(other.client:drain(60))
    all_is_told()
    assert_values(function(i) return i % 2 ~= 0 and "theirs" or nil end)
  end)

  -- No echo comes of what was acknowledged before.
  it("takes what others write of keys that it wrote just before it subscribed", function()
    local late = shared:started { connections_per_node = connections }:map(map.name .. "_late")
    local theirs = other.client:map(late.name)
    for i = 1, KEYS do assert(late:set(key:format(i), "mine")) end
    assert(late.client:drain(60))
    late:on("change", function() end, { replicate = false })
    for _, node in ipairs(shared.cluster.nodes) do
      local marker, n = clusters.keys_of(late.client, node.id, KEYS + 1)[KEYS + 1], 0
      eventually("it is subscribed at " .. node.id, function()
        n = n + 1
        assert(theirs:set(marker, n))
        return late:get(marker)
      end)
    end
    for i = 1, KEYS do
      if i % 2 == 0 then assert(theirs:remove(key:format(i))) else assert(theirs:set(key:format(i), "theirs")) end
    end
    eventually("every change is heard of", function()
      for i = 1, KEYS do
        local expected = i % 2 ~= 0 and "theirs" or nil
        if late:get(key:format(i)) ~= expected then return false, key:format(i), late:get(key:format(i)) end
      end
      return true
    end)
  end)
end, { "sim://3", "topgun://3" }) end
