--- Repair: what this client wrote and a node of the cluster has lost is sent again.
--- A node that was killed comes back empty, the partitions of a dead node go to
--- nodes that have none of their records, and a 0.11 node acknowledges and drops
--- what it no longer owns. The client still has its own writes and their times.
local core = require "wingman.core"
local errors = require "wingman.base.error"

local M = {}

local function is_equal(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for k, v in pairs(a) do
    if not is_equal(v, b[k]) then return false end
  end
  for k in pairs(b) do
    if a[k] == nil then return false end
  end
  return true
end

local function is_before(a, b) return a.millis < b.millis or (a.millis == b.millis and a.counter < b.counter) end

-- Whether the owner's record is older than what this client wrote last. With a v2
-- server, whose records have the time of their arrival, an older write of ours can
-- look newer than the last one. Then the node that got the last one is the witness;
-- and a write that was in flight when its connection ended may have arrived at any
-- time since (of a removal no witness is left).
local function is_stale(held, map, key, holdings)
  local own = map:get(key)
  if own == nil then own = core.null end
  if is_equal(held.value, own) then return false end
  if is_before(held.timestamp, map:record(key)) then return true end
  local bytes = core.encode(held.value)
  if bytes and map.core_map:is_indoubt(key, bytes) then return true end
  for _, records in pairs(holdings) do
    local other = records[key]
    if other and is_before(held.timestamp, other.timestamp) and is_equal(other.value, own) then return true end
  end
  return false
end

-- Who owns a key, as a function of it; nil when that is not known. One node without a map,
-- a lone server, owns everything.
local function owners(client)
  local partition_map = client:partition_map()
  local connected = client:connected_nodes()
  if #connected == 0 then return nil end
  if partition_map then
    return function(key) return partition_map.owners[client:partition_of(key) + 1] or "none" end
  end
  return #connected == 1 and function() return connected[1] end or nil
end

-- The times of the writes to the map that were rejected, by key: the last of each.
local function rejected_times(client, map)
  local times = {}
  for _, letter in ipairs(client:rejected()) do
    if letter.map == map.name then times[letter.key] = letter end
  end
  return times
end

local function is_at(time, record) return time ~= nil and time.millis == record.millis and time.counter == record.counter end

-- The keys of the client's own writes that their owner does not have, or has an
-- older value of; nil and the owner, when one is not connected. What was rejected is not
-- lost: the script sends a dead letter again when its reason is gone.
local function lost_keys(map, owner_of, holdings, rejected)
  local lost, position, key = {}, 0
  while true do
    position, key = map.core_map:next_own(position)
    if not position then return lost end
    local owner = owner_of(key)
    local records = holdings[owner]
    if not records then return nil, owner end
    local held = records[key]
    -- What is removed need not be there: a v2 server keeps no mark of a removal.
    local is_lost = held and is_stale(held, map, key, holdings) or not held and map:get(key) ~= nil
    if is_lost and not is_at(rejected[key], map:record(key)) then lost[#lost + 1] = key end
  end
end

--- What no server at the other end can store is left alone: the others are sent all the same.
local UNSTORABLE = { NOT_STORABLE = true, TOO_LARGE = true }

--- Compares one map of the client with what the connected nodes hold of the
--- partitions that they own, and records the client's own writes again that are
--- missing there, or older, with the times they were written at. A newer record
--- is left alone, and so is a dead letter. nil, err when nothing can be compared: while an owner, or every node, is
--- not connected. Reads the whole map from every node. Waits.
---@param client wingman.client
---@param map wingman.map
---@return integer|nil count  of writes recorded again; drain() waits for them
---@return wingman.error|nil
function M.map(client, map)
  local owner_of = owners(client)
  if not owner_of then
    return nil, errors.new("NOT_CONNECTED", ("map '%s' cannot be compared: no node is connected, or the owners are not known")
      :format(map.name), { map = map.name })
  end
  local holdings = {}
  for _, id in ipairs(client:connected_nodes()) do
    local records, err = client:holdings(id, map.name)
    if not records then return nil, err end
    holdings[id] = records
  end
  if client.closed then return nil, errors.new("CLOSED", "the client was closed") end -- while the last node was read
  local keys, missing = lost_keys(map, owner_of, holdings, rejected_times(client, map))
  if not keys then
    return nil, errors.new("NOT_CONNECTED", ("map '%s' cannot be compared: owner %s is not connected"):format(map.name, missing),
      { map = map.name, node = missing })
  end
  local count = 0
  for _, key in ipairs(keys) do
    local ok, err = map:resend(key)
    if ok then count = count + 1
    elseif not UNSTORABLE[err.code] then return nil, err end
  end
  return count
end

return M
