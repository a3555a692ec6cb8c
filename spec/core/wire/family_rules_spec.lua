--- What servers of a family acknowledge and do not store, or nobody can read again, is
--- refused when it is written; what was recorded before it was known who they are becomes a
--- dead letter before it is sent.
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local eventually = require "spec.support.eventually"
local ffi = require "ffi"
local wire_name = require "wingman.base.wire_name"

local PATIENCE = 60
--- 512 KiB less what an answer has around the record: for map name, key and value.
local V2_RECORD = 524032

local BAD_NAMES = { "a-b", "a.b", "a:b", "a b", "1a", "ünï", "a\0b", "-", "_topgun_x", "__topgun_x", "_topgun_", "x__backup", "__backup" }
local GOOD_NAMES = { "a", "_", "A_9", "_topgu", "x_topgun_", "topgun_x", "x__backup_", "x_backup", ("m"):rep(256) }

local function texts(value_bytes) return ("x"):rep(value_bytes - 5) end -- a MessagePack str has a head of 5

clusters.on_each(getfenv(), "a write", function(shared, it)
  local function rejected_keys(client)
    local keys = {}
    for _, letter in ipairs(client:rejected()) do keys[letter.key] = letter.reason end
    return keys
  end

  local function find_letter(client, key)
    for _, letter in ipairs(client:rejected()) do
      if letter.key == key then return letter.seq end
    end
  end

  it("to a map that a v2 server discards is refused there", function()
    local client = shared:started()
    for _, name in ipairs(BAD_NAMES) do
      if shared.is_0_11 then
        assert(client:map(name):set("k", 1))
      else
        for _, write in ipairs { "set", "remove" } do
          local map = client:map(name)
          local seq, err = map[write](map, "k", write == "set" and { v = 1 } or nil)
          assert.same({ nil, "NOT_STORABLE", name, "k" }, { seq, err.code, err.map, err.key })
          assert.truthy(err.message:find(wire_name.shown(name), 1, true), err.message)
          assert.truthy(err.message:find("check_map_names", 1, true), err.message)
        end
      end
    end
    for i, name in ipairs(GOOD_NAMES) do assert(client:map(name):set("k" .. i, 1)) end
    assert.is_true(client:drain(PATIENCE))
    assert.equal(0, client:stats().ops_rejected)
  end)

  it("that was recorded before the family was known is a dead letter, and the others are stored", function()
    local client, good = shared:client(), shared:map_name()
    local bad_seq = assert(client:map("bad-name"):set("name", 1))
    assert(client:map("bad-name"):remove "removal")
    assert(client:map(good):set("size", texts(900000)))
    assert(client:map(good):set("integer", { list = { 1, { id = ffi.new("int64_t", 2 ^ 53) + 1 } } }))
    assert(client:map(good):set("good", { id = ffi.new("int64_t", 2 ^ 53) }))
    assert(client:map(good):set("key", "kept"))
    assert(client:start())
    local ok, err = client:drain(PATIENCE)
    local found = rejected_keys(client)
    if shared.is_0_11 then
      assert.same({ nil, 1 }, { ok, err.rejected })
      assert.truthy(found.integer:find("beyond 2^53 at 'list[2].id'", 1, true), found.integer)
    else
      assert.same({ nil, 3 }, { ok, err.rejected })
      assert.truthy(found.name and found.removal)
      assert.truthy(found.size:find("have 900004 bytes", 1, true), found.size)
      assert.equal("REJECTED", select(2, client:wait(bad_seq, 1)).code)
      assert.same({ nil, "NOT_STORABLE" }, { (client:map("bad-name"):set("k", 1)), select(2, client:map("bad-name"):set("k", 1)).code })
      local again, why = client:rejected():resend(bad_seq)
      assert.same({ nil, "NOT_STORABLE" }, { again, why.code })
    end
    local stored = shared:values(client, good)
    assert.same({ "kept", 2 ^ 53 }, { stored.key, tonumber(stored.good.id) })
    -- The records are as they were written; what is sent of them again is judged again.
    local map, refused = client:map(good), shared.is_0_11 and { "integer", "NOT_STORABLE" } or { "size", "TOO_LARGE" }
    local again, why = map:resend(refused[1])
    assert.same({ nil, refused[2] }, { again, why.code })
    assert(client:rejected():drop(find_letter(client, refused[1])))
    assert.equal(0, assert(client:repair(good)))
    if shared.is_0_11 then
      assert(shared.cluster:fault("all", "ack-drop", 10))
      local seq = assert(map:resend "good")
      for _, op in ipairs(client.core:operations(0)) do
        if op.seq == seq then assert.equal("\203", op.bytes:sub(-9, -9)) end
      end
      assert(shared.cluster:fault("all", "none"))
    end
  end)

  if not shared.is_0_11 then
    it("is taken as long as every answer can hold the record", function()
      if shared:has_no_queries(getfenv()) then return end
      local writer, name, key = shared:started(), shared:map_name(), ("k"):rep(100)
      local listener, heard = shared:started(), nil
      listener:map(name):on("change", function(_, value) heard = value end, { replicate = false })
      assert(listener:query(name)) -- answered after the subscriptions, which went before
      local map, most = writer:map(name), V2_RECORD - #name - #key
      local seq, err = map:set(key, texts(most + 1))
      assert.same({ nil, "TOO_LARGE", key }, { seq, err.code, err.key })
      assert.truthy(err.message:find(("have %d bytes"):format(most + 1 + #key), 1, true), err.message)
      assert.is_nil(map:get(key))
      seq, err = map:set(key, { text = texts(most), n = 1 }) -- the way of flat tables
      assert.same({ nil, "TOO_LARGE" }, { seq, err.code })
      assert(map:set(key, texts(most)))
      assert.is_true(writer:drain(PATIENCE))
      assert.equal(most - 5, #assert(listener:query(name))[1].value)
      assert.equal(most - 5, #assert(listener:holdings(listener.provider:node_of(key).id, name))[key].value)
      eventually("an event of the record comes", function() return heard end)
      assert.equal(most - 5, #heard)
      assert.same({}, listener:stats().losses)
    end)
  else
    it("of an integer beyond 2^53 is refused, and one within is a float64", function()
      local client = shared:started()
      local map, most = client:map(shared:map_name()), ffi.new("int64_t", 2 ^ 53)
      assert(shared.cluster:fault("all", "ack-drop", 10))
      for _, within in ipairs { most, -most, ffi.new("uint64_t", 2 ^ 53), ffi.new("int64_t", 2 ^ 40) } do
        assert(map:set("k", { a = { within } }))
        local newest = { seq = 0 }
        for _, op in ipairs(client.core:operations(0)) do newest = op.seq > newest.seq and op or newest end
        assert.equal("\129\161a\145" .. "\203", newest.bytes:sub(-13, -9))
        assert.equal(tonumber(within), map:get("k").a[1])
      end
      assert(shared.cluster:fault("all", "none"))
      for value, path in pairs {
        [most + 1] = "", [-most - 1] = "", [ffi.new("uint64_t", -1)] = "",
      } do
        local seq, err = map:set("k", value)
        assert.same({ nil, "NOT_STORABLE", path }, { seq, err.code, err.path })
      end
      local nested = { { items = { 1, "two", { id = most + 1 } } }, "items[3].id" }
      local seq, err = map:set("k", nested[1])
      assert.same({ nil, "NOT_STORABLE", nested[2], "k" }, { seq, err.code, err.path, err.key })
      assert.truthy(err.message:find("at 'items[3].id' is beyond 2^53", 1, true), err.message)
      seq, err = map:set("k", { [("n"):rep(300)] = { most + 1 } })
      assert.same({ nil, "NOT_STORABLE", ("n"):rep(127) }, { seq, err.code, err.path })
      assert(map:set("k", ("\211"):rep(9))) -- bytes that look like one
      assert(map:set("k", 2 ^ 60)) -- a number of Lua is a float64
    end)
  end

  if not shared.is_real then
    it("to any map is taken when the servers have no disk storage", function()
      local client = shared:started { check_map_names = false }
      for i, name in ipairs(BAD_NAMES) do assert(client:map(name):set("k" .. i, 1)) end
      assert.is_true(client:drain(PATIENCE))
    end)
  end

  it("to such a map keeps no node from being known, and no other map from being repaired", function()
    local client, asked = shared:client(), {}
    assert(client:map("bad-name"):set("bad", 1)) -- the first map of this client
    client.core:trace(true)
    client:on("frame", function(_, outward, message)
      local decoded = outward and message and core.decode(message)
      if decoded and decoded.mapName then asked[decoded.mapName] = true end
    end)
    assert(client:map(shared:map_name()):set("good", 1))
    assert(client:start())
    client:drain(PATIENCE)
    assert.equal(0, assert(client:repair()))
    assert.is_truthy(next(asked), "no question of the client was seen")
    if not shared.is_0_11 then assert.is_nil(asked["bad-name"]) end
  end)

  it("that an earlier process left in its file is a dead letter, too", function()
    local path = os.tmpname()
    os.remove(path)
    local offline = shared:client { oplog = { path = path } }
    assert(offline:map("bad-name"):set("bad", texts(700000)))
    assert(offline:map(shared:map_name()):set("good", 1))
    offline:close()
    local client = shared:client { oplog = { path = path } }
    assert.equal(2, client:pending_ops())
    assert(client:start())
    local ok, err = client:drain(PATIENCE)
    if shared.is_0_11 then
      assert.is_true(ok)
    else
      assert.same({ nil, "REJECTED", 1 }, { ok, err.code, err.count })
      assert.same({ "bad-name", "bad", 699995 }, { client:rejected()[1].map, client:rejected()[1].key, #client:rejected()[1].value })
    end
    assert.equal(1, client:stats().ops_acked - (shared.is_0_11 and 1 or 0))
    client:close()
    os.remove(path)
  end)
end)

describe("the bound of the dead letters", function()
  local sim = require "wingman.sim"
  local wingman = require "wingman"
  local cluster, client, log

  before_each(function()
    cluster, log = assert(sim.start { nodes = 1 }), {}
    client = wingman.client { cluster = { seeds = cluster.urls }, auth = { token = cluster.token }, start_timeout = PATIENCE,
      log_to = function(_, event, fields) log[event] = fields end }
  end)
  after_each(function()
    client:close()
    cluster:stop()
  end)

  it("is 10,000: the oldest make way, counted and reported", function()
    local map = client:map "bad-name"
    for i = 1, 10003 do assert(map:set("k" .. i, i)) end
    assert(client:start())
    assert.equal(10003, select(2, client:drain(PATIENCE)).rejected)
    local letters = client:rejected()
    assert.same({ 10000, 3, "k4", "k10003" }, { #letters, letters.displaced, letters[1].key, letters[10000].key })
    assert.same({ kept = 10000, displaced = 3 }, { kept = log.dead_letters_full.kept, displaced = log.dead_letters_full.displaced })
    assert.equal(3, client:stats().dead_letters_displaced)
    for _, letter in ipairs(letters) do assert.is_true(letters:drop(letter.seq)) end
    assert.equal(0, #client:rejected())
  end)

  it("is 16 MiB", function()
    local map = client:map "bad-name"
    for i = 1, 20 do assert(map:set("k" .. i, ("x"):rep(1000000))) end
    assert(client:start())
    assert.equal(20, select(2, client:drain(PATIENCE)).rejected)
    assert.same({ 16, 4 }, { #client:rejected(), client:rejected().displaced })
  end)
end)
