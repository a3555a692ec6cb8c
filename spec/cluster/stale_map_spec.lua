--- A sign that the partition map is old makes the client ask at once; what follows
--- within the debounce window waits for its end. (When the next requests may go out:
--- spec/cluster/map_refresh_spec.lua.)
local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"

local PATIENCE = 60

clusters.on_each(getfenv(), "the partition map is asked for", function(shared, it)
  -- Windows that do not end while the spec looks; maps for who asks only.
  local function started(options)
    assert(shared.cluster:fault("all", "map-unpushed"))
    options = options or {}
    options.map_requests = { debounce = 0.05, max_wait = 600, refresh = 3600, throttle = function() return 3600 end }
    local client = shared:started(options)
    eventually("3 nodes are connected", function() return #client:connected_nodes() == 3, client:connected_nodes() end)
    local asking = client.provider.map_refresh
    eventually("the window of the connections ends", function() return not asking.debounce_timer end)
    asking.options.debounce = 3600
    return client, function() return client:router_stats().map_requests end
  end

  after_each(function()
    assert(shared.cluster:fault("all", "none"))
  end)

  it("at once when a node is lost, and once more for what is lost within the window", function()
    local client, requests = started { reconnect = "never" }
    local before, at = requests(), {}
    client:on("node_lost", function() at[#at + 1] = requests() - before end)
    assert(shared.cluster:fault("node-3", "drop"))
    eventually("the first loss is noticed", function() return #at == 1, #at end)
    assert(shared.cluster:fault("node-2", "drop"))
    eventually("the second loss is noticed", function() return #at == 2, #at end)
    assert.same({ 1, 1 }, at)
  end)

  it("at once when a server says that a batch belongs elsewhere", function()
    for _, code in ipairs { "NOT_OWNER", "STALE_MAP" } do
      local client, requests = started()
      local before, at = requests(), nil
      client:on("server_error", function() at = at or requests() - before end)
      assert(shared.cluster:fault("node-1", "error", code, 1))
      local key = clusters.keys_of(client, "node-1", 1)[1]
      assert(client:wait(assert(client:map(shared:map_name()):set(key, 1)), PATIENCE))
      assert.equal(1, at, code)
      client:close()
    end
  end)

  it("at once when a write has no route", function()
    local client, requests = started { routing = function(partition, view)
      return partition.id % 2 == 0 and view:usable(partition.owner) and partition.owner or nil
    end }
    local before = requests()
    local map = client:map(shared:map_name())
    for i = 1, 20 do assert(map:set("key-" .. i, i)) end
    for _ = 1, 5 do loop.iterate(0) end
    assert.equal(1, requests() - before, "it was not asked for at once")
  end)
end, { "sim://3", "sim://3?dialect=0.11" })
