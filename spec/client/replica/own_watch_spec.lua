--- map:watch with own = true: this client's writes are told, once each, and to nobody who did not ask for them.
local clusters = require "spec.support.cluster"
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"

clusters.on_each(getfenv(), "a watch of own writes", function(shared, it)
  local client, map, other, theirs, told, others, heard

  before_each(function()
    client, other = shared:started(), shared:started()
    map = client:map(shared:map_name())
    theirs = other:map(map.name)
    told, others, heard = {}, {}, {}
    assert(map:set("before", 0))
    assert(map:synced(60))
    map:on("change", function(key, value, origin) heard[#heard + 1] = { key, value, origin } end)
    map:watch(nil, function(key, value, origin) others[#others + 1] = { key, value, origin } end, { initial = false })
    map:watch(nil, function(key, value, origin) told[#told + 1] = { key, value, origin } end, { own = true })
    eventually("what is there is told", function() return #told > 0 end)
    assert.same({ { "before", 0, "snapshot" } }, told)
    told = {}
  end)

  it("tells the last of several, and no echo", function()
    for i = 1, 100 do assert(map:set("k", i)) end
    assert(map:set("gone", 1))
    assert(map:remove "gone")
    loop.wait_until(function() return #told >= 2 end, 60)
    assert.same({ { "k", 100, "local" }, { "gone", nil, "local" } }, told)
    assert(client:drain(60))
    assert(map:synced(60))
    assert(map:set("k", 100)) -- a write, although the value is the same
    eventually("it is told", function() return #told == 3 end)
    assert(client:drain(60))
    assert(map:synced(60))
    assert.same({ "k", 100, "local" }, told[3])
    assert.equal(3, #told)
    assert.same({}, others)
    assert.same({}, heard)
  end)

  it("tells others' writes as any watch does, between own ones", function()
    assert(map:set("k", "own"))
    assert(client:drain(60))
    assert(theirs:set("k", "theirs"))
    eventually("theirs is told", function() return #told == 2, told end)
    assert(map:set("k", "own again"))
    eventually("the last one is told", function() return #told == 3, told end)
    assert.same({ "k", "own", "local" }, told[1])
    assert.same({ "k", "theirs" }, { told[2][1], told[2][2] })
    assert.is_true(told[2][3] == "remote" or told[2][3] == "repair", told[2][3])
    assert.same({ "k", "own again", "local" }, told[3])
    assert.same({ told[2] }, others)
    assert.same({ told[2] }, heard)
  end)
end, { "sim://3", "sim://3?dialect=0.11", "topgun://3" })

clusters.on_each(getfenv(), "an own removal", function(shared, it)
  local function owners_of(client) return client:partition_map().owners end

  -- Of the keys of a node one that gets another owner while the first node is away.
  local function wandering_key(client, keys)
    assert(shared.cluster:kill "node-1")
    eventually("node-1 owns nothing", function()
      for _, id in ipairs(owners_of(client)) do
        if id == "node-1" then return false end
      end
      return true
    end)
    for _, key in ipairs(keys) do
      if owners_of(client)[client:partition_of(key) + 1] == "node-2" then return key end
    end
    error "no partition has moved from node-3 to node-2"
  end

  -- One of 40 keys of a replica, which has moved from node-3 to node-2, a live query of them all, and what a watch is told of it.
  local function watched_wandering_key()
    local client, told = shared:started(), {}
    local map = client:map(shared:map_name())
    local keys = clusters.keys_of(client, "node-3", 40)
    for _, key in ipairs(keys) do assert(map:set(key, "there")) end
    assert(client:drain(60))
    assert(map:synced(60))
    local key = wandering_key(client, keys)
    local live = client:live_query(map.name)
    map:watch(key, function(_, value) told[#told + 1] = tostring(value) end, { own = true })
    eventually("what is there is told", function() return told[1] == "there" and live:size() == 40 end)
    return client, map, key, live, told
  end

  it("is followed by the record that the key's former owner still holds, also when it is sent back before it is acknowledged", function()
    local client, map, key, live, told = watched_wandering_key()
    assert(shared.cluster:fault("node-2", "ack-delay", 1000))
    assert(map:remove(key))
    assert.equal(39, live:size())
    assert(client:drain(60))
    eventually("the former owner's record is shown", function() return map:get(key) == "there" end)
    eventually("the watch and the live query are told", function() return live:size() == 40 and told[3] == "there", told end)
    assert.same({ "there", "nil", "there" }, told)
    assert(shared.cluster:fault("node-2", "ack-delay", 0))
    shared:restart("node-1", client)
  end)

  it("is followed by the record of the key's owner, when that comes back before the removal was seen at the node that took it", function()
    local client, map, key, live, told = watched_wandering_key()
    assert(shared.cluster:fault("node-2", "refuse", true)) -- else it is compared on a new connection, which ends the removal
    finally(function() shared.cluster:fault("node-2", "refuse", false) end)
    for _, session in ipairs(assert(shared.cluster:connections "node-2")) do
      if session.carried.QUERY_SUB then assert(shared.cluster:fault("node-2", "drop", session.number)) end
    end
    assert(map:remove(key))
    assert(client:drain(60))
    eventually("the removal is shown", function() -- not before the replica has the new owners, too
      local record = map:record(key)
      return record and record.state == "acknowledged", record
    end)
    eventually("the removal is told", function() return live:size() == 39 and told[#told] == "nil", told end)
    shared:restart("node-1", client)
    eventually("node-3's record is shown", function() return map:get(key) == "there" end)
    eventually("the watch and the live query are told", function() return live:size() == 40 and told[#told] == "there", told end)
  end)
end, { "sim://3" })

-- What the core does to own records by itself; where nothing of the key is shown without the write.
clusters.on_each(getfenv(), "an own write that is not new", function(shared, it)
  local client, map, live, told

  -- What a live query has of the key, and what a watch was told last.
  local function shown(key)
    for _, row in ipairs(live:rows()) do
      if row.key == key then return row.value, told[key] end
    end
    return nil, told[key]
  end

  local function begin(options)
    client, told = shared:started(options), {}
    eventually("every node is connected", function() return #client:connected_nodes() == 3 end)
    map = client:map(shared:map_name())
    map:replicate { on_loss = "drop" }
    live = client:live_query(map.name)
    map:watch(nil, function(key, value) told[key] = value end, { own = true })
    assert(live:synced(60))
  end

  local function assert_told(what, key, value)
    eventually(what, function()
      local row, last = shown(key)
      return map:get(key) == value and row == value and last == value, { tostring(map:get(key)), tostring(row), tostring(last) }
    end)
  end

  local function kill_all()
    for _, node in ipairs(shared.cluster.nodes) do assert(shared.cluster:kill(node.id)) end
    eventually("no node is connected", function() return #client:connected_nodes() == 0 end)
  end

  local function restart_all()
    for _, node in ipairs(shared.cluster.nodes) do shared:restart(node.id, client) end
  end

  it("is told when it is shown again, as it is sent again after all nodes lost it", function()
    begin()
    assert(map:set("k", 1))
    assert(client:drain(60))
    assert(live:synced(60))
    kill_all()
    restart_all()
    assert(map:synced(60))
    if not shared.is_0_11 then assert_told("its loss is told", "k", nil) end -- there the client may have repeated it
    assert(map.core_map:resend "k") -- what repeats do, too
    assert_told("it is told", "k", 1)
  end)

  it("is told when it is shown no more, as it is dropped from a full op log", function()
    begin { oplog = { max_ops = 2, when_full = "drop_oldest" } }
    kill_all()
    assert(map:set("a", 1))
    assert_told("it is told", "a", 1)
    assert(map:set("b", 2))
    assert(map:set("c", 3))
    assert.is_nil(map:get "a")
    assert_told("the drop is told", "a", nil)
    restart_all()
  end)
end, { "sim://3", "sim://3?dialect=0.11" })

clusters.on_each(getfenv(), "an own write from before the map was followed", function(shared, it)
  local function own_by(client, keys, id)
    for _, key in ipairs(keys) do assert(shared.cluster:move(client:partition_of(key), id)) end
    eventually(id .. " owns the keys", function()
      local owners = client:partition_map().owners
      for _, key in ipairs(keys) do
        if owners[client:partition_of(key) + 1] ~= id then return false end
      end
      return true
    end)
  end

  it("is shown no more once its owner was compared, and again when a node is found to hold it, which is told each time", function()
    local client, told = shared:started(), {}
    local map = client:map(shared:map_name())
    eventually("every node is connected", function() return #client:connected_nodes() == 3 end)
    local keys = clusters.keys_of(client, "node-1", 3)
    for i, key in ipairs(keys) do assert(map:set(key, i)) end
    assert(client:drain(60))
    assert(client:map(shared:map_name()):synced(60)) -- listens at every node
    assert(shared.cluster:pause "node-1") -- it holds the keys, and is not compared
    finally(function() shared.cluster:resume "node-1" end)
    local live = client:live_query(map.name)
    map:watch(nil, function(key, value) told[key] = value end)
    local function assert_all(what, count)
      eventually(what, function()
        local got, heard = 0, 0
        for _, key in ipairs(keys) do
          got = got + (map:get(key) and 1 or 0)
          heard = heard + (told[key] and 1 or 0)
        end
        return got == count and heard == count and live:size() == count and map:size() == count, { got, heard, live:size(), map:size() }
      end)
    end
    assert_all("they are shown, as their owner may hold them", 3)
    own_by(client, keys, "node-2")
    assert_all("they are gone, as their owner holds nothing", 0)
    own_by(client, keys, "node-1")
    loop.sleep(0.1)
    assert.same({ 0, 0 }, { live:size(), map:size() }) -- nothing is known of the owner, and that was so before
    assert(shared.cluster:resume "node-1")
    assert_all("node-1's records are shown", 3)
  end)
end, { "sim://3" })
