--- What the nodes of a cluster hold of a map, read now.
local core = require "wingman.core"
local errors = require "wingman.base.error"

local M = {}

---@class wingman.inspect.holdings
---@field nodes string[]          ids of the nodes that were read, sorted
---@field records table<string, table<string, table>>  by node id and key; tombstones have no value
---@field missing string[]        ids of nodes that own partitions and are not connected, sorted

--- The nodes that own partitions or are connected, by id.
---@param client wingman.client
---@return table<string, true>
function M.node_ids(client)
  local ids, map = {}, client:partition_map()
  for _, id in ipairs(map and map.owners or {}) do
    if id then ids[id] = true end
  end
  for _, id in ipairs(client:connected_nodes()) do ids[id] = true end
  return ids
end

--- Whether a record is that of a removed key.
---@param record table
---@return boolean
function M.is_tombstone(record) return record.value == nil or record.value == core.null end

--- Reads a map from every connected node, one after the other. Waits.
---@param client wingman.client
---@param name string
---@return wingman.inspect.holdings|nil, wingman.error|nil
function M.read(client, name)
  local connected = client:connected_nodes()
  if #connected == 0 then return nil, errors.new("NOT_CONNECTED", "no node is connected") end
  local held = { nodes = {}, records = {}, missing = {} }
  for i, id in ipairs(connected) do
    local records, err = client:holdings(id, name)
    if not records then return nil, err end
    held.nodes[i], held.records[id] = id, records
  end
  for id in pairs(M.node_ids(client)) do
    if not held.records[id] then held.missing[#held.missing + 1] = id end
  end
  table.sort(held.nodes)
  table.sort(held.missing)
  return held
end

local function is_newer(a, b)
  if a.millis ~= b.millis then return a.millis > b.millis end
  if a.counter ~= b.counter then return a.counter > b.counter end
  return a.nodeId > b.nodeId
end

--- The record that counts of each key that has a value, and the node that holds it: the owner's, or where the owner has
--- none the newest of another node; on 0.11 the newest, whoever holds it.
---@param client wingman.client
---@param held wingman.inspect.holdings
---@return table<string, { record: table, node: string }>
function M.shown(client, held)
  local map, owner_counts = client:partition_map(), client:dialect() ~= "0.11"
  local best = {}
  for _, id in ipairs(held.nodes) do
    for key, record in pairs(held.records[id]) do
      local is_owner = owner_counts and map ~= nil and map.owners[client:partition_of(key) + 1] == id
      local other = best[key]
      if not other or is_owner or not other.is_owner and is_newer(record.timestamp, other.record.timestamp) then
        best[key] = { record = record, node = id, is_owner = is_owner }
      end
    end
  end
  for key, one in pairs(best) do
    if M.is_tombstone(one.record) then best[key] = nil end
  end
  return best
end

return M
