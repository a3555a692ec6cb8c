--- A leaf of more than 512 KiB, in place of which a v2 server closes the connection: who reads it is told, and nobody
--- else notices.
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local loop = require "wingman.loop"

local LONG = { timeout = 60 }
local PATIENCE = 60
local SMALL = 40

-- Two keys in one leaf, also of their partition's tree.
local function keys_of_one_leaf()
  local by_leaf = {}
  for i = 1, 100000 do
    local key = "large-" .. i
    local hash = core.hash_fnv1a(key)
    local leaf = ("%d/%d"):format(hash % 271, math.floor(hash / 2 ^ 20))
    if by_leaf[leaf] then return by_leaf[leaf], key end
    by_leaf[leaf] = key
  end
end

clusters.on_each(getfenv(), "a leaf of more than 512 KiB", function(shared, it)
  local client, map, name, first, second, lost

  before_each(function()
    name, lost = shared:map_name(), 0
    first, second = keys_of_one_leaf()
    client = shared:started { reconnect = function() return 0.01 end }
    map = client:map(name)
    client.listeners:on("lost", function() lost = lost + 1 end)
    for i = 1, SMALL do assert(map:set("small-" .. i, i)) end
    for _, key in ipairs { first, second } do assert(map:set(key, ("x"):rep(300 * 1024))) end
    assert(client:drain(PATIENCE))
  end)

  -- Writes until `task` is done; none is sent twice.
  local function write_beside(task)
    local before, count = client:stats(), 0
    while not task.done do
      count = count + 1
      assert(client:wait(assert(map:set("beside", count)), PATIENCE))
    end
    local stats = client:stats()
    assert.same({ before.ops_resent, before.losses, 1 }, { stats.ops_resent, stats.losses, client:health().nodes[1].connects })
  end

  local function assert_too_large(value, err)
    assert.is_nil(value)
    assert.same({ "TOO_LARGE", name, false }, { err.code, err.map, err.retriable }, tostring(err))
    assert.truthy(err.message:find("more than 512 KiB", 1, true), err.message)
  end

  -- With more questions under way 2.2.0 may go silent instead, until the heartbeat ends the connection.
  local few = shared.url:find "^topgun" and 0 or SMALL

  it("makes a read of it fail, and no other read and no write", function()
    local tasks = {}
    local large = loop.spawn(function() return { map:read(first, LONG) } end)
    for i = 1, few do tasks[i] = loop.spawn(function() return { map:read("small-" .. i, LONG) } end) end
    write_beside(large)
    for i, task in ipairs(tasks) do assert.same({ i }, { assert(task:wait(PATIENCE))[1] }) end
    local value, err = unpack(large:wait(PATIENCE), 1, 2)
    if shared.is_0_11 then return assert.equal(300 * 1024, #value) end
    assert_too_large(value, err)
    local so_far = lost
    assert.is_true(so_far >= 2)
    assert_too_large(map:read(second, LONG)) -- known by now
    assert_too_large(map:read({ "small-1", first }, LONG))
    assert.equal(so_far, lost)
    assert.equal(7, (map:read("small-7", LONG)))
  end)

  for what, read in pairs(shared.url:find "^topgun" and {} or {
    ["a query"] = function() return client:query(name, LONG) end,
    ["holdings"] = function() return client:holdings(client:connected_nodes()[1], name) end,
  }) do
    it("makes " .. what .. " fail, and no write", function()
      local task = loop.spawn(function() return { read() } end)
      write_beside(task)
      local value, err = unpack(task:wait(PATIENCE), 1, 2)
      if shared.is_0_11 then return assert.is_table(value) end
      assert_too_large(value, err)
      local so_far = lost
      assert_too_large(read())
      assert.equal(so_far, lost)
      assert.equal(7, (map:read("small-7", LONG)))
    end)
  end
end, { "sim://1", "sim://1?dialect=0.11", "topgun://1" })
