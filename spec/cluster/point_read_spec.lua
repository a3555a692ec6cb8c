--- wingman.cluster.point_read against a node that answers what a table says: which paths are asked for, and
--- what counts as a value. What real nodes answer is in spec/core/sim/server/sync_spec.lua.
local core = require "wingman.core"
local point_read = require "wingman.cluster.point_read"

local MAP = "m"

local function buckets(list) return { type = "SYNC_RESP_BUCKETS", payload = { mapName = MAP, buckets = list } } end
local function leaf(list) return { type = "SYNC_RESP_LEAF", payload = { mapName = MAP, records = list } } end
local function entry(key, value, fields)
  local record = { value = value, timestamp = { millis = core.wall_ms(), counter = 0, nodeId = "n" } }
  for name, field in pairs(fields or {}) do record[name] = field end
  return { key = key, record = record }
end

-- What is read of a node that answers by this table, and the paths that it was asked for.
local function read(ways, key, answers)
  local asked = {}
  local record, err = point_read.record(function(path)
    asked[#asked + 1] = path
    local answer = answers[path]
    if answer == nil then return nil, "silence" end
    return answer
  end, ways, key)
  return record and record.value, err, asked
end

local function digits(key) return ("%03x"):format(math.floor(core.hash_fnv1a(key) / 2 ^ 20)) end

describe("a point read of v2", function()
  local key = "ann"
  local d = digits(key)
  local root, one, two, three = "007/", "007/" .. d:sub(1, 1), "007/" .. d:sub(1, 2), "007/" .. d
  local ways = point_read.ways_of_partition(key, 7)
  local to_leaf = { [root] = buckets { [one] = 1, ["007/x"] = 1 }, [one] = buckets { [two] = 1 }, [two] = buckets { [three] = 1 } }

  local function with(more)
    local answers = {}
    for path, answer in pairs(to_leaf) do answers[path] = answer end
    for path, answer in pairs(more) do answers[path] = answer end
    return answers
  end

  it("goes down from the root of the partition to the leaf", function()
    local value, err, asked = read(ways, key, with { [three] = leaf { entry("bob", 1), entry(key, 2) } })
    assert.same({ 2, nil, { root, one, two, three } }, { value, err, asked })
  end)

  it("goes down from the root of the map, where partitions have no paths", function()
    local answers = { [""] = buckets { [d:sub(1, 1)] = 1 }, [d:sub(1, 1)] = buckets { [d:sub(2, 2)] = 1 },
      [d:sub(1, 2)] = buckets { [d:sub(3, 3)] = 1 }, [d] = leaf { entry(key, 2) } }
    local value, err, asked = read(point_read.ways_whole(key), key, answers)
    assert.same({ 2, nil, { "", d:sub(1, 1), d:sub(1, 2), d } }, { value, err, asked })
  end)

  it("ends where the next bucket is not listed, without asking for it", function()
    for _, case in ipairs {
      { with { [root] = buckets {} }, { root } }, { with { [one] = buckets {} }, { root, one } },
      { with { [two] = buckets { ["007/zzz"] = 1 } }, { root, one, two } },
    } do
      local value, err, asked = read(ways, key, case[1])
      assert.same({ nil, nil, case[2] }, { value, err, asked })
    end
  end)

  it("takes buckets that are named by one digit, and goes into those with the sum 0, which may hold something", function()
    local value = read(ways, key, with { [root] = buckets { [d:sub(1, 1)] = 0 }, [three] = leaf { entry(key, "v") } })
    assert.equal("v", value)
  end)

  it("finds nothing in an emptied leaf, and in one of other keys", function()
    for _, answer in ipairs { buckets {}, leaf {}, leaf { entry("bob", 1) } } do
      local value, err = read(ways, key, with { [three] = answer })
      assert.same({ nil, nil }, { value, err })
    end
  end)

  it("is an error where an answer does not come or is nonsense", function()
    local _, silence = read(ways, key, to_leaf)
    assert.equal("silence", silence)
    for _, case in ipairs {
      { buckets(7), "the buckets are no map" }, { buckets { [""] = 1 }, "a bucket without a digit" },
      { leaf "x", "the records of a leaf are no array" }, { leaf { { key = key } }, "a record in a leaf is none" },
    } do
      local value, err = read(ways, key, with { [root] = case[1] })
      assert.same({ nil, case[2] }, { value, err })
    end
    for _, case in ipairs {
      { buckets { [three .. "0"] = 1 }, ("buckets are listed below the leaf '%s'"):format(three) },
      { leaf { [key] = entry(key, 1).record }, "the records of a leaf are no array" },
      { leaf { entry(key, 1), x = 1 }, "the records of a leaf are no array" },
      { leaf { entry(key, 1, { ttlMs = "1000" }) }, "a record in a leaf is none" },
      { leaf { entry(key, 1, { ttlMs = {} }) }, "a record in a leaf is none" },
      { leaf { entry("bob", 1, { ttlMs = 0 / 0 }) }, "a record in a leaf is none" },
    } do
      local value, err = read(ways, key, with { [three] = case[1] })
      assert.same({ nil, case[2] }, { value, err })
    end
  end)
end)

describe("a point read of 0.11", function()
  it("asks for the leaf only", function()
    local value, err, asked = read(point_read.ways_0_11("ann", "fnv1a"), "ann", { [digits "ann"] = leaf { entry("ann", false) } })
    assert.same({ false, nil, { digits "ann" } }, { value, err, asked })
  end)

  it("asks for the leaves of both hashes while the hash is not known", function()
    local other = ("%03x"):format(math.floor(core.hash_xxh64 "ann" / 2 ^ 20))
    assert.are_not.equal(other, digits "ann")
    local value, _, asked = read(point_read.ways_0_11 "ann", "ann", { [digits "ann"] = buckets {}, [other] = leaf { entry("ann", 1) } })
    assert.same({ 1, { digits "ann", other } }, { value, asked })
    value, _, asked = read(point_read.ways_0_11("ann", "xxh64"), "ann", { [other] = leaf { entry("ann", 1) } })
    assert.same({ 1, { other } }, { value, asked })
  end)

  it("finds nothing in a tombstone, nor in a record whose time to live is over", function()
    local hour = 3600 * 1000
    local old = { millis = core.wall_ms() - hour, counter = 0, nodeId = "n" }
    for _, case in ipairs {
      { entry("ann", core.null) }, { entry("ann", nil) }, { entry("ann", 1, { timestamp = old, ttlMs = hour - 1 }) },
      { entry("ann", 1, { timestamp = old, ttlMs = 2 * hour }), 1 }, { entry("ann", 1, { timestamp = old, ttlMs = core.null }), 1 },
    } do
      local value, err = read(point_read.ways_0_11("ann", "fnv1a"), "ann", { [digits "ann"] = leaf { case[1] } })
      assert.same({ case[2], nil }, { value, err })
    end
  end)
end)
