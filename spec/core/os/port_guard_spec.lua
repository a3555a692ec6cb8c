--- Ports of nodes that are down: nobody else gets them.
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local sockets = require "spec.support.sockets"

local function port_of(node) return tonumber(node.url:match ":(%d+)") end

clusters.on_each(getfenv(), "the port of a node that is down", function(shared, it)
  it("is kept for it", function()
    local node = shared.cluster.nodes[1]
    local port = port_of(node)
    for _ = 1, 2 do
      assert(shared.cluster:kill(node.id))
      assert.is_true(sockets.is_kept(port))
      -- Servers set SO_REUSEADDR. A simulated node starts itself, so it need not let anybody in.
      if not shared.is_real then assert.is_nil(sockets.listen("127.0.0.1", port)) end
      assert(shared.cluster:restart(node.id))
      assert.is_nil(sockets.listen("127.0.0.1", port))
    end
    assert(shared:started())
  end)
end, { "sim://1", "sim://1?dialect=0.11", "topgun://1" })

describe("a port for a program that cannot be given port 0", function()
  it("is its own until it is given back", function()
    local port, guard = core.port_guard()
    assert.is_true(sockets.is_kept(port))
    local listener = assert(sockets.listen("127.0.0.1", port))
    listener:close()
    assert.is_true(sockets.is_kept(port))
    guard:close()
    guard:close()
    assert.is_false(sockets.is_kept(port))
  end)
end)
