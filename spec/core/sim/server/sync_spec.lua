--- Which paths of a Merkle tree a server answers, and how: the simulated one as the real one.
local clusters = require "spec.support.cluster"
local core = require "wingman.core"
local raw = require "spec.support.raw_connections"
local sorted = require "wingman.base.sorted"

local SILENCE = "silence"
local KEYS = { "apple", "k1", "k2" }

local function digits_of(key, count) return ("%08x"):format(core.hash_fnv1a(key)):sub(1, count) end

local function partition_of(key) return ("%03d/"):format(core.partition("fnv1a", key, 271)) end

local env = getfenv()

clusters.on_each(env, "a Merkle path", function(shared, it)
  local name, connection

  before_each(function()
    name, connection = shared:map_name(), raw.open(shared, 1)
  end)

  local function write(operation, keys)
    local ops = {}
    for i, key in ipairs(keys) do ops[i] = operation(name, key, i) end
    connection:write(ops)
  end

  -- The answer: buckets without their sums, a leaf as the keys of its records, or silence.
  local function ask(path)
    local before = #connection.heard
    connection:send { type = "MERKLE_REQ_BUCKET", payload = { mapName = name, path = path } }
    connection:settle()
    for i = before + 1, #connection.heard do
      local message = connection.heard[i]
      local payload = message.payload
      if message.type == "SYNC_RESP_LEAF" and payload.path == path then
        local keys = {}
        for _, record in ipairs(payload.records) do keys[#keys + 1] = record.key end
        return { leaf = keys }
      elseif message.type == "SYNC_RESP_BUCKETS" and payload.path == path then
        return payload.buckets
      end
    end
    return SILENCE
  end

  local function names_of(buckets)
    if type(buckets) ~= "table" then return buckets end
    return sorted.keys(buckets)
  end

  local unknown = shared.is_0_11 and {} or SILENCE

  it("of a map that nobody wrote is met with silence on v2", function()
    for _, path in ipairs { "", "a", "000/a", "000/abc" } do assert.same(unknown, ask(path), path) end
    local root = connection:root(name)
    assert.equal(0, root)
    assert.same(unknown, ask "") -- the question about the root has made no map
  end)

  it("leads to the leaf of a key, over all partitions", function()
    write(raw.put, KEYS)
    for _, key in ipairs(KEYS) do
      for count = 0, 2 do
        local buckets = ask(digits_of(key, count))
        assert.is_truthy(buckets[digits_of(key, count + 1):sub(-1)], key)
      end
      assert.same({ leaf = { key } }, ask(digits_of(key, 3)))
    end
  end)

  if not shared.is_0_11 then
    it("leads to the leaf of a key in its partition, by buckets that are named by whole paths", function()
      if shared:has_other_trees(env) then return end
      write(raw.put, KEYS)
      for _, key in ipairs(KEYS) do
        for count = 0, 2 do
          local child = partition_of(key) .. digits_of(key, count + 1)
          assert.same({ child }, names_of(ask(partition_of(key) .. digits_of(key, count))))
        end
        assert.same({ leaf = { key } }, ask(partition_of(key) .. digits_of(key, 3)))
      end
    end)

    it("sums to the root, over the partitions as over the digits", function()
      if shared:has_other_trees(env) then return end
      write(raw.put, KEYS)
      local by_digit, by_partition = 0, 0
      for _, sum in pairs(ask "") do by_digit = by_digit + sum end
      for _, key in ipairs(KEYS) do
        for _, sum in pairs(ask(partition_of(key))) do by_partition = by_partition + sum end
      end
      assert.same({ connection:root(name), connection:root(name) }, { by_digit % 2 ^ 32, by_partition % 2 ^ 32 })
    end)

    it("stays when it is emptied, but for a leaf over all partitions", function()
      if shared:has_other_trees(env) then return end
      write(raw.put, KEYS)
      write(raw.remove, KEYS)
      assert.equal(0, connection:root(name))
      for _, key in ipairs(KEYS) do
        for count = 0, 2 do
          assert.equal(0, ask(digits_of(key, count))[digits_of(key, count + 1):sub(-1)])
          local child = partition_of(key) .. digits_of(key, count + 1)
          assert.same({ [child] = 0 }, ask(partition_of(key) .. digits_of(key, count)))
        end
        assert.equal(SILENCE, ask(digits_of(key, 3)))
        assert.same({}, ask(partition_of(key) .. digits_of(key, 3)))
      end
    end)
  end

  it("is not to be asked for on 0.11 by who synchronized more than 30 days ago; v2 does not look at the time", function()
    write(raw.put, KEYS)
    local day = 24 * 3600 * 1000
    local function ask_since(days)
      connection.heard = {}
      connection:send { type = "SYNC_INIT", mapName = name, lastSyncTimestamp = core.wall_ms() - days * day }
      connection:settle()
      return { #connection:of_type "SYNC_RESP_ROOT", #connection:of_type "SYNC_RESET_REQUIRED" }
    end
    assert.same({ 1, 0 }, ask_since(29))
    assert.same(shared.is_0_11 and { 0, 1 } or { 1, 0 }, ask_since(31))
    if shared.is_0_11 then assert.same({ mapName = name }, connection:of_type("SYNC_RESET_REQUIRED")[1]) end
  end)

  it("in any other form is unknown", function()
    write(raw.put, KEYS)
    local key = KEYS[1]
    local partition, digits = partition_of(key), digits_of(key, 4)
    local wrong = {
      digits, partition .. digits, digits_of(key, 3):upper(), partition .. digits_of(key, 3):upper(),
      partition:sub(1, 3), partition:sub(2), "0" .. partition, partition .. "/", "/", "zz", "000/zz", "-1/", "65535/",
    }
    for _, path in ipairs(wrong) do assert.same(unknown, ask(path), path) end
  end)

  it("of a partition is always answered", function()
    if shared:has_other_trees(env) then return end
    assert.same({}, ask "000/") -- in a map that nobody wrote, too
    write(raw.put, KEYS)
    for _, path in ipairs { "000/", "270/", "271/", "999/" } do assert.same({}, ask(path), path) end -- there are 271
  end)
end, { "sim://1", "sim://1?dialect=0.11", "topgun://1" })
