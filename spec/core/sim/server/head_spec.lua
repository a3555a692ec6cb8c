--- What servers newer than 2.2.0 do otherwise: the simulated one of release head as the real one with disk
--- storage.
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"
local msgpack = require "wingman.base.msgpack"
local process = require "wingman.loop.process"
local raw = require "spec.support.raw_connections"
local sim = require "wingman.sim"
local sim_support = require "spec.core.sim.support"
local trees = require "spec.support.merkle_trees"

local SILENCE = "silence"
local KB = 1024

local function digits_of(key, count) return ("%08x"):format(core.hash_fnv1a(key)):sub(1, count) end

local function put_all(name, keys, value)
  local ops = {}
  for i, key in ipairs(keys) do ops[i] = raw.put(name, key, value or i) end
  return ops
end

-- What a node answers about a path: buckets, the records of a leaf as { leaf = ... }, or silence.
local function ask(connection, name, path)
  local before = #connection.heard
  connection:send { type = "MERKLE_REQ_BUCKET", payload = { mapName = name, path = path } }
  connection:settle()
  for i = before + 1, #connection.heard do
    local message = connection.heard[i]
    local payload = message.payload
    if type(payload) == "table" and payload.path == path then
      if message.type == "SYNC_RESP_BUCKETS" then return payload.buckets end
      if message.type == "SYNC_RESP_LEAF" then return { leaf = payload.records } end
    end
  end
  return SILENCE
end

-- The values of the keys in the leaf of a key.
local function values_at(connection, name, key)
  local answer, values = ask(connection, name, digits_of(key, 3)), {}
  if answer == SILENCE then return SILENCE end
  for _, entry in ipairs(answer.leaf) do values[entry.key] = entry.record.value end
  return values
end

