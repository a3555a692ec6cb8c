--- A client that has a replica is closed while writes are under way.
local clusters = require "spec.support.cluster"

clusters.on_each(getfenv(), "a client with a replica", function(shared, it)
  it("is closed with writes that nobody has looked at yet", function()
    for _ = 1, 2 do
      local client = shared:started()
      local map = client:map "closed"
      assert(map:synced(60))
      for i = 1, 600 do assert(map:set("k" .. i, i)) end
      assert(client:drain(60))
      for i = 1, 600 do assert(map:set("k" .. i, -i)) end
      client:close()
    end
    assert.equal("number", type(shared:started():map("closed"):size()))
  end)
end, { "sim://1" })
