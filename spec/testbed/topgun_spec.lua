--- The control of a real cluster. That it behaves on the wire as the simulated one is
--- checked where both are used.
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"
local node_report = require "wingman.client.node_report"
local process = require "wingman.loop.process"
local topgun = require "wingman.topgun"
local membership = require "wingman.testbed.topgun.membership"
local topgun_binary = require "wingman.testbed.topgun.binary"

local _, missing = topgun_binary.find()

describe("what the log of a server says of its peers", function()
  local PORTS = { listen = 4001, target = 4002 }
  local function line(text) return "2026-12-01T03:43:30.7Z  INFO topgun_server::cluster::formation: " .. text .. "\n" end
  local joined = line "Join request accepted, member added as Active node_id=node-2"
  local left = line "Peer disconnected node_id=node-2"
  local function is_peer(log) return membership.is_peer(log, "node-2", PORTS) end

  it("is that one joined, left, and joined again", function()
    assert.is_false(is_peer(""))
    assert.is_true(is_peer(joined))
    assert.is_false(is_peer(joined .. left))
    assert.is_true(is_peer(joined .. left .. joined))
  end)

  it("is that it joined one, behind the relay or not", function()
    assert.is_true(is_peer(line "Join accepted by seed node seed=127.0.0.1:4001"))
    assert.is_true(is_peer(line "Join accepted by seed node seed=127.0.0.1:4002"))
    assert.is_false(is_peer(line "Join accepted by seed node seed=127.0.0.1:4001" .. left))
    assert.is_true(is_peer(line "Join accepted by seed node seed=127.0.0.1:4002" .. line "Peer disconnected node_id=node-3"))
  end)

  it("is nothing about others", function()
    assert.is_false(is_peer(line "Join request accepted, member added as Active node_id=node-22"))
    assert.is_false(is_peer(line "Join accepted by seed node seed=127.0.0.1:4003"))
    assert.is_false(is_peer(line "Processing join request node_id=node-2 host=127.0.0.1"))
  end)
end)

describe("topgun", function()
  if missing then
    pending("starts, kills, restarts and pauses real nodes (skipped: " .. missing.message .. ")")
    return
  end

  local cluster
  setup(function() cluster = assert(topgun.start { nodes = 3 }) end)
  teardown(function() if cluster then cluster:stop() end end)

  local function answers(node) return (node_report.ask(node.url, { token = cluster.token, timeout = 60 })) end
  local function is_silent(node) return not node_report.ask(node.url, { token = cluster.token, timeout = 0.5 }) end

  it("is whole when it has started: every node knows three owners", function()
    for _, node in ipairs(cluster.nodes) do
      local answer = assert(answers(node))
      assert.equal(node.id, answer.node_id)
      assert.equal("v2", answer.dialect)
      local total = 0
      for _, member in ipairs(answer.nodes) do
        assert.is_true(member.partitions >= 90)
        total = total + member.partitions
      end
      assert.equal(271, total)
    end
  end)

  it("refuses a token of another secret", function()
    local answer, err = node_report.ask(cluster.urls[1], { token = "abc", timeout = 60 })
    assert.is_nil(answer)
    assert.equal("AUTH_FAILED", err.code)
  end)

  it("pauses and resumes a node", function()
    local node = cluster.nodes[2]
    assert(cluster:pause(node.id))
    assert.is_true(is_silent(node))
    assert(cluster:resume(node.id))
    assert.is_table(answers(node))
  end)

  it("says that a node is paused once it stands still, on a busy machine too", function()
    local node = cluster.nodes[2]
    local busy = {}
    for i = 1, 4 do busy[i] = assert(process.spawn { file = "sh", args = { "-c", "while :; do :; done" } }) end
    finally(function()
      for _, child in ipairs(busy) do child:close() end
      cluster:resume(node.id)
    end)
    for _ = 1, 40 do
      assert(cluster:pause(node.id))
      local stat = assert(io.open(("/proc/%d/stat"):format(node.pid)))
      local state = stat:read("*l"):match "%) (%a)"
      stat:close()
      assert.equal("T", state)
      assert(cluster:resume(node.id))
      loop.sleep(0.002) -- it goes on, and has something to be interrupted in
    end
  end)

  it("has a pause end when the node is resumed before it stands still", function()
    local node = cluster.nodes[2]
    local signal = node.signal
    function node:signal(name)
      if name ~= "stop" then return signal(self, name) end
      self.last_signal = name -- and it has no processor to notice it
      return true
    end
    finally(function() node.signal = nil end)
    local resumed = false
    loop.timer(0.02, function() resumed = cluster:resume(node.id) end)
    assert(cluster:pause(node.id))
    assert.is_true(resumed, "the pause ended before the node was resumed")
  end)

  it("kills and restarts a node at its old URL", function()
    local node = cluster.nodes[3]
    assert(cluster:kill(node.id))
    assert.is_true(is_silent(node))
    local ok, err = cluster:kill(node.id)
    assert.is_nil(ok)
    assert.truthy(err.message:find("node-3 does not run", 1, true))
    assert(cluster:restart(node.id))
    assert.is_table(answers(node))
    ok, err = cluster:restart(node.id)
    assert.is_nil(ok)
    assert.truthy(err.message:find("node-3 runs already", 1, true))
  end)

  -- A stopped process (SIGSTOP), until the test ends or the function that is returned is called.
  local function stop_process(pid)
    assert.equal(0, os.execute("kill -STOP " .. pid))
    local function go_on() os.execute("kill -CONT " .. pid) end
    finally(go_on)
    return go_on
  end

  it("restarts a node when the others have noticed that it ended", function()
    local node = cluster.nodes[3]
    local go_on = stop_process(cluster.relay.pid) -- nobody notices anything
    assert(cluster:kill(node.id))
    local relay_goes_on, restarted_before
    loop.timer(0.3, function()
      restarted_before, relay_goes_on = node.pid ~= nil, true
      go_on()
    end)
    assert(cluster:restart(node.id))
    assert.is_true(relay_goes_on)
    assert.is_false(restarted_before)
    assert(membership.await_owners({ cluster.nodes[1], node }, cluster.token, 3))
  end)

  it("does not wait for a paused node to notice anything", function()
    local node = cluster.nodes[2]
    assert(cluster:pause "node-1")
    finally(function() cluster:resume "node-1" end)
    assert(cluster:kill(node.id))
    assert(cluster:restart(node.id))
    assert(cluster:resume "node-1")
    assert(cluster:kill(node.id)) -- what it handles first now is not known
    assert(cluster:restart(node.id))
    assert(membership.await_owners({ cluster.nodes[1] }, cluster.token, 3))
  end)

  it("names a node that there is not", function()
    local ok, err = cluster:kill "node-9"
    assert.is_nil(ok)
    assert.truthy(err.message:find("there is no node 'node-9'", 1, true))
  end)

  it("removes its folder when it stops", function()
    local folder = cluster.folder
    assert.equal(0, os.execute("test -d " .. folder))
    cluster:stop()
    eventually("the folder is removed", function() return os.execute("test ! -e " .. folder) == 0 end)
  end)
end)
