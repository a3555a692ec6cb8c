--- The send window of a connection to a v2 server: what is in flight follows what the server does. How wide it
--- becomes is a matter of times: spec/core/client/parts/send_window_spec.lua.
local clusters = require "spec.support.cluster"
local loop = require "wingman.loop"

--- Operations of one batch.
local BATCH = 250
--- Operations of the first window.
local LEAST = 32
local PATIENCE = 60

clusters.on_each(getfenv(), "the send window", function(shared, it)
  local client, map

  -- A client with options of its own, and the faults (name -> arguments) of a slow or full node.
  local function start(faults, batch)
    for name, arguments in pairs(faults) do assert(shared.cluster:fault("all", name, unpack(arguments))) end
    assert(shared.cluster:reset_stats())
    client = shared:started { batch = batch }
    map = client:map(shared:map_name())
  end

  after_each(function() assert(shared.cluster:fault("all", "none")) end)

  local function stats() return assert(shared.cluster:stats())["node-1"] end

  local function write(count, first)
    for i = 1, count do assert(map:set("key-" .. (first or 0) + i, i)) end
  end

  local function drain() assert(client:drain(PATIENCE)) end

  -- The most operations that were in flight, until all are acknowledged.
  local function watch()
    local most = 0
    while client:pending_ops() > 0 do
      most = math.max(most, client:backlog().sent)
      loop.sleep(0.005)
    end
    return most
  end

  it("keeps the backlog of a slow node short, and nothing is sent twice", function()
    start { speed = { 4000 } }
    write(3000)
    local most = watch()
    drain()
    -- A batch and a little more; how much more is a matter of times. Without a window all 3,000 are in flight at once.
    assert.is_true(most <= 3 * BATCH, "in flight: " .. most)
    assert.equal(3000, stats().ops)
    assert.equal(0, client:stats().ops_resent)
  end)

  it("grows with the acknowledgements of a fast node, to batches that listeners can follow", function()
    start {}
    write(20000)
    drain()
    local largest = 0
    for _, size in ipairs(stats().batch_sizes) do largest = math.max(largest, size) end
    assert.is_true(largest > LEAST and largest <= BATCH, "the largest batch: " .. largest)
  end)

  it("has at most 1 % of batches refused by full workers, and loses nothing", function()
    start({ speed = { 20000 }, inbox = { 100 } }, { ops = 50 })
    -- No batch is like another, as writes come: some alone, some thousands at once.
    for round = 1, 30 do
      write(round % 3 == 0 and 2500 or 40, round * 10000)
      loop.sleep(0)
    end
    drain()
    local sent, refused = stats().op_batches, stats().overloads
    assert.is_true(refused <= sent / 100, ("%d of %d batches were refused"):format(refused, sent))
  end)

  it("paces writes that come faster than the disk takes them", function()
    start { ["write-behind"] = { 300, 500 } }
    write(1500)
    drain()
    local sent, refused = stats().op_batches, stats().overloads
    assert.is_true(refused > 0, "nothing was refused")
    assert.is_true(refused <= sent / 4, ("%d of %d batches were refused"):format(refused, sent))
  end)

  it("never exceeds what the options say", function()
    start({ speed = { 50000 } }, { ops = 20, in_flight = 3 })
    write(2000)
    local most = watch()
    drain()
    assert.is_true(most <= 60, "in flight: " .. most)
    for _, size in ipairs(stats().batch_sizes) do assert.is_true(size <= 20, "a batch of " .. size) end
  end)

  it("lets batches be as large as the option batch.ops says", function()
    start({}, { ops = 2000 })
    write(20000)
    drain()
    local largest = 0
    for _, size in ipairs(stats().batch_sizes) do largest = math.max(largest, size) end
    assert.is_true(largest > BATCH, "the largest batch: " .. largest)
  end)

  it("always lets one batch go, however slow the node is, and waits for it beyond ack_timeout", function()
    start({ speed = { 400 } }, { ack_timeout = 0.1 })
    write(260)
    drain()
    assert.equal(260, stats().ops)
    assert.equal(0, client:stats().ops_resent)
  end)
end, { "sim://1" })
