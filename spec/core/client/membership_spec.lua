--- Membership changes of a 0.11 cluster: its nodes change their maps one after the other,
--- and acknowledge and drop what is not theirs by their own. What was acknowledged around
--- the change is sent again.
local cjson = require "cjson"
local clusters = require "spec.support.cluster"
local embedded_cluster = require "wingman.testbed"
local eventually = require "spec.support.eventually"
local files = require "spec.support.files"
local loop = require "wingman.loop"
local process = require "wingman.loop.process"
local wingman = require "wingman"

local PER_TICK, TICK = 10, 0.01 -- 1,000 writes a second

-- Writes until the script says that it is enough: key-1, key-2, ...; acknowledged[i].
local function writer(map, write)
  local self = { written = 0, acknowledged = {} }
  self.task = loop.spawn(function()
    while not self.stop do
      for _ = 1, PER_TICK do
        local i = self.written + 1
        self.written = i
        write = write or function(n, options) return map:set("key-" .. n, { n = n }, options) end
        assert(write(i, { on_ack = function(ok) self.acknowledged[i] = ok end }))
      end
      loop.sleep(TICK)
    end
  end)
  function self.await(count)
    local target = self.written + count
    eventually("the writer has written " .. count .. " more", function() return self.written >= target, self.written end)
  end
  function self.finish()
    self.stop = true
    self.task:wait()
  end
  return self
end

-- The records that some node has, by their keys.
local function everything(client, name)
  local found = {}
  for _, id in ipairs(client:connected_nodes()) do
    for key, record in pairs(assert(client:holdings(id, name))) do found[key] = record end
  end
  return found
end

