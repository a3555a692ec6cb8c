--- The record of one key at one node, by the key's place in the node's Merkle tree.
---
--- A 0.11 node answers for every path, so the leaf is asked for. A v2 node does not answer for a path that
--- holds nothing, but for the root of a partition (2.2.0), and for each bucket that an answer has listed: so
--- the way leads from a root to the leaf, and a key that is not there is known without waiting for a silence.
local core = require "wingman.core"
local merkle_answer = require "wingman.cluster.merkle_answer"

local M = {}

local hashes = { fnv1a = core.hash_fnv1a, xxh64 = core.hash_xxh64 }

-- The hexadecimal digits of a hash that are a path.
local function leaf_digits(hash) return ("%03x"):format(math.floor(hash / 2 ^ 20)) end

local function from_root(root, key)
  local digits = leaf_digits(core.hash_fnv1a(key))
  return { { root, root .. digits:sub(1, 1), root .. digits:sub(1, 2), root .. digits } }
end

--- The ways to a key in a v2 node's tree of the key's partition: one, from the root to the leaf.
---@param key string
---@param partition integer
---@return string[][] ways  paths
function M.ways_of_partition(key, partition) return from_root(("%03d/"):format(partition), key) end

--- The ways to a key in a v2 node's tree of the whole map: one, from the root to the leaf.
---@param key string
---@return string[][] ways  paths
function M.ways_whole(key) return from_root("", key) end

--- The ways to a key in the tree of a 0.11 node: its leaf. There are two while the hash is not known.
---@param key string
---@param hash_kind "fnv1a"|"xxh64"|nil
---@return string[][] ways
function M.ways_0_11(key, hash_kind)
  if hash_kind then return { { leaf_digits(hashes[hash_kind](key)) } } end
  return { { leaf_digits(core.hash_fnv1a(key)) }, { leaf_digits(core.hash_xxh64(key)) } }
end

-- nil for a tombstone, and for a record whose time to live has passed, which 0.11 removes later.
local function live_record(record)
  if record.value == nil or record.value == core.null then return nil end
  local ttl = record.ttlMs
  if type(ttl) == "number" and core.wall_ms() > record.timestamp.millis + ttl then return nil end
  return record
end

local function record_of(entries, key)
  for _, entry in ipairs(entries) do
    if entry.key == key then return live_record(entry.record) end
  end
end

-- The record at the end of a way; nil when the way ends earlier, or in a leaf that was emptied, which some servers
-- answer with no buckets. nil, err.
local function follow(ask, way, key)
  for i, path in ipairs(way) do
    local answer, err = ask(path)
    if not answer then return nil, err end
    if answer.type == "SYNC_RESP_LEAF" then
      local entries, wrong = merkle_answer.records(answer.payload.records)
      return entries and record_of(entries, key), wrong
    end
    local children, listed = merkle_answer.children(path, answer.payload.buckets)
    if not children then return nil, listed end
    if not way[i + 1] and next(listed) then return nil, ("buckets are listed below the leaf '%s'"):format(path) end
    if listed[way[i + 1]] == nil then return nil end
  end
end

--- Reads the record of a key. nil: the node holds none. nil, err: `ask` failed, or an answer is nonsense.
---@param ask fun(path: string): table|nil, any  the node's answer about a path (see merkle_answer), or nil, err
---@param ways string[][]
---@param key string
---@return table|nil record, any err
function M.record(ask, ways, key)
  for _, way in ipairs(ways) do
    local record, err = follow(ask, way, key)
    if record or err then return record, err end
  end
end

return M
