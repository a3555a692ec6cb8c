--- map:read: values of keys as their owners have them.
local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"
local wingman = require "wingman"

--- Seconds: longer than any failover on a busy machine. A green spec does not wait for them.
local LONG = { timeout = 60 }

clusters.on_each(getfenv(), "map:read", function(shared, it)
  local name, writer, client, map

  before_each(function()
    name, writer, client = shared:map_name(), shared:started(), shared:started()
    map = client:map(name)
  end)

  local function write(values)
    for key, value in pairs(values) do assert(writer:map(name):set(key, value)) end
    assert(writer:drain(60))
  end

  local VALUES = {
    flat = { x = 12, y = 80 }, nested = { list = { 1, { deep = "yes" } }, map = { a = { b = { c = 1 } } } },
    no = false, zero = 0, empty = "", text = "ü", ["ключ/😀"] = 1.5, list = { 1, 2, 3 },
  }

  it("gives what another client wrote, also values that are false, and leaves the local copy alone", function()
    write(VALUES)
    for key, value in pairs(VALUES) do
      local read, err = map:read(key, LONG)
      assert.is_nil(err, tostring(err))
      assert.same(value, read, key)
      assert.is_nil(map:get(key))
    end
    assert.equal(0, map:size())
  end)

  it("gives the time and the writer of the record, and the node that has it", function()
    write { ann = 1 }
    local _, _, record = map:read("ann", LONG)
    local owner = client:partition_map().owners[client:partition_of "ann" + 1]
    assert.equal(owner, record.holder)
    local held = assert(client:holdings(owner, name)).ann.timestamp
    assert.same({ held.millis, held.counter, held.nodeId }, { record.millis, record.counter, record.node })
    if shared.is_0_11 then assert.equal(writer.options.client_id, record.node) end
  end)

  it("gives nil without an error for what the owner does not have: in a map of other keys, in one that is empty or was never seen", function()
    local function is_absent(key) assert.same({ nil, nil, nil }, { map:read(key, LONG) }) end
    is_absent "ann"
    write { ann = 1, bob = 2 }
    for i = 1, 50 do is_absent("other-" .. i) end
    assert(writer:map(name):remove "ann")
    assert(writer:drain(60))
    is_absent "ann"
    assert.equal(2, map:read("bob", LONG))
    assert(writer:map(name):remove "bob")
    assert(writer:drain(60))
    is_absent "bob"
  end)

  it("sees a write of this client once it is acknowledged, and every later one", function()
    for i = 1, 20 do
      assert(client:wait(assert(map:set("ann", i))))
      assert.equal(i, (map:read("ann", LONG)))
    end
  end)

  -- Keys of one partition, whose reads ask about the same paths: an answer must not be taken for a later one's.
  it("never gives a value older than what was acknowledged before it began, while many write and read", function()
    local keys, acked, writers, readers, wrong = {}, {}, {}, {}, {}
    for i = 1, math.huge do
      if client:partition_of("key-" .. i) == 7 then keys[#keys + 1] = "key-" .. i end
      if #keys == 8 then break end
    end
    for i, key in ipairs(keys) do
      writers[i] = loop.spawn(function()
        for n = 1, 40 do
          assert(client:wait(assert(map:set(key, n))))
          acked[key] = n
        end
        return true
      end)
    end
    local is_over = false
    for i = 1, 32 do
      readers[i] = loop.spawn(function()
        while not is_over do
          local key = keys[math.random(#keys)]
          local before = acked[key] or 0
          local value, err = map:read(key, LONG)
          if err or (value or 0) < before then wrong[#wrong + 1] = { key, before, value, tostring(err) } end
        end
        return true
      end)
    end
    for _, task in ipairs(writers) do assert(task:wait(60)) end
    is_over = true
    for _, task in ipairs(readers) do assert(task:wait(60)) end
    assert.same({}, wrong)
  end)

  it("gives several keys at once, without those that are absent, and never asks for more than 64", function()
    local values, keys = {}, {}
    for i = 1, 200 do values["key-" .. i], keys[i] = i, "key-" .. i end
    write(values)
    for i = 1, 50 do keys[#keys + 1] = "absent-" .. i end
    local requests, most, running = client.provider.requests, 0, 0
    local request = requests.request
    requests.request = function(...)
      running = running + 1
      most = math.max(most, running)
      local answer, err = request(...)
      running = running - 1
      return answer, err
    end
    local read, err, records = map:read(keys, LONG)
    requests.request = nil
    assert.is_nil(err, tostring(err))
    assert.same(values, read)
    assert.equal(writer:partition_map().owners[client:partition_of "key-1" + 1], records["key-1"].holder)
    assert.is_nil(records["absent-1"])
    assert.equal(64, most)
    assert.same({}, (map:read({}, LONG)))
  end)

  it("asks the node that is named, owner or not", function()
    write { ann = "here" }
    local partition_map, partition = client:partition_map(), client:partition_of "ann" + 1
    local has = { [partition_map.owners[partition]] = true }
    for _, id in ipairs(shared.is_0_11 and partition_map.backups[partition] or {}) do has[id] = true end
    for _, node in ipairs(shared.cluster.nodes) do
      local value, err, record = map:read("ann", { node = node.id, timeout = 60 })
      assert.is_nil(err, tostring(err))
      if node.id == partition_map.owners[partition] then assert.same({ "here", node.id }, { value, record.holder }) end
      if not has[node.id] then assert.is_nil(value, node.id) end
    end
    local value, err = map:read("ann", { node = "node-9" })
    assert.same({ nil, "NOT_CONNECTED" }, { value, err.code })
    assert.equal(("map '%s', key 'ann': no connected node is 'node-9'"):format(name), err.message)
  end)

  it("gives all keys or an error that names the owner that is not connected", function()
    local key = clusters.keys_of(client, "node-3", 1)[1]
    write { [key] = 1, [clusters.keys_of(client, "node-1", 1)[1]] = 2 }
    local partial = shared:started {
      cluster = { seeds = { shared.cluster.urls[1], shared.cluster.urls[2] } },
      endpoint = function(id, url) return id == "node-3" and "ws://127.0.0.1:1" or url end,
    }
    local value, err = partial:map(name):read(key, { timeout = 0.05 })
    assert.same({ nil, "NOT_CONNECTED" }, { value, err.code })
    assert.equal(("map '%s', key '%s': its owner node-3 is not connected"):format(name, key), err.message)
    assert.equal(2, (partial:map(name):read(clusters.keys_of(client, "node-1", 1)[1], LONG)))
    value, err = partial:map(name):read({ clusters.keys_of(client, "node-1", 1)[1], key }, { timeout = 0.05 })
    assert.is_nil(value)
    assert.is_true(err.retriable, tostring(err)) -- which key fails first is a matter of the machine
    assert.same({}, partial.reads)
  end)

  it("asks the new owner when the owner dies", function()
    local key = clusters.keys_of(client, "node-3", 1)[1]
    write { [key] = "kept" }
    if shared.is_0_11 then
      local backup = client:partition_map().backups[client:partition_of(key) + 1][1]
      eventually("the backup has the record", function() return assert(client:holdings(backup, name))[key] end)
    end
    assert(shared.cluster:kill "node-3")
    local value, err, record = map:read(key, LONG)
    assert.is_nil(err, tostring(err))
    local owner = client:partition_map().owners[client:partition_of(key) + 1]
    shared:restart("node-3", writer)
    assert.are_not.equal("node-3", owner)
    if shared.is_0_11 then assert.same({ "kept", owner }, { value, record.holder }) else assert.is_nil(value) end
  end)
end, { "sim://3", "sim://3?release=head", "sim://3?dialect=0.11", "topgun://3" })

clusters.on_each(getfenv(), "map:read of a node that does not answer", function(shared, it)
  local name, client, map

  before_each(function()
    name, client = shared:map_name(), shared:started()
    map = client:map(name)
    assert(map:set("ann", 1))
    assert(client:drain(60))
    assert.equal(1, (map:read("ann", LONG)))
    assert(shared.cluster:pause "node-1")
  end)
  after_each(function() shared.cluster:resume "node-1" end)

  it("ends with TIMEOUT, for one key and for several", function()
    for _, key in ipairs { "ann", { "ann", "bob" } } do
      local value, err = map:read(key, { timeout = "50ms" })
      assert.same({ nil, "TIMEOUT" }, { value, err.code })
      assert.truthy(err.message:find(("^map '%s', key '%%a+': no answer of node%%-1 in 0.05 s"):format(name)), err.message)
      assert.is_true(err.retriable)
    end
    assert.same({}, client.reads)
    assert.same({}, client.provider.requests.waiting)
  end)

  it("ends with CLOSED when the client is closed", function()
    local one = loop.spawn(function() return { map:read("ann", LONG) } end)
    local several = loop.spawn(function() return { map:read({ "ann", "bob" }, LONG) } end)
    eventually("three keys are asked for", function()
      local count = 0
      for _ in pairs(client.reads) do count = count + 1 end
      return count == 3, count
    end)
    client:close()
    for _, task in ipairs { one, several } do
      local value, err = unpack(assert(task:wait(60)), 1, 2)
      assert.same({ nil, "CLOSED" }, { value, err.code })
    end
    local value, err = map:read "ann"
    assert.same({ nil, "CLOSED" }, { value, err.code })
  end)
end, { "sim://1", "sim://1?dialect=0.11", "topgun://1" })

clusters.on_each(getfenv(), "map:read of a single server", function(shared, it)
  it("does not need to know its hash", function()
    local client = shared:started { server = shared.cluster.urls[1] }
    local map = client:map(shared:map_name())
    for i = 1, 20 do assert(map:set("key-" .. i, i)) end
    assert(client:drain(60))
    for i = 1, 20 do assert.equal(i, (map:read("key-" .. i, LONG))) end
    assert.same({ nil, nil }, { map:read("absent", LONG) })
  end)
end, { "sim://1", "sim://1?dialect=0.11", "sim://1?dialect=0.11&hash=xxh64", "topgun://1" })

clusters.on_each(getfenv(), "map:read", function(shared, it)
  it("asks the new owner when the partition moves away from a node that does not answer", function()
    local client, writer, name = shared:started(), shared:started(), shared:map_name()
    local map, key = client:map(name), clusters.keys_of(client, "node-1", 1)[1]
    assert(writer:map(name):set(key, "old"))
    assert(writer:drain(60))
    assert.equal("old", (map:read(key, LONG)))
    assert(shared.cluster:pause "node-1")
    finally(function() shared.cluster:resume "node-1" end)
    local task = loop.spawn(function() return { map:read(key, { timeout = 3600 }) } end)
    eventually("the owner is asked", function() return client.reads and next(client.reads) end)
    assert(shared.cluster:move(client:partition_of(key), "node-2"))
    local value, err = unpack((eventually("the read ends", function() return task.done and task:wait() end)), 1, 2)
    assert.is_nil(err, tostring(err))
    if not shared.is_0_11 then assert.is_nil(value) end -- node-2 never had it
    assert(writer:map(name):set(key, "new"))
    assert(writer:drain(60))
    local _, _, record = map:read(key, LONG)
    assert.same({ "new", "node-2" }, { map:read(key, LONG), record.holder })
  end)
end, { "sim://3", "sim://3?dialect=0.11" })

clusters.on_each(getfenv(), "map:read of a map whose name no disk storage takes", function(shared, it)
  it("is refused where the server has one, which would not answer", function()
    local map = shared:started():map "a-b"
    local value, err = map:read "ann"
    assert.same({ nil, shared:keeps_records() and "UNSUPPORTED" or nil }, { value, err and err.code })
  end)
end, { "sim://1", "sim://1?release=head", "topgun://1" })

describe("map:read", function()
  it("says what is wrong with its arguments, at the caller's line", function()
    local client = wingman.client { cluster = "sim://1", log_to = function() end }
    finally(function() client:close() end)
    local map = client:map "m"
    for _, case in ipairs {
      { { 7 }, "map:read: the key is a string, got number" }, { { "" }, "map:read: the key has 1 to 65535 bytes, got 0" },
      { { { "a", 7 } }, "map:read: number 2 of the list: the key is a string, got number" },
      { { { a = 1 } }, "map:read: a key or a list of keys is expected, got a table without a list" },
      { { { [1] = "ann", [3] = "bob" } }, "map:read: a list of keys is expected, got a table with holes or other fields" },
      { { { "ann", timeout = 1 } }, "map:read: a list of keys is expected, got a table with holes or other fields" },
      { { "a", { timout = 1 } }, "map:read: unknown option 'timout'; did you mean 'timeout'?" },
      { { "a", { timeout = "soon" } }, "map:read: option timeout: " },
      { { "a", false }, "map:read: a table of options is expected, got boolean" },
    } do
      local ok, err = pcall(function() map:read(unpack(case[1])) end)
      assert.is_false(ok)
      assert.truthy(err:find("owner_reads_spec.lua:%d+: ") and err:find(case[2], 1, true), err)
    end
    for _, case in ipairs { { "ann", "NOT_CONNECTED" }, { "\255", "NOT_CONNECTED" } } do
      local value, err = map:read(case[1])
      assert.same({ nil, case[2] }, { value, err.code })
    end
  end)

  it("works in a callback and outside of a task", function()
    local client = wingman.client { cluster = "sim://1", log_to = function() end }
    finally(function() client:close() end)
    assert(client:start())
    local map, read = client:map "m", nil
    assert(map:set("ann", 1, { on_ack = function() read = { map:read "ann", map:read { "ann", "bob" } } end }))
    assert(client:drain(60))
    assert.same({ 1, { ann = 1 } }, { read[1], read[2] })
    assert.same({ nil, "NOT_ENCODABLE" }, { nil, select(2, map:read "\255").code })
    assert.equal(1, (map:read "ann"))
  end)
end)
