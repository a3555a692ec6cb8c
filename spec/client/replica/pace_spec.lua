--- How often a replica compares itself with the nodes: no more often in all because there are more of them.
local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"

local SECONDS, NODES = 3, 8

clusters.on_each(getfenv(), "a replica of a cluster of eight", function(shared, it)
  it("compares six times a second while the map changes, and not sixteen times", function()
    local writer, reader = shared:started(), shared:started()
    local written, map = writer:map "paced", reader:map "paced"
    map:replicate() -- before the nodes are known
    eventually("the reader is connected with every node", function() return #reader:connected_nodes() == NODES end)
    assert(map:synced(60))
    assert(shared.cluster:reset_stats())
    local began, round = loop.now(), 0
    while loop.now() - began < SECONDS do
      round = round + 1
      for key = 1, NODES * 2 do assert(written:set("k" .. key, round)) end
      loop.sleep(0.01)
    end
    local took, asked = loop.now() - began, 0
    for _, node in pairs(assert(shared.cluster:stats())) do asked = asked + node.sync_inits end
    -- Each node may have begun just before, and be compared once more after a walk.
    assert(asked > 0 and asked <= 6 * took + NODES, ("%d in %.1f s"):format(asked, took))
  end)
end, { "sim://" .. NODES })
