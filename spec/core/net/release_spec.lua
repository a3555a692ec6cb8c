--- Which server of its family answers: known from the connection itself, before anything is asked about data.
local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"
local raw = require "spec.support.raw_connections"
local sim = require "wingman.sim"
local wingman = require "wingman"

clusters.on_each(getfenv(), "the release", function(shared, it)
  local function expected()
    if shared:is_head() then return "head" end
    return shared.is_0_11 and "0.11" or "2.2.0"
  end

  it("is known with the family, of each node", function()
    assert.equal("unknown", shared:client():release())
    local client = shared:started()
    assert.equal(expected(), client:release())
    assert.equal(expected(), client:health().nodes[1].release)
    for _, connection in ipairs(shared.is_real and {} or assert(shared.cluster:connections "node-1")) do
      assert.is_nil(connection.carried.DEVICE_HELLO) -- it was not asked for
    end
  end)

  -- A question that a server of 2.2.0 does not know, and one of head answers only where no token is asked for.
  it("is asked for by a message that a server may not know, and takes no offence at", function()
    if shared.is_0_11 then return end
    local connection = raw.open(shared, 1)
    connection:send { type = "DEVICE_HELLO" }
    connection:settle()
    assert.equal(0, #connection:of_type "ERROR")
    for _, message in ipairs(connection.heard) do assert.not_equal("DEVICE_ACK", message.type) end
  end)
end, { "sim://1", "sim://1?release=head", "sim://1?dialect=0.11", "topgun://1" })

describe("the release where no token is asked for", function()
  local cluster

  local function started(options)
    options.nodes, options.no_auth = 1, true
    cluster = assert(sim.start(options))
    local client = wingman.client { cluster = { seeds = cluster.urls }, heartbeat = { interval = 0.2 }, log_to = function() end }
    finally(function()
      client:close()
      cluster:stop()
    end)
    assert(client:start())
    return client
  end

  it("is known from the answer to DEVICE_HELLO", function()
    local client = started { release = "head" }
    eventually("head is known", function() return client:release() == "head", client:release() end)
    client:map("m"):set("k", 1)
    assert(client:drain(20))
    assert.equal("head", client:release())
  end)

  it("is 2.2.0 when that does not come, nor one to a heartbeat later", function()
    local client = started {}
    eventually("2.2.0 is known", function()
      local release = client:release()
      assert.not_equal("head", release)
      return release == "2.2.0", release
    end)
    assert.is_true(cluster:stats()["node-1"].pings >= 2)
  end)
end)
