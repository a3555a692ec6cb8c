--- Reads a map back from the cluster and compares it with what was written.
local M = {}

local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for name, value in pairs(a) do
    if not same(value, b[name]) then return false end
  end
  for name in pairs(b) do
    if a[name] == nil then return false end
  end
  return true
end

local function is_newer(a, b)
  if a.millis ~= b.millis then return a.millis > b.millis end
  if a.counter ~= b.counter then return a.counter > b.counter end
  return tostring(a.nodeId) > tostring(b.nodeId)
end

---@class quickstart.readback
---@field verified integer
---@field missing string[]  keys that no node holds
---@field wrong string[]    keys whose newest record has another value
---@field nodes { id: string, owned: integer, keys: integer, held: integer, at_owner: integer }[]

--- Asks every node for what it holds itself.
---@param client wingman.client
---@param name string  of the map
---@param records { key: string, value: any }[]  what was written
---@return quickstart.readback|nil, any err
function M.read_back(client, name, records)
  local map = client:partition_map()
  local owned, keys = {}, {}
  for p = 1, map and map.partition_count or 0 do
    owned[map.owners[p]] = (owned[map.owners[p]] or 0) + 1
  end
  local function owner_of(key) return map and map.owners[client:partition_of(key) + 1] end
  for _, record in ipairs(records) do
    local owner = owner_of(record.key)
    if owner then keys[owner] = (keys[owner] or 0) + 1 end
  end

  local newest, nodes = {}, {}
  for _, id in ipairs(client:connected_nodes()) do
    local holdings, err = client:holdings(id, name)
    if not holdings then return nil, err end
    local held, at_owner = 0, 0
    for key, record in pairs(holdings) do
      held = held + 1
      if not map or owner_of(key) == id then at_owner = at_owner + 1 end
      if not newest[key] or is_newer(record.timestamp, newest[key].timestamp) then newest[key] = record end
    end
    nodes[#nodes + 1] = { id = id, owned = owned[id] or 0, keys = map and (keys[id] or 0) or #records, held = held, at_owner = at_owner }
  end

  local result = { verified = 0, missing = {}, wrong = {}, nodes = nodes }
  for _, record in ipairs(records) do
    local found = newest[record.key]
    if not found then
      result.missing[#result.missing + 1] = record.key
    elseif not same(found.value, record.value) then
      result.wrong[#result.wrong + 1] = record.key
    else
      result.verified = result.verified + 1
    end
  end
  return result
end

return M
