--- A replica's walk, of a node that is silent about a leaf which it listed: what is asked then, answer by answer. The node
--- knows nothing of the map, and its answers are given here.
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local hex = require("spec.core.support").hex
local eventually = require "spec.support.eventually"
local msgpack = require "wingman.base.msgpack"

local HELD = 3600000

clusters.on_each(getfenv(), "a replica's walk", function(shared, it)
  local map

  local function answer(kind, payload)
    payload.mapName = map.name
    assert(shared.cluster:command("send node-1 binary " .. hex(core.encode { type = kind, payload = payload })))
  end

  local function listed(path, buckets) answer("SYNC_RESP_BUCKETS", { path = path, buckets = buckets }) end

  local function root(hash) answer("SYNC_RESP_ROOT", { rootHash = hash, timestamp = { millis = 1, counter = 0, nodeId = "n" } }) end

  local function node()
    local state, _, _, requests, compares, walks, refused = map.core_map:replica_node(0)
    return { state = state, requests = requests, compares = compares, walks = walks, refused = refused }
  end

  local function asked(count)
    eventually(count .. " questions were asked", function() return node().requests == count, node() end)
  end

  -- Walks to the leaf a00, about which the node is silent.
  before_each(function()
    local reader = shared:started()
    map = reader:map(shared:map_name())
    assert(reader:map "another":synced(60)) -- the listening connection is there
    assert(shared.cluster:fault("all", "root-delay", HELD))
    map:replicate()
    eventually("the root is asked for", function() return node().state == "asking" end)
    root(5)
    asked(2)
    listed("", { a = 5 })
    asked(3)
    listed("a", { ["0"] = 5 })
    asked(4)
    listed("a0", { ["0"] = 5 })
  end)

  after_each(function() assert(shared.cluster:fault("all", "none")) end)

  it("asks for the place above, and ends when that lists the leaf no more", function()
    asked(6)
    assert.equal("walking", node().state)
    listed("a0", {})
    eventually("the roots are compared again", function() return node().compares == 2, node() end)
    assert.same({ 7, 1, 0 }, { node().requests, node().walks, node().refused })
  end)

  it("ends when that lists it as empty", function()
    asked(6)
    listed("a0", { ["0"] = 0 })
    eventually("the roots are compared again", function() return node().compares == 2, node() end)
    assert.equal(0, node().refused)
  end)

  it("waits for the place above when the leaf is answered after all", function()
    asked(6)
    answer("SYNC_RESP_LEAF", { path = "a00", records = msgpack.array {} })
    listed("a0", { ["0"] = 5 })
    eventually("the roots are compared again", function() return node().compares == 2, node() end)
    assert.same({ 7, 0 }, { node().requests, node().refused })
  end)

  it("asks for a leaf that is listed and silent three times, and counts that as an error", function()
    for try = 1, 3 do
      asked(4 + 2 * try)
      assert.equal(1, node().compares)
      listed("a0", { ["0"] = 5 })
    end
    eventually("the roots are compared again", function() return node().compares == 2, node() end)
    assert.same({ 11, 1 }, { node().requests, node().refused })
  end)

  it("does not ask a node again that answers nonsense about the place above", function()
    for try = 1, 3 do
      asked(4 + 2 * try)
      listed("a0", { zz = 5 })
    end
    eventually("the roots are compared again", function() return node().compares == 2, node() end)
    assert.same({ 11, 4 }, { node().requests, node().refused })
  end)
end, { "sim://1" })
