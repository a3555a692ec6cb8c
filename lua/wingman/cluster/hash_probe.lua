--- Which hash a 0.11 node uses for keys. Nothing on the wire says it, and a wrong
--- guess sends two thirds of the writes to nodes that acknowledge and lose them.
--- The path of a Merkle leaf is the first three hex digits of its keys' hash: a
--- leaf with data decides. Where there is no data, a probe record is written.
local core = require "wingman.core"
local loop = require "wingman.loop"
local merkle_walk = require "wingman.cluster.merkle_walk"

local M = {}

--- Seconds until the probe record expires.
local PROBE_TTL = 60
--- How often the probe record is looked for, and after how many looks it is sent again: a
--- node drops it while the cluster's membership changes.
local LOOKS, LOOKS_PER_PROBE, LOOK_EVERY = 20, 4, 0.05

local function leaf_path(hash) return ("%03x"):format(math.floor(hash / 2 ^ 20)) end

--- The hash kind that puts these keys into the leaf `path`; nil when both do or
--- neither does.
---@param path string
---@param keys string[]
---@return string|nil
function M.judge(path, keys)
  local fnv1a, xxh64 = true, true
  for _, key in ipairs(keys) do
    fnv1a = fnv1a and leaf_path(core.hash_fnv1a(key)) == path:sub(-3)
    xxh64 = xxh64 and leaf_path(core.hash_xxh64(key)) == path:sub(-3)
  end
  if fnv1a and not xxh64 then return "fnv1a" end
  if xxh64 and not fnv1a then return "xxh64" end
  return nil
end

local function judge_leaf(requests, connection_id, map_name)
  local records, path = merkle_walk.first_leaf(requests, connection_id, map_name)
  if not records then return nil end
  local keys = {}
  for _, entry in ipairs(records) do keys[#keys + 1] = entry.key end
  return M.judge(path, keys)
end

--- A key that this node owns whichever hash is used, and that the two hashes put
--- into different leaves: so the probe is neither lost nor undecided.
---@param map table  a partition map as core:partition_map() gives it
---@param node_id string
---@param prefix string
---@return string|nil
function M.probe_key(map, node_id, prefix)
  for i = 1, 100000 do
    local key = prefix .. i
    local fnv1a, xxh64 = core.hash_fnv1a(key), core.hash_xxh64(key)
    local count = map.partition_count
    if map.owners[fnv1a % count + 1] == node_id and map.owners[xxh64 % count + 1] == node_id
      and leaf_path(fnv1a) ~= leaf_path(xxh64) then
      return key
    end
  end
  return nil
end

-- Sends the probe as a batch of one. Its acknowledgement proves nothing on such a
-- server: the record is looked for instead.
local function write_probe(host, key)
  local message = {
    type = "OP_BATCH",
    payload = {
      ops = { {
        id = host.client_id:sub(1, 8) .. "-probe", mapName = host.probe_map, key = key, opType = "PUT",
        record = {
          value = { wingman = "hash probe" },
          ttlMs = PROBE_TTL * 1000,
          timestamp = { millis = core.wall_ms(), counter = 0, nodeId = host.client_id },
        },
      } },
    },
  }
  return host.core:send(host.connection_id, core.encode(message))
end

-- Whether the leaf at `path` holds `key`.
local function leaf_holds(requests, connection_id, map_name, path, key)
  for _, entry in ipairs(merkle_walk.leaf(requests, connection_id, map_name, path) or {}) do
    if entry.key == key then return true end
  end
  return false
end

-- The hash by a record of our own in the leaf where one of the two puts it.
local function judge_probe(host, key)
  local candidates = { fnv1a = leaf_path(core.hash_fnv1a(key)), xxh64 = leaf_path(core.hash_xxh64(key)) }
  for look = 0, LOOKS - 1 do
    if host.requests.closed then return nil, "the client was closed" end
    if look % LOOKS_PER_PROBE == 0 then
      local ok, err = write_probe(host, key)
      if not ok then return nil, "the probe record could not be sent: " .. tostring(err) end
    end
    for candidate, path in pairs(candidates) do
      if leaf_holds(host.requests, host.connection_id, host.probe_map, path, key) then
        return candidate, "by a probe record in map " .. host.probe_map
      end
    end
    loop.sleep(LOOK_EVERY)
  end
  return nil, "the probe record did not appear"
end

--- Finds the hash of one node. Waits; to be called in a task.
---@param host { core: userdata, requests: wingman.requests, connection_id: integer, node_id: string, map: table, client_id: string, maps: string[], probe_map: string }
---@return string|nil kind  "fnv1a" or "xxh64"
---@return string how  how it was found, or why not
function M.find(host)
  for _, name in ipairs(host.maps) do
    local kind = judge_leaf(host.requests, host.connection_id, name)
    if kind then return kind, "by a leaf of map " .. name end
  end
  local kind = judge_leaf(host.requests, host.connection_id, host.probe_map)
  if kind then return kind, "by a leaf of map " .. host.probe_map end
  if host.requests.closed then return nil, "the client was closed" end
  local key = M.probe_key(host.map, host.node_id, host.client_id .. "/")
  if not key then return nil, "node " .. host.node_id .. " owns too little for a probe" end
  return judge_probe(host, key)
end

return M
