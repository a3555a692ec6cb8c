--- The route table: what is set in one call, and what that call says.
local wingman = require "wingman"

describe("the route table", function()
  local client, core
  before_each(function()
    client = assert(wingman.client { server = "ws://127.0.0.1:1" }) -- never started: nothing is connected
    core = client.core
    assert.equal(0, core:add_node "ws://127.0.0.1:1")
    assert.equal(1, core:add_node "ws://127.0.0.1:2")
  end)
  after_each(function() client:close() end)

  it("holds all partitions at first", function()
    assert.is_true(core:are_routes_new())
    assert.equal(271, #core:routes())
    for _, node_index in ipairs(core:routes()) do assert.equal(-1, node_index) end
    assert.same({}, core:partitions_at(0))
  end)

  it("takes one node for all partitions, or a list, whose nils leave a route as it is", function()
    assert.equal(271, (core:set_routes(0)))
    assert.is_false(core:are_routes_new())
    assert.equal(269, (core:set_routes { -1, nil, 1, nil, -1 }))
    local routes = core:routes()
    assert.same({ -1, 0, 1, 0, -1, 0 }, { unpack(routes, 1, 6) })
    assert.equal(0, routes[271])
  end)

  it("says which partitions go to another node than they last did", function()
    assert.is_nil(select(2, core:set_routes(0)), "they went nowhere before")
    assert.same({ 2, 0, 1, 4, 0, 1 }, select(2, core:set_routes { [3] = 1, [5] = 1, [6] = -1, [7] = 0 }))
    assert.is_nil(select(2, core:set_routes { [6] = 0 }), "it was held, and goes where it went before")
    core:set_routes { [6] = -1 }
    assert.same({ 5, 0, 1 }, select(2, core:set_routes { [6] = 1 }))
  end)

  it("knows the partitions of a node, those that are held since then, too", function()
    core:set_routes(0)
    core:set_routes { [3] = 1, [5] = 1 }
    core:set_routes { [5] = -1 }
    assert.same({ 2, 4 }, core:partitions_at(1))
    core:set_routes { [5] = 0 }
    assert.same({ 2 }, core:partitions_at(1))
  end)

  it("knows nothing of a node that was forgotten when another one has its index", function()
    core:set_routes(1)
    core:set_routes(-1)
    assert.is_true(core:forget_node(1))
    assert.equal(1, core:add_node "ws://127.0.0.1:3")
    assert.same({}, core:partitions_at(1))
    assert.is_nil(select(2, core:set_routes(0)), "what they came from is no more")
  end)

  it("is new once keys belong to other partitions", function()
    core:set_routes(0)
    assert(core:set_hash "fnv1a") -- as before: an unknown hash is taken for it
    assert.is_false(core:are_routes_new())
    assert(core:set_hash "xxh64")
    assert.is_true(core:are_routes_new())
    assert.same({ -1, -1 }, { core:routes()[1], core:routes()[271] })
    assert.same({}, core:partitions_at(0))
    assert.is_nil(select(2, core:set_routes(1)), "other partitions are meant than before")
  end)

  it("gives no queue another connection while none can be used", function()
    assert(client:map "routes":set("a", 1))
    core:set_routes(0)
    core:set_routes(1)
    assert.equal(0, core:route_changes())
  end)
end)
