--- The trees of partitions against the tree of the whole map, after many writes and removals.
local clusters = require "spec.support.cluster"
local raw = require "spec.support.raw_connections"

local PARTITIONS, KEYS, OPERATIONS = 3, 200, 1000

clusters.on_each(getfenv(), "the trees of partitions", function(shared, it)
  local connection, name

  before_each(function()
    connection, name = raw.open(shared, 1), shared:map_name()
  end)

  -- Keys come and go; the last ones are all removed, so that there are emptied places.
  local function write_much()
    local random = 1
    local function below(count)
      random = (random * 16807) % 2147483647
      return random % count
    end
    local ops = {}
    for i = 1, OPERATIONS do
      local key = "key-" .. below(KEYS)
      ops[i] = below(2) == 0 and raw.put(name, key, i) or raw.remove(name, key)
    end
    for i = KEYS / 2, KEYS do ops[#ops + 1] = raw.remove(name, "key-" .. i) end
    connection:write(ops)
  end

  -- All answers about these paths: path -> payload.
  local function ask(paths)
    connection.heard = {}
    for _, path in ipairs(paths) do
      connection:send { type = "MERKLE_REQ_BUCKET", payload = { mapName = name, path = path } }
    end
    connection:settle()
    local answers = {}
    for _, message in ipairs(connection.heard) do
      if message.type ~= "PONG" then answers[message.payload.path] = message.payload end
    end
    return answers
  end

  -- What is below some roots: the sum of each place by its digits, and the stamp of each record by its key.
  local function walk(roots, child_of)
    local sums, records, paths = {}, {}, roots
    while #paths > 0 do
      local below = {}
      for path, payload in pairs(ask(paths)) do
        for child, sum in pairs(payload.buckets or {}) do
          below[#below + 1] = child_of(path, child)
          local digits = below[#below]:match "[^/]*$"
          sums[digits] = ((sums[digits] or 0) + sum) % 2 ^ 32
        end
        for _, entry in ipairs(payload.records or {}) do
          assert.is_nil(records[entry.key], entry.key .. " is in two leaves")
          records[entry.key] = entry.record.timestamp
        end
      end
      paths = below
    end
    return sums, records
  end

  it("have the same records, emptied places and sums as the tree of the map", function()
    write_much()
    local roots = {}
    for i = 1, PARTITIONS do roots[i] = ("%03d/"):format(i - 1) end
    local sums, records = walk({ "" }, function(path, child) return path .. child end)
    local partition_sums, partition_records = walk(roots, function(_, child) return child end)
    assert.same(sums, partition_sums)
    assert.same(records, partition_records)
    local held, empty = 0, 0
    for _ in pairs(records) do held = held + 1 end
    for digits, sum in pairs(sums) do empty = empty + (#digits == 3 and sum == 0 and 1 or 0) end
    assert.equal(shared.cluster:counts(name)["node-1"], held)
    assert(held > 20 and empty > 20, held .. " records and " .. empty .. " emptied leaves")
  end)
end, { "sim://1?partitions=" .. PARTITIONS })