clusters.on_head(getfenv(), "a map's tree on head", function(shared, it)
  local name, connection, other

  before_each(function()
    name = shared:map_name()
    connection, other = raw.open(shared, 2)
  end)

  it("has hashes that are mixed for each partition, and again over all of them", function()
    local keys, items = {}, {}
    for i = 1, 120 do keys[i] = "key-" .. i end
    connection:write(put_all(name, keys))
    local found = { [""] = connection:root(name) }
    local function walk(path)
      local answer = ask(connection, name, path)
      for digit, hash in pairs(answer.leaf and {} or answer) do
        found[path .. digit] = hash
        walk(path .. digit)
      end
      for _, entry in ipairs(answer.leaf or {}) do
        local t = entry.record.timestamp
        items[#items + 1] = { key_hash = core.hash_fnv1a(entry.key),
          item = core.hash_fnv1a(("%s:%.0f:%.0f:%s"):format(entry.key, t.millis, t.counter, t.nodeId)) }
      end
    end
    -- Two digits are enough: a walk of every leaf takes a second of round trips.
    for digit, hash in pairs(ask(connection, name, "")) do found[digit] = hash end
    for digit in pairs(ask(connection, name, "")) do walk(digit) end
    assert.equal(#keys, #items)
    assert.same(trees.mixed(items), found)
  end)

  it("is listed by SYNC_INIT, for this connection alone: a leaf has present values, and no key that is new", function()
    connection:write(put_all(name, { "apple", "k1" }))
    local root = connection:root(name)
    other:write { raw.put(name, "apple", "changed"), raw.remove(name, "k1"), raw.put(name, "k2", "new") }
    assert.same({ apple = "changed" }, values_at(connection, name, "apple"))
    assert.same({}, values_at(connection, name, "k1"))
    assert.equal(SILENCE, values_at(connection, name, "k2"))
    assert.is_truthy(ask(connection, name, "")[digits_of("k1", 1)])

    assert.is_true(other:root(name) ~= root) -- another connection's list is its own
    assert.same({ k2 = "new" }, values_at(other, name, "k2"))
    assert.equal(SILENCE, values_at(connection, name, "k2"))

    assert.equal(other:root(name), connection:root(name))
    assert.same({ k2 = "new" }, values_at(connection, name, "k2"))
    assert.equal(SILENCE, values_at(connection, name, "k1"))
  end)

  it("shows a listed key that was removed and came back", function()
    connection:write(put_all(name, { "apple" }))
    connection:root(name)
    other:write { raw.remove(name, "apple") }
    other:write { raw.put(name, "apple", "again") }
    assert.same({ apple = "again" }, values_at(connection, name, "apple"))
  end)

  it("is listed by the first question for a path, too", function()
    other:write(put_all(name, { "apple" }))
    assert.same({ apple = 1 }, values_at(connection, name, "apple"))
    other:write(put_all(name, { "k1" }))
    assert.equal(SILENCE, values_at(connection, name, "k1"))
  end)

  it("is silent about paths of partitions, about what is not listed, and about a map that held nothing", function()
    assert.equal(0, connection:root(name))
    assert.equal(SILENCE, ask(connection, name, ""))
    connection:write(put_all(name, { "apple" }))
    assert.equal(SILENCE, ask(connection, name, "")) -- as it was listed
    assert.is_true(connection:root(name) ~= 0)
    local partition = ("%03d/"):format(core.partition("fnv1a", "apple", 271))
    local key = digits_of("apple", 3)
    for _, path in ipairs { partition, partition .. key, "000/", key .. "0", key:upper() .. "/", "zz" } do
      assert.equal(SILENCE, ask(connection, name, path), path)
    end
  end)
end, { "sim://1?release=head", "topgun://1" })

clusters.on_head(getfenv(), "a lone node of head", function(shared, it)
  local name, connection

  before_each(function()
    name = shared:map_name()
    connection = raw.open(shared, 1)
  end)

  it("says coveringEpoch, cursorStatus and no root, by which it is known", function()
    connection:write(put_all(name, { "a" }))
    local answer = connection:subscribe(name, {})
    assert.same({ "none", nil, nil }, { answer.cursorStatus, answer.merkleRootHash, answer.hasMore })
    connection:send { type = "ORMAP_DIFF_REQUEST", payload = { mapName = name, keys = msgpack.array {} } }
    local epoch = connection:await("the answer about no keys", function(m) return m.type == "ORMAP_DIFF_RESPONSE" end).payload.coveringEpoch
    assert.equal("number", type(epoch))
  end)

  it("sorts by a list of fields, rows without the field last, and equal ones by key", function()
    connection:write {
      raw.put(name, "c", { n = 2 }), raw.put(name, "b", { n = 1 }), raw.put(name, "a", { n = 2 }), raw.put(name, "none", { m = 1 }),
    }
    local function keys_by(query)
      local keys = {}
      for i, row in ipairs(connection:subscribe(name, query).results) do keys[i] = row.key end
      return keys
    end
    local by_n = { { field = "n", direction = "asc" } }
    assert.same({ "b", "a", "c", "none" }, keys_by { sort = by_n })
    by_n[1].direction = "desc"
    assert.same({ "a", "c", "b", "none" }, keys_by { sort = by_n })
    assert.same({ "a", "b", "c", "none" }, keys_by {})
    local cut = connection:subscribe(name, { limit = 2 })
    assert.same({ 2, true }, { #cut.results, cut.hasMore })
    local none = connection:subscribe(name, { limit = 0 })
    assert.same({ 0, true }, { #none.results, none.hasMore })
  end)

  it("does not answer a query whose sort is a map, as 2.2.0 takes it", function()
    local before = #connection:of_type "QUERY_RESP"
    connection:send { type = "QUERY_SUB", payload = { queryId = "by-map", mapName = name, query = { sort = { n = "asc" } } } }
    connection:settle()
    assert.equal(before, #connection:of_type "QUERY_RESP")
  end)

  it("answers 4,096 rows at most, and says of no more", function()
    for batch = 0, 19 do
      local keys = {}
      for i = 1, 210 do keys[i] = ("k%d"):format(batch * 210 + i) end
      connection:write(put_all(name, keys))
    end
    local answer = connection:subscribe(name, {})
    assert.same({ 4096, nil }, { #answer.results, answer.hasMore })
  end)

  it("closes a connection in place of an answer of more than 512 KiB", function()
    for i = 1, 4 do connection:write { raw.put(name, "key-" .. i, ("x"):rep(150 * KB)) } end
    connection:send { type = "QUERY_SUB", payload = { queryId = "large", mapName = name, query = {} } }
    eventually("the connection ends", function() return not connection.own:is_connected(connection.id) end)
  end)

  it("refuses a batch with a map of its own, and acknowledges and discards one with a name that it cannot store", function()
    connection:send { type = "OP_BATCH", payload = { ops = { raw.put("_topgun_x", "a", 1) } } }
    local refusal = connection:await("a refusal", function(m) return m.type == "ERROR" end).payload
    assert.same({ 500, "write access denied for map: _topgun_x" }, { refusal.code, refusal.message })
    -- A real server that is sent other such names may hang for ever: one name and one write of the
    -- simulated one have to do.
    if shared.is_real then return end
    connection:write { raw.put("a-b", "key", 1) }
    assert.same({ { key = "key", value = 1 } }, connection:subscribe("a-b", {}).results)
    connection:send { type = "SYNC_INIT", mapName = "a-b" }
    assert.equal(SILENCE, ask(connection, "a-b", ""))
    assert.equal(0, #connection:of_type "SYNC_RESP_ROOT")
  end)

  -- A client sends no message of more than 1 MiB: another program does.
  local function send_message(bytes)
    local script = [[
      exec 3<>"/dev/tcp/$1/$2"
      printf 'GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' >&3
      printf 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n' >&3
      printf "\x82\xff\0\0\0\0\x$(printf %02x $(($3 >> 24)))\x$(printf %02x $(($3 >> 16 & 255)))" >&3
      printf "\x$(printf %02x $(($3 >> 8 & 255)))\x$(printf %02x $(($3 & 255)))\0\0\0\0" >&3
      head -c "$3" /dev/zero >&3
      timeout "$4" cat <&3
      echo "ended $?"]]
    local host, port = shared.cluster.urls[1]:match "//([%d.]+):(%d+)"
    local seconds = bytes > 2 ^ 21 and "30" or "1"
    local child = assert(process.spawn { file = "/bin/bash", args = { "-c", script, "bash", host, port, tostring(bytes), seconds } })
    finally(function() child:close() end)
    return assert(child:read_all(60))
  end

  it("ends a connection that sends more than 2 MiB in one message, without a close frame", function()
    local said = send_message(2100 * KB)
    assert.is_truthy(said:find("AUTH_REQUIRED", 1, true), said)
    assert.is_truthy(said:find("ended 0\n$"), said)
    assert.is_nil(said:find("\136", 1, true), "there is a close frame")
    assert.is_truthy(send_message(2000 * KB):find("ended 124\n$"), "a smaller one ended it, too")
  end)

  it("has its records, and not what it discarded, after it was killed and started again", function()
    connection:write { raw.put(name, "a", 1), raw.put(name, "b", 2), raw.remove(name, "b") }
    if not shared.is_real then connection:write { raw.put("a-b", "key", 1) } end
    local root = connection:root(name)
    local id = shared.cluster.nodes[1].id
    assert(shared.cluster:kill(id))
    assert(shared.cluster:restart(id))
    local after = raw.open(shared, 1)
    assert.equal(root, after:root(name))
    assert.same({ { key = "a", value = 1 } }, after:subscribe(name, {}).results)
    assert.same({}, after:subscribe("a-b", {}).results)
  end)
end, { "sim://1?release=head", "topgun://1" })

clusters.on_head(getfenv(), "QUERY_SUB in a cluster of head", function(shared, it)
  it("is not answered, and holds up what is asked on its connection; writes and events pass", function()
    local name, before = shared:map_name(), loop.now()
    local connection, writer = raw.open(shared, 2)
    connection:send { type = "QUERY_SUB", payload = { queryId = "never", mapName = name, query = {} } }
    connection:send { type = "PING", timestamp = 7 }
    connection:send { type = "SYNC_INIT", mapName = name }
    connection:write { raw.put(name, "own", 1) }
    writer:write { raw.put(name, "other", 2) }
    connection:await("an event", function(m) return m.type == "SERVER_EVENT" and m.payload.key == "other" end)
    local function is_held()
      local heard = 0
      for _, m in ipairs(connection.heard) do
        if m.type == "PONG" and m.timestamp == 7 or m.type == "SYNC_RESP_ROOT" then heard = heard + 1 end
      end
      return heard
    end
    -- A machine that took 4 s for this has nothing to say about what was held.
    if loop.now() - before < 4 then assert.equal(0, is_held()) end
    eventually("PONG and the root come in the end", function() return is_held() == 2 end)
    assert.equal(0, #connection:of_type "QUERY_RESP")
  end)
end, { "sim://2?release=head", "topgun://2" })

describe("a simulated node of head", function()
  local cluster

  lazy_setup(function() cluster = assert(sim.start { nodes = 1, release = "head" }) end)
  lazy_teardown(function() cluster:stop() end)

  it("says its release", function()
    assert.same({ "v2", "head" }, { cluster.dialect, cluster.release })
  end)

  local function authenticated(device_token)
    local connection = sim_support.connect(cluster, "node-1")
    assert.equal("AUTH_REQUIRED", connection:receive().type)
    connection:message { type = "AUTH", token = cluster.token, deviceToken = device_token }
    return connection:receive(), connection
  end

  it("gives a device an id, and a token once: who presents it keeps the id", function()
    local first = authenticated()
    assert.equal("AUTH_ACK", first.type)
    assert.is_truthy(first.deviceId:match "^%x+%-%x+%-4%x+%-a%x+%-%x+$")
    local again = authenticated(first.deviceToken)
    assert.same({ first.deviceId, nil }, { again.deviceId, again.deviceToken })
    local foreign = authenticated(first.deviceToken:gsub(".$", "x"))
    assert.is_true(foreign.deviceId ~= first.deviceId and foreign.deviceToken ~= nil)
  end)

  it("answers DEVICE_HELLO only where it asks for no token", function()
    local _, connection = authenticated()
    connection:message { type = "DEVICE_HELLO" }
    connection:message { type = "PING", timestamp = 1 }
    assert.equal("PONG", connection:receive().type)

    local open = assert(sim.start { nodes = 1, release = "head", no_auth = true })
    finally(function() open:stop() end)
    connection = sim_support.connect(open, "node-1")
    connection:message { type = "DEVICE_HELLO" }
    local answer = connection:receive()
    assert.same({ "DEVICE_ACK", "string", "string" }, { answer.type, type(answer.deviceId), type(answer.deviceToken) })
    connection:message { type = "AUTH", token = open.token }
    connection:message { type = "PING", timestamp = 1 }
    assert.equal("PONG", connection:receive().type)
  end)

  it("closes a connection after 60 s without PING, and ends one that does not authenticate in 10", function()
    local _, ready = authenticated()
    local silent = sim_support.connect(cluster, "node-1")
    assert(cluster:idle("node-1", 8000))
    silent:poll()
    assert.is_nil(silent.closed)
    assert(cluster:idle("node-1", 12000))
    silent:poll()
    ready:poll()
    assert.is_truthy(silent.closed)
    assert.is_nil(ready.closed)
    assert(cluster:idle("node-1", 61000))
    ready:poll()
    assert.same({ 1000, "idle timeout" }, { ready.closed.code, ready.closed.reason })
  end)

  it("answers SYNC_INIT as late as it was ordered to, with what it held when it was asked", function()
    local _, connection = authenticated()
    local before = cluster:stats()["node-1"].sync_inits
    assert(cluster:fault("node-1", "root-delay", 60000))
    connection:message { type = "SYNC_INIT", mapName = "late" }
    connection:message { type = "PING", timestamp = 1 }
    assert.equal("PONG", connection:receive().type)
    assert(cluster:fault("node-1", "root-delay", 50))
    connection:message { type = "SYNC_INIT", mapName = "late" }
    connection:message { type = "OP_BATCH", payload = { ops = { raw.put("late", "a", 1) } } }
    local answers = {}
    for i = 1, 2 do answers[i] = connection:receive() end
    table.sort(answers, function(a, b) return a.type < b.type end)
    assert.same({ "OP_ACK", "SYNC_RESP_ROOT", 0 }, { answers[1].type, answers[2].type, answers[2].payload.rootHash })
    assert.equal(before + 2, cluster:stats()["node-1"].sync_inits)
    assert(cluster:fault("node-1", "none"))
  end)
end)

-- The real one writes to its disk so slowly that its listeners follow; without a disk it does the same.
for url, most in pairs { ["sim://1?release=head"] = 256, ["sim://1?release=head&event_queue=1000"] = 1000 } do
  clusters.on_each(getfenv(), "a listener", function(shared, it)
    it("is cut off by a simulated node of head after 256 events that were dropped in a row", function()
      local name = shared:map_name()
      local writer, listener, other = raw.open(shared, 3)
      local function burst(count)
        local ops = {}
        for i = 1, count do ops[i] = raw.put(name, "key-" .. i, i) end
        writer:write(ops)
      end
      listener:subscribe(name, { where = { none = true } })
      burst(most + 255)
      listener:settle()
      burst(most + 255) -- those that it heard in between make it a new row
      listener:settle()
      assert.equal(2 * most, #listener:of_type "SERVER_EVENT")
      burst(most + 256)
      eventually("the listener is cut off", function() return not listener.own:is_connected(listener.id) end)
      other:settle()
    end)
  end, { url })
end
