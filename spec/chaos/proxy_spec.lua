--- The proxy that stands in front of real nodes, in front of simulated ones.
package.path = "scripts/?.lua;" .. package.path
local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"
local proxy = require "chaos.proxy"

local OPS = 50

clusters.on_each(getfenv(), "chaos proxy", function(shared, it)
  local proxies, urls, client, map, keys, losses

  -- `patience`: seconds without an answer after which a connection is lost.
  local function start(patience)
    client = shared:started {
      cluster = { seeds = urls }, endpoint = "seeds", reconnect = function() return 0.03 end,
      heartbeat = { interval = patience / 4, timeout = patience }, batch = { ack_timeout = 60 },
    }
    client:on("node_lost", function(event) losses[#losses + 1] = event end)
    map, keys = client:map(shared:map_name()), clusters.keys_of(client, "node-1", OPS)
  end

  before_each(function()
    proxies, urls, losses = {}, {}, {}
    for i, node in ipairs(shared.cluster.nodes) do
      proxies[i] = assert(proxy.start(node.url))
      urls[i] = proxies[i].url
    end
    start(60)
  end)

  after_each(function()
    for _, p in ipairs(proxies) do p:close() end
  end)

  local function write()
    for _, key in ipairs(keys) do assert(map:set(key, { key = key })) end
  end

  local function held() return assert(shared.cluster:counts(map.name))["node-1"] end

  local function await_loss(reason)
    local loss
    eventually("the connection to node-1 is lost", function()
      for _, one in ipairs(losses) do
        if one.id == "node-1" then loss = one end
      end
      return loss, losses
    end)
    if reason then assert.equal(reason, loss.reason) end
  end

  local function await_all()
    assert(client:drain(60))
    assert.equal(OPS, held())
  end

  it("passes on what it gets", function()
    write()
    await_all()
    assert.equal(0, #losses)
  end)

  it("cuts connections", function()
    write()
    proxies[1]:cut()
    await_loss()
    await_all()
  end)

  it("cuts a connection after some bytes", function()
    proxies[1]:cut_after(700)
    write()
    await_loss()
    await_all()
  end)

  it("loses sight of connections, and passes on new ones", function()
    client:close()
    start(2)
    proxies[1]:abandon()
    write()
    assert.is_nil(client:drain(0.1))
    assert.equal(0, held())
    await_loss "heartbeat"
    await_all()
  end)

  it("delays answers", function()
    proxies[1]:set_delay(0.1)
    local from = loop.now()
    write()
    await_all()
    assert.is_true(loop.now() - from >= 0.1)
    proxies[1]:mend()
  end)

  it("refuses, until it is mended", function()
    proxies[1]:refuse()
    await_loss()
    write()
    assert.is_nil(client:drain(0.2))
    proxies[1]:mend()
    await_all()
  end)
end, { "sim://3" })
