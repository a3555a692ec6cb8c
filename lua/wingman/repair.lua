--- Repair: what this client wrote and a node of the cluster has lost is sent again.
--- A node that was killed comes back empty, the partitions of a dead node go to
--- nodes that have none of their records, and a 0.11 node acknowledges and drops
--- what it no longer owns. The client still has its own writes and their times.
local M = {}

-- The keys of the client's own writes whose owner does not have them.
local function lost_keys(client, map, partition_map, holdings)
  local lost, position, key = {}, 0, nil
  while true do
    position, key = map.core_map:next_own(position)
    if not position then return lost end
    local owner = partition_map.owners[client:partition_of(key) + 1]
    local records = owner and holdings[owner]
    if records and records[key] == nil then lost[#lost + 1] = key end
  end
end

--- Compares one map of the client with what the connected nodes hold of the
--- partitions that they own, and records the client's own writes again that are
--- missing there, with their old times. A record that is there, of whatever time,
--- is left alone. Reads the whole map from every node. Waits.
---@param client wingman.client
---@param map wingman.map
---@return integer|nil count  of writes recorded again; drain() waits for them
---@return wingman.error|nil
function M.map(client, map)
  local partition_map = client:partition_map()
  if not partition_map then return 0 end
  local holdings = {}
  for _, id in ipairs(client:connected_nodes()) do
    local records, err = client:holdings(id, map.name)
    if not records then return nil, err end
    holdings[id] = records
  end
  local keys = lost_keys(client, map, partition_map, holdings)
  for _, key in ipairs(keys) do
    local ok, err = map:resend(key)
    if not ok then return nil, err end
  end
  return #keys
end

return M
