--- The simulated cluster as a sink: it reads, counts and acknowledges, and stores nothing.
local loop = require "wingman.loop"
local sim = require "wingman.sim"
local wingman = require "wingman"

describe("a simulated cluster that is a sink", function()
  for _, dialect in ipairs { "v2", "0.11" } do
    it("acknowledges every batch and keeps none of it (" .. dialect .. ")", function()
      local cluster = assert(sim.start { nodes = 3, dialect = dialect, sink = true })
      finally(function() cluster:stop() end)
      -- What tells the hash of a 0.11 cluster is a record that it keeps.
      local client = wingman.client { cluster = { seeds = cluster.urls }, auth = { token = cluster.token }, hash = "fnv1a" }
      assert(client:start())
      local map = client:map "m"
      for i = 1, 500 do assert(map:set("k" .. i, i)) end
      assert(client:drain(60))
      assert.equal(500, client:stats().ops_acked)
      local ops = 0
      for _, node in pairs(assert(cluster:stats())) do ops = ops + node.ops end
      assert.equal(500, ops)
      for _, count in pairs(assert(cluster:counts "m")) do assert.equal(0, count) end
      client:close()
      loop.sleep(0)
    end)
  end
end)
