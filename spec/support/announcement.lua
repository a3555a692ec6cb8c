--- What a server announces of a map, handed to a client without a server.
local map_events = require "wingman.client.incoming.map_events"

local M = {}

-- The connection to a node; the first one without the node's id.
local function connection_of(client, node_id)
  if not client.provider then
    if not client.spec_node then client.spec_node = client.core:add_node "ws://127.0.0.1:1" end
    return 0
  end
  local connection_id = 0
  while node_id and client.provider:node_at(connection_id).id ~= node_id do connection_id = connection_id + 1 end
  return connection_id
end

local function take(map, node_id, event)
  local client = map.client
  local refused = map_events.take(client, connection_of(client, node_id), event)
  if refused then error(refused, 3) end
end

--- A node tells that it holds this record.
---@param map wingman.map
---@param key string
---@param value any  nil: a tombstone
---@param time { millis: number, counter: number, nodeId: string }
---@param node_id string|nil
function M.put(map, key, value, time, node_id)
  take(map, node_id, { mapName = map.name, key = key, eventType = "PUT", record = { value = value, timestamp = time } })
end

--- A v2 node tells that the key was removed.
---@param map wingman.map
---@param key string
---@param node_id string|nil
function M.remove(map, key, node_id) take(map, node_id, { mapName = map.name, key = key, eventType = "REMOVE" }) end

return M
