--- What waits in the op log and for what; drain.
local backlog = require "wingman.client.health.backlog"
local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"

describe("a backlog", function()
  it("names only what there is", function()
    assert.equal("", backlog.text { pending = 0, held = 0, queued = 0, sent = 0, unverified = 0 })
    assert.equal("3 without a node to go to, 1 not sent yet, 2 sent, without an answer",
      backlog.text { pending = 6, held = 3, queued = 1, sent = 2, unverified = 0 })
  end)
end)

clusters.on_each(getfenv(), "the backlog", function(shared, it)
  it("is reported by cause, and by a drain that takes too long", function()
    local client = shared:started {
      batch = { ops = 10, in_flight = 2, ack_timeout = 60, linger = 60 }, heartbeat = { timeout = 60 }, unanswered = 60,
      reconnect = function() return 60 end, map_requests = { refresh = 3600, throttle = function() return 3600 end },
    }
    local map = client:map(shared:map_name())
    local paused, lost = clusters.keys_of(client, "node-1", 40), clusters.keys_of(client, "node-2", 7)
    assert(shared.cluster:pause "node-1")
    for _, key in ipairs(paused) do assert(map:set(key, 1)) end
    assert.same({ pending = 40, held = 0, queued = 40, sent = 0, unverified = 0 }, client:backlog())
    eventually("two batches are sent", function() return client:backlog().sent == 20, client:backlog() end)
    local left = client:backlog()
    assert.same({ pending = 40, held = 0, queued = 20, sent = 20, unverified = 0 }, left)
    assert(shared.cluster:fault("all", "map-withhold", true))
    assert(shared.cluster:kill "node-2")
    eventually("2 nodes are connected", function() return #client:connected_nodes() == 2, client:connected_nodes() end)
    for _, key in ipairs(lost) do assert(map:set(key, 1)) end
    local _, err = client:drain(0.1)
    assert.equal("TIMEOUT", err.code)
    assert.same({ 47, 7, left.queued, left.sent }, { err.pending, err.held, err.queued, err.sent })
    assert.truthy(err.message:find("7 without a node to go to", 1, true), err.message)
    assert(shared.cluster:fault("all", "none"))
    assert(shared.cluster:restart "node-2")
    assert(shared.cluster:resume "node-1")
  end)
end, { "sim://3", "sim://3?dialect=0.11" })

clusters.on_each(getfenv(), "drain", function(shared, it)
  it("sends what waits for company", function()
    local client = shared:started { batch = { linger = 60 } }
    for i = 1, 50 do assert(client:map(shared:map_name()):set("key-" .. i, i)) end
    loop.sleep(0.1)
    assert.equal(50, client:pending_ops())
    assert(client:drain(60))
    assert.equal(0, client:pending_ops())
  end)
end)
