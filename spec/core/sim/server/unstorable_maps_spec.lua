--- What a v2 server does with a map that its disk storage does not take: the simulated one,
--- which has no disk, as the real one while it lives. (What was discarded shows after its
--- restart, when neither has anything of any map.)
local clusters = require "spec.support.cluster"
local loop = require "wingman.loop"
local wingman = require "wingman"

local PATIENCE = 20

clusters.on_each(getfenv(), "a map that is discarded", function(shared, it)
  it("is acknowledged, heard, and found in memory all the same", function()
    local writer = shared:started { check_map_names = false }
    local listener = shared:started { check_map_names = false }
    for _, name in ipairs { "a-b", "1a", "_topgun_x", "x__backup" } do
      local heard
      listener:map(name):on("change", function(_, value) heard = value end, { replicate = false })
      for i = 1, PATIENCE * 5 do -- the first ones may be before the subscription
        assert(writer:map(name):set("key", i))
        assert(writer:drain(PATIENCE))
        if loop.wait_until(function() return heard == i end, 0.2) then break end
      end
      assert.equal(writer:map(name):get "key", heard, name .. " was not heard")
      assert.equal(heard, wingman.by_key(assert(listener:query(name))).key, name)
      local node = listener:connected_nodes()[1]
      assert.equal(heard, assert(listener:holdings(node, name)).key.value, name)
    end
  end)
end, { "sim://1", "topgun://1" })