-- The acknowledged writes that no node has.
local function lost(client, name, acknowledged)
  local found, missing = everything(client, name), {}
  for i in pairs(acknowledged) do
    if not found["key-" .. i] then missing[#missing + 1] = i end
  end
  table.sort(missing)
  return missing
end

local function owns(client, id)
  for _, owner in ipairs(client:partition_map().owners) do
    if owner == id then return true end
  end
  return false
end

local function await_ownership(client, id, expected)
  eventually(id .. (expected and " owns partitions" or " owns no partition"), function() return owns(client, id) == expected end)
end

-- How many of the writes are certain to be in doubt: acknowledged at most 0.8 s before the
-- first loss, of 1.3 s that the client goes back. `options` are those of the writes.
local function recent_writes(client)
  local acknowledged_at, lost_at = {}, nil
  client:on("node_lost", function() lost_at = lost_at or loop.now() end)
  local options = { on_ack = function() acknowledged_at[#acknowledged_at + 1] = loop.now() end }
  return options, function()
    local count = 0
    for _, time in ipairs(acknowledged_at) do count = count + (time > lost_at - 0.8 and 1 or 0) end
    return count -- 0 where the machine stood still for so long
  end
end

-- How many maps the client has taken since, at least 1. On a busy machine a node may notice a loss so
-- long after the others that its map is a second change, for which everything is sent once more.
local function maps_taken(client)
  local count = 0
  client:on("map_changed", function() count = count + 1 end)
  return function() return math.max(1, count) end
end

-- Writes on and on until a node is lost and a map without it has come; what `fn` returns in
-- the turn of that map. 0.3 s later the writes before it have been sent again.
local function at_the_change(shared, client, map, id, fn)
  local writes, result = writer(map), nil
  writes.await(200)
  client:on("map_changed", function()
    if result or owns(client, id) then return end
    writes.stop = true
    result = { fn() }
  end)
  assert(shared.cluster:kill(id))
  eventually("a map without " .. id .. " is taken", function() return result end)
  writes.finish()
  return unpack(result)
end

clusters.on_each(getfenv(), "a membership change", function(shared, it)
  after_each(function()
    for _, node in ipairs(shared.cluster.nodes) do shared.cluster:restart(node.id) end
  end)

  it("loses nothing that was acknowledged: 20 kills with rejoin at 1,000 writes a second", function()
    local client = shared:started { reconnect = function() return 0.02 end }
    local map = client:map(shared:map_name())
    local writes = writer(map)
    for i = 1, 20 do
      local id = "node-" .. i % 3 + 1
      assert(shared.cluster:kill(id))
      await_ownership(client, id, false)
      writes.await(200)
      shared:restart(id, client)
      writes.await(200)
    end
    writes.finish()
    assert(client:drain(60))
    assert.same({}, lost(client, map.name, writes.acknowledged))
    assert.is_true(client:stats().ops_repeated > 0)
    assert.equal(0, client:stats().ops_unverified)
    assert.equal(0, client:health().unverified_ops)
  end)

  it("loses nothing at a graceful stop", function()
    local client = shared:started { reconnect = function() return 0.02 end }
    local map = client:map(shared:map_name())
    local writes = writer(map)
    for _ = 1, 4 do
      assert(shared.cluster:stop_node "node-2")
      await_ownership(client, "node-2", false)
      writes.await(200)
      shared:restart("node-2", client)
      writes.await(200)
    end
    writes.finish()
    assert(client:drain(60))
    assert.same({}, lost(client, map.name, writes.acknowledged))
  end)

  it("loses nothing that a slow node acknowledges long after it", function()
    local client = shared:started { reconnect = function() return 0.02 end }
    local map = client:map(shared:map_name())
    assert(shared.cluster:fault("all", "ack-delay", 1200))
    local writes = writer(map)
    assert(shared.cluster:kill "node-2")
    await_ownership(client, "node-2", false)
    writes.await(500)
    shared:restart("node-2", client)
    writes.await(500)
    writes.finish()
    assert(client:drain(60))
    assert(shared.cluster:fault("all", "none"))
    assert.same({}, lost(client, map.name, writes.acknowledged))
  end)

  it("loses no removal", function()
    local client = shared:started { reconnect = function() return 0.02 end }
    local map = client:map(shared:map_name())
    local COUNT = 3000
    for i = 1, COUNT do assert(map:set("key-" .. i, { n = i })) end
    assert(client:drain(60))
    local writes = writer(map, function(n, options) return map:remove("key-" .. n, options) end)
    for _ = 1, 4 do
      assert(shared.cluster:kill "node-3")
      await_ownership(client, "node-3", false)
      writes.await(200)
      shared:restart("node-3", client)
      writes.await(200)
    end
    writes.finish()
    assert(client:drain(60))
    local values = wingman.by_key(assert(client:query(map.name)))
    local back = {}
    for i in pairs(writes.acknowledged) do
      if values["key-" .. i] ~= nil then back[#back + 1] = i end
    end
    assert.same({}, back)
  end)

  it("sends again with the old time, so that nothing newer is overwritten", function()
    local client, other = shared:started(), shared:started()
    local map = client:map(shared:map_name())
    local others = other:map(map.name)
    local options, recent = recent_writes(client)
    local changes = maps_taken(client)
    for i = 1, 300 do assert(map:set("key-" .. i, { n = i }, options)) end
    assert(client:drain(60))
    local time = map:record "key-1"
    assert(shared.cluster:kill "node-1")
    await_ownership(client, "node-1", false)
    for i = 1, 300 do assert(others:set("key-" .. i, { n = -i })) end
    assert(client:drain(60))
    assert(other:drain(60))
    local repeated = client:stats().ops_repeated
    local said = ("%d were sent again, for %d changes"):format(repeated, changes())
    assert.is_true(repeated >= recent() and repeated <= 300 * changes(), said)
    local repeats = 0
    for _, id in ipairs { "node-2", "node-3" } do
      for _, arrival in ipairs(assert(shared.cluster:arrivals(id))) do
        local is_ours = arrival.key == "key-1" and arrival.writer == time.node
        if is_ours then
          repeats = repeats + 1
          assert.same({ time.millis, time.counter }, { arrival.millis, arrival.counter })
        end
      end
    end
    assert.is_true(repeats > 0 or repeated < 300, said)
    local found = everything(client, map.name)
    for i = 1, 300 do assert.equal(-i, found["key-" .. i].value.n) end
    shared:restart("node-1", client)
  end)

  it("is waited for by close", function()
    local client, observer = shared:started(), shared:started()
    local map = client:map(shared:map_name())
    local writes = writer(map)
    assert(shared.cluster:kill "node-2")
    await_ownership(client, "node-2", false)
    writes.finish()
    eventually("every write is acknowledged", function() return client:pending_ops() == 0, client:pending_ops() end)
    assert.is_true(client:close())
    assert.same({}, lost(observer, map.name, writes.acknowledged))
    shared:restart("node-2", observer)
  end)

  it("that close has no time for is an error that counts it, logged and reported", function()
    local client, observer = shared:started(), shared:started()
    local map, reported, figures = client:map(shared:map_name()), {}, nil
    client:on("unverified", function(count)
      reported[#reported + 1] = count
      figures = { client:stats().ops_unverified, client:health().unverified_ops, client:backlog().unverified }
    end)
    local ok, err = at_the_change(shared, client, map, "node-2", function() return client:close(0) end)
    assert.is_nil(ok)
    assert.equal("TIMEOUT", err.code)
    assert.is_true(err.unverified > 0)
    assert.truthy(err.message:find(err.unverified .. " writes are not sent again, and are unverified", 1, true), err.message)
    assert.same({ err.unverified }, reported)
    assert.same({ err.unverified, err.unverified, 0 }, figures)
    assert.equal(err.unverified, shared:logged("writes_unverified")[1].count)
    assert.is_true(client:close())
    shared:restart("node-2", observer)
  end)

  it("sends again what has a key and a value of any size", function()
    local client, observer = shared:started(), shared:started()
    local map, acknowledged = client:map(shared:map_name()), {}
    local options, recent = recent_writes(client)
    local changes = maps_taken(client)
    local sizes = { 1, 1000, 65519, 65520, 65536, 200000, 900000 }
    for i, size in ipairs(sizes) do
      assert(map:set("key-" .. i, ("v"):rep(size), options))
      acknowledged[i] = true
    end
    for _, length in ipairs { 65519, 65520, 65521, 65535 } do assert(map:set(("k"):rep(length), ("v"):rep(100000), options)) end
    eventually("every write is acknowledged", function() return client:pending_ops() == 0, client:pending_ops() end)
    assert(shared.cluster:kill "node-2")
    await_ownership(client, "node-2", false)
    assert(client:drain(60))
    local repeated = client:stats().ops_repeated
    assert.is_true(repeated >= recent() and repeated <= (#sizes + 4) * changes(),
      ("%d were sent again, for %d changes"):format(repeated, changes()))
    assert.equal(0, client:stats().ops_unverified)
    assert.same({}, lost(observer, map.name, acknowledged))
    shared:restart("node-2", observer)
  end)

  it("is waited for by a script that is terminated", function()
    local observer = shared:started()
    local name = shared:map_name()
    local child = assert(process.spawn { file = process.wingman_path(), args = { "run", "-", shared.cluster.token, name,
      unpack(shared.cluster.urls) }, stdin = true, stderr = true })
    child:write [[
      local wingman = require "wingman"
      wingman.run(function()
        local client = wingman.client { cluster = { seeds = { unpack(arg, 3) } }, auth = { token = arg[1] } }
        assert(client:start())
        local map = client:map(arg[2])
        local function say(line) io.write(line, "\n") io.flush() end
        for i = 1, 1e6 do
          map:set("key-" .. i, { n = i }, { on_ack = function(ok) if ok then say(i) end end })
          if i == 300 then client:on("map_changed", function() say "changed" end) say "writes" end
          wingman.sleep(0.001)
        end
      end)
    ]]
    child:close_stdin()
    local acknowledged = {}
    local function read_until(word)
      repeat
        local line = assert(child:read_line(60))
        if tonumber(line) then acknowledged[tonumber(line)] = true end
      until line == word
    end
    read_until "writes"
    assert(shared.cluster:kill "node-2")
    read_until "changed"
    assert(child:kill "SIGTERM")
    for number in child:read_all(60):gmatch "%d+" do acknowledged[tonumber(number)] = true end
    assert.equal(143, (child:wait(60)))
    child:close()
    assert.same({}, lost(observer, name, acknowledged))
    shared:restart("node-2", observer)
  end)

  it("is outlived by what a process that dies in it has in its op log's file", function()
    local observer, name, path = shared:started(), shared:map_name(), os.tmpname()
    os.remove(path)
    finally(function() os.remove(path) end)
    local child = assert(process.spawn { file = process.wingman_path(), args = { "run", "-", shared.cluster.token, name, path,
      unpack(shared.cluster.urls) }, stdin = true, stderr = true })
    child:write [[
      local ffi, wingman = require "ffi", require "wingman"
      ffi.cdef "void _exit(int code);"
      wingman.run(function()
        local client = wingman.client { cluster = { seeds = { unpack(arg, 4) } }, auth = { token = arg[1] }, oplog = { path = arg[3] } }
        assert(client:start())
        local map = client:map(arg[2])
        local function say(line) io.write(line, "\n") io.flush() end
        for i = 1, 1e6 do
          map:set("key-" .. i, { n = i }, { on_ack = function(ok) if ok then say(i) end end })
          if i == 300 then client:on("map_changed", function() ffi.C._exit(0) end) say "writes" end
          wingman.sleep(0.001)
        end
      end)
    ]]
    child:close_stdin()
    local acknowledged = {}
    repeat
      local line = assert(child:read_line(20))
      if tonumber(line) then acknowledged[tonumber(line)] = true end
    until line == "writes"
    assert(shared.cluster:kill "node-2")
    for number in child:read_all(20):gmatch "%d+" do acknowledged[tonumber(number)] = true end
    assert.equal(0, (child:wait(20)))
    child:close()
    local heir = shared:started { oplog = { path = path } }
    local loaded = 0
    for i in pairs(acknowledged) do
      if heir:map(name):record("key-" .. i) then loaded = loaded + 1 end
    end
    assert.is_true(loaded > 0, "the file has nothing of what was acknowledged just before")
    assert(heir:drain(20))
    assert.same({}, lost(observer, name, acknowledged))
    heir:close()
    assert.equal(0, shared:client({ oplog = { path = path } }):pending_ops())
    shared:restart("node-2", observer)
  end)

  it("that memory does not reach for is counted as unverified, and reported", function()
    local client = shared:started { oplog = { recent_bytes = 65536 } }
    local map, reported = client:map(shared:map_name()), 0
    client:on("unverified", function(count) reported = reported + count end)
    local options, recent = recent_writes(client)
    local changes = maps_taken(client)
    for i = 1, 5000 do assert(map:set("key-" .. i, { n = i }, options)) end
    eventually("every write is acknowledged", function() return client:pending_ops() == 0, client:pending_ops() end)
    assert(shared.cluster:kill "node-2")
    await_ownership(client, "node-2", false)
    assert(client:drain(60))
    local stats = client:stats()
    assert.is_true(stats.ops_repeated + stats.ops_unverified >= recent())
    -- The memory holds less than 3,000 of them, which each change of the map sends again.
    assert.is_true(stats.ops_repeated < 3000 * changes(), ("%d were sent again, for %d changes"):format(stats.ops_repeated, changes()))
    assert.equal(stats.ops_unverified, reported)
    assert.equal(stats.ops_unverified, client:health().unverified_ops)
    if recent() >= 3000 then assert.equal(reported, shared:logged("writes_unverified")[1].count) end
    shared:restart("node-2", client)
  end)

  it("takes keys of any length", function()
    local client = shared:started { oplog = { recent_bytes = 65536 } }
    local map, count = client:map(shared:map_name()), 0
    local options, recent = recent_writes(client)
    local changes = maps_taken(client)
    for _, length in ipairs { 65535, 1, 8, 65519, 65520, 65521, 9, 65535, 7 } do
      assert(map:set(("k"):rep(length), { n = length }, options))
      count = count + 1
    end
    eventually("every write is acknowledged", function() return client:pending_ops() == 0, client:pending_ops() end)
    assert(shared.cluster:kill "node-2")
    await_ownership(client, "node-2", false)
    assert(client:drain(60))
    local stats = client:stats()
    local kept = stats.ops_repeated + stats.ops_unverified
    assert.is_true(kept >= recent() and kept <= count * changes(), ("%d were sent again or reported, for %d changes"):format(kept, changes()))
    shared:restart("node-2", client)
  end)

  it("that drain has no time for is an error that says so", function()
    local client = shared:started()
    local map = client:map(shared:map_name())
    local ok, err, backlog = at_the_change(shared, client, map, "node-2", function()
      local drained, why = client:drain(0)
      return drained, why, client:backlog()
    end)
    assert.is_nil(ok)
    assert.is_true(err.unverified > 0)
    assert.same({ "TIMEOUT", backlog.unverified, backlog.pending }, { err.code, err.unverified, err.pending })
    assert(client:drain(60))
    assert.equal(0, client:backlog().unverified)
    shared:restart("node-2", client)
  end)
end, { "sim://3?dialect=0.11" })

-- The op log's file as it is right after some writes were acknowledged: what a process that
-- dies then leaves. A value and a removal.
local function left_file(shared, name)
  local path, left = os.tmpname(), os.tmpname()
  os.remove(path)
  local client = shared:started { oplog = { path = path } }
  local map = client:map(name)
  local key = clusters.keys_of(client, "node-1", 2)
  local acknowledged = 0
  local function on_ack(ok)
    acknowledged = acknowledged + (ok and 1 or 0)
    if acknowledged < 2 then return end
    assert(client:sync())
    files.write(left, files.read(path))
  end
  assert(map:set(key[1], { n = 1 }, { on_ack = on_ack }))
  assert(map:remove(key[2], { on_ack = on_ack }))
  eventually("both writes are acknowledged", function() return acknowledged == 2, acknowledged end)
  client:close()
  os.remove(path)
  return left, key
end

clusters.on_each(getfenv(), "what was acknowledged just before the process died", function(shared, it)
  local path, key, name

  local function heir(options)
    options = options or {}
    options.oplog = { path = path }
    return shared:client(options)
  end

  local function nowhere() return { cluster = { seeds = { "ws://127.0.0.1:1" } } } end

  local function loaded_keys(client)
    local map, found = client:map(name), {}
    for i = 1, 2 do found[i] = map:record(key[i]) ~= nil end
    return found
  end

  before_each(function()
    name = shared:map_name()
    path, key = left_file(shared, name)
  end)
  after_each(function() os.remove(path) end)

  it("is sent once more by the next client, pending for nobody, and then forgotten", function()
    local client = heir()
    assert.same({ 0, 0 }, { client:pending_ops(), client:stats().ops_loaded })
    assert.same({ true, true }, loaded_keys(client))
    local before = client:map(name):record(key[1]).millis
    assert(client:start())
    assert(client:drain(20))
    assert.equal(2, client:stats().ops_repeated)
    assert.equal(before, assert(client:holdings("node-1", name))[key[1]].timestamp.millis)
    client:close()
    assert.same({ false, false }, loaded_keys(heir()))
  end)

  it("stays in the file while no cluster is met", function()
    local offline = heir(nowhere())
    assert.same({ true, true }, loaded_keys(offline))
    assert.same({ 0, 0 }, { offline:backlog().unverified, offline:health().unverified_ops })
    offline:close()
    assert.same({ true, true }, loaded_keys(heir(nowhere())))
  end)

  -- What `wingman oplog` says of the file: pending, acknowledged, and both as the last commit has them.
  local function counted(...)
    local child = assert(process.spawn { file = process.wingman_path(), args = { "oplog", ... } })
    local found = cjson.decode((child:read_all(60)))
    child:close()
    return { found.pending, found.acknowledged, found.pending_written, found.acknowledged_written }
  end

  it("is told apart from what is pending by `wingman oplog inspect`, of a file in use, too", function()
    assert.same({ 0, 2, 0, 2 }, counted("inspect", path, "--json"))
    local offline = heir(nowhere())
    assert.same({ 0, 2, 0, 2 }, counted("inspect", path, "--json"))
    assert(offline:map(name):set("more", 1))
    assert(offline:sync())
    assert.same({ 1, 2, 1, 2 }, counted("inspect", path, "--json"))
  end)

  it("is pending for nobody in what is salvaged of the file", function()
    local salvaged = path .. ".salvaged"
    assert.same({ 0, 2, 0, 2 }, counted("salvage", path, "--json"))
    assert.same({ 0, 2, 0, 2 }, counted("inspect", salvaged, "--json"))
    os.remove(path)
    assert(os.rename(salvaged, path))
    local client = heir(nowhere())
    assert.same({ 0, 0 }, { client:pending_ops(), client:stats().ops_loaded })
    assert.same({ true, true }, loaded_keys(client))
  end)

  it("is not sent to a v2 cluster, which would take it for new", function()
    local v2 = assert(embedded_cluster.start "sim://1")
    finally(function() v2:stop() end)
    local client = heir { cluster = { seeds = v2.urls }, auth = { token = v2.token } }
    assert(client:start())
    assert(client:drain(20))
    assert.same({ 0, 0 }, { client:stats().ops_repeated, client:stats().ops_acked })
    client:close()
    assert.same({ false, false }, loaded_keys(heir(nowhere())))
  end)
end, { "sim://3?dialect=0.11" })

clusters.on_each(getfenv(), "a membership change of v2", function(shared, it)
  it("leaves no acknowledgement in doubt: nothing is sent again", function()
    local client = shared:started()
    local map = client:map(shared:map_name())
    for i = 1, 100 do assert(map:set("key-" .. i, { n = i })) end
    assert(client:drain(60))
    assert(shared.cluster:kill "node-2")
    await_ownership(client, "node-2", false)
    shared:restart("node-2", client)
    assert(client:drain(60))
    assert.same({ 0, 0 }, { client:stats().ops_repeated, client:backlog().unverified })
  end)
end, { "sim://3" })
