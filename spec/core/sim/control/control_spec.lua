--- wingman.sim: how the simulated cluster is started, ordered and stopped.
local loop = require "wingman.loop"
local sim = require "wingman.sim"
local support = require "spec.core.sim.support"

describe("wingman.sim", function()
  local cluster

  before_each(function() cluster = assert(sim.start { nodes = 2, dialect = "0.11", hash = "xxh64" }) end)
  after_each(function() cluster:stop() end)

  it("says what it started", function()
    assert.same({ "sim", "0.11", "xxh64" }, { cluster.kind, cluster.dialect, cluster.hash })
    assert.same({ "node-1", "node-2" }, { cluster.nodes[1].id, cluster.nodes[2].id })
    assert.same({ cluster.nodes[1].url, cluster.nodes[2].url }, cluster.urls)
  end)

  it("keeps a node's URL over a restart", function()
    local before = assert(cluster:command "nodes").nodes[2]
    assert(cluster:kill "node-2")
    assert(cluster:restart "node-2")
    assert.equal(before.url, assert(cluster:command "nodes").nodes[2].url)
  end)

  local refusals = {
    ["kill node-9"] = "unknown node 'node-9'",
    ["restart node-1"] = "node-1 is running",
    ["resume node-1"] = "node-1 is not paused",
    ["move 271 node-1"] = "partition: expected a number up to 270, got '271'",
    ["fault node-1 nonsense"] = "unknown fault 'nonsense'",
    ["fault node-1 ack-drop many"] = "ack-drop: expected a number up to 4294967295, got 'many'",
    ["fault node-1 error 418 1"] = "error: expected NOT_OWNER, STALE_MAP, 500 or 429, got '418'",
    ["fault node-1 poison k eaten"] = "poison: expected unanswered, refused or cut, got 'eaten'",
    ["fault node-1 poison k"] = "fault: usage: fault ID poison TEXT unanswered|refused|cut [WORDS]",
    ["send node-1 base64 00"] = "send: expected binary, text or raw, got 'base64'",
    ["send node-1 raw 0g"] = "frame: pairs of lower-case hex digits are expected",
    ["send node-1 raw 00 many"] = "send: expected a number up to 10000, got 'many'",
    ["nonsense"] = "unknown command 'nonsense'",
    ["kill"] = "kill: usage: kill ID",
  }
  for order, reason in pairs(refusals) do
    it(("refuses '%s' and names what is wrong"):format(order), function()
      local answer, err = cluster:command(order)
      assert.is_nil(answer)
      assert.equal("CLUSTER", err.code)
      assert.equal("sim: " .. reason, err.message)
    end)
  end

  it("answers each of several tasks with its own answer", function()
    loop.run(function()
      local tasks = {}
      for i = 1, 8 do
        tasks[i] = loop.spawn(function()
          if i % 2 == 0 then return #assert(cluster:command "nodes").nodes end
          return select(2, cluster:command("kill node-" .. i + 10)).message
        end)
      end
      for i = 1, 8 do
        assert.equal(i % 2 == 0 and 2 or ("sim: unknown node 'node-%d'"):format(i + 10), (tasks[i]:wait()))
      end
    end)
  end)

  it("tells what was received, in order, until reset", function()
    local connection = support.authenticated(cluster, "node-1")
    local ops = {}
    for i = 1, 3 do
      local time = { millis = 5, counter = i, nodeId = "c" }
      ops[i] = { id = "id" .. i, mapName = "m", key = "key" .. i, record = { value = i, timestamp = time } }
    end
    connection:message { type = "OP_BATCH", payload = { ops = ops } }
    local received = assert(cluster:received "node-1")
    assert.same({ total = 3, ids = { "id1", "id2", "id3" }, keys = { "key1", "key2", "key3" } },
      { total = received.total, ids = received.ids, keys = received.keys })
    local stats = assert(cluster:stats())["node-1"]
    assert.same({ 1, 3, { 3 }, 1 }, { stats.op_batches, stats.ops, stats.batch_sizes, stats.auths })
    assert(cluster:reset_stats())
    assert.equal(0, assert(cluster:received "node-1").total)
  end)

  it("has no answers any more once it was stopped or killed", function()
    cluster:stop()
    assert.equal("sim: is not running", select(2, cluster:stats()).message)
    local other = assert(sim.start { nodes = 1 })
    other:kill_process()
    assert.equal("sim: is not running", select(2, other:counts "m").message)
    other:stop()
  end)

  it("names an order that has no answer, escaped and not all of a long one", function()
    local order = "inject node-1 \27[31m" .. ("ab"):rep(500)
    assert(cluster.process:kill "SIGKILL")
    local _, err = cluster:command(order)
    assert.equal("CLUSTER", err.code)
    assert.truthy(err.message:find("sim: no answer to 'inject node-1 \\027[31mabab", 1, true), err.message)
    assert.truthy(err.message:find("'... (1019 bytes): ", 1, true), err.message)
    assert.is_true(#err.message < 200, err.message)
  end)

  it("refuses options that it does not know", function()
    assert.has_error(function() sim.start { node = 3 } end, "sim.start: unknown option 'node'; did you mean 'nodes'?")
    assert.has_error(function() sim.start { nodes = "3" } end, "sim.start: option nodes: a whole number from 1 to 64 is expected, got '3'")
    local none, err = sim.start { dialect = "0.11", event_queue = 5 }
    assert.same({ nil, "sim: option event_queue: only v2 servers drop events" }, { none, err.message })
  end)
end)
