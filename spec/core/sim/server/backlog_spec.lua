--- A simulated node that is slow or full: what it takes, what it refuses, and in which order it answers.
local sim = require "wingman.sim"
local support = require "spec.core.sim.support"

local function ops_of(first, count)
  local ops = {}
  for i = first, first + count - 1 do
    local time = { millis = 1795444916374, counter = 0, nodeId = "client-1" }
    ops[#ops + 1] = { id = "op" .. i, mapName = "m", opType = "PUT", key = "key" .. i, record = { value = i, timestamp = time } }
  end
  return ops
end

local function batch(first, count) return { type = "OP_BATCH", payload = { ops = ops_of(first, count) } } end

describe("a simulated node that is", function()
  local cluster, connection

  local function start(dialect)
    cluster = assert(sim.start { nodes = 1, dialect = dialect })
    connection = support.authenticated(cluster, "node-1")
  end
  after_each(function() cluster:stop() end)

  local function stored() return assert(cluster:counts "m")["node-1"] end
  local function overloads() return assert(cluster:stats())["node-1"].overloads end

  for _, dialect in ipairs { "v2", "0.11" } do
    it("slow (" .. dialect .. ") acknowledges one batch after the other, each when it is done", function()
      start(dialect)
      assert(cluster:fault("node-1", "speed", 1000))
      connection:message(batch(1, 20))
      connection:message(batch(21, 1))
      assert.equal("op20", connection:receive().payload.lastId)
      assert.equal("op21", connection:receive().payload.lastId)
      assert(cluster:fault("node-1", "speed", 1))
      connection:message(batch(22, 60)) -- for a minute
      assert(cluster:fault("node-1", "speed", 0))
      connection:message(batch(82, 1))
      assert.equal("op82", connection:receive().payload.lastId)
      assert.equal(82, stored())
    end)
  end

  it("slow acknowledges small batches in the order in which they came", function()
    start "v2"
    assert(cluster:fault("node-1", "speed", 1000))
    connection:message(batch(1, 20)) -- all of the others wait for it, and are done within a millisecond
    assert(cluster:fault("node-1", "speed", 1000000))
    for i = 21, 320 do connection:message(batch(i, 1)) end
    for i = 20, 320 do assert.equal("op" .. i, connection:receive().payload.lastId) end
  end)

  it("full of parts refuses those that do not fit, and takes the others", function()
    start "v2"
    assert(cluster:fault("node-1", "speed", 1))
    assert(cluster:fault("node-1", "inbox", 30))
    connection:message(batch(1, 20)) -- at most one part each
    connection:message(batch(21, 40))
    assert.same({ code = 429, message = "server overloaded, try again later" }, connection:receive().payload)
    assert.equal(1, overloads())
    assert.is_true(stored() >= 30 and stored() < 60, stored())
  end)

  it("full of parts takes what is of the same partitions", function()
    start "v2"
    assert(cluster:fault("node-1", "speed", 1))
    assert(cluster:fault("node-1", "inbox", 1))
    local ops = {}
    for i = 1, 50 do
      ops[i] = ops_of(1, 1)[1]
      ops[i].id = "op" .. i
    end
    connection:message { type = "OP_BATCH", payload = { ops = ops } }
    connection:message(batch(2, 1))
    assert.equal(429, connection:receive().payload.code)
    assert.equal(1, overloads())
  end)

  it("full of what waits for the disk refuses what does not fit, and takes the rest", function()
    start "v2"
    assert(cluster:fault("node-1", "write-behind", 50, 0))
    connection:message(batch(1, 30))
    assert.equal("op30", connection:receive().payload.lastId)
    connection:message(batch(31, 30))
    assert.same({ code = 500, message = "internal error: Write-behind capacity exceeded" }, connection:receive().payload)
    assert.equal(50, stored())
    assert(cluster:fault("node-1", "write-behind", 50, 1000000))
    connection:message(batch(61, 30))
    assert.equal("op90", connection:receive().payload.lastId)
  end)

  it("of 0.11 is never full", function()
    start "0.11"
    for _, order in ipairs { "inbox 1", "write-behind 1 1" } do
      local answer, err = cluster:command("fault node-1 " .. order)
      assert.is_nil(answer)
      assert.truthy(err.message:find("only v2 nodes refuse what they cannot take", 1, true), err.message)
    end
  end)
end)
