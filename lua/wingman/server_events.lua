--- Changes that servers announce: SERVER_EVENT and SERVER_BATCH_EVENT, merged into
--- the local copies. What an event is is decided by what it carries, not by its
--- eventType: the families use different words.
local core = require "wingman.core"

local M = {}

local function is_timestamp(t)
  return type(t) == "table" and type(t.millis) == "number" and type(t.counter) == "number"
    and type(t.nodeId) == "string" and t.millis == t.millis
end

local function merge_event(client, event)
  if type(event) ~= "table" or type(event.mapName) ~= "string" or type(event.key) ~= "string" then return end
  local map = client:known_map(event.mapName)
  if not map then return end
  local record = event.record
  if type(record) == "table" and is_timestamp(record.timestamp) then
    map:merge(event.key, record.value, record.timestamp, record.value == nil or record.value == core.null)
  elseif event.eventType == "REMOVE" then
    map:forget(event.key) -- a v2 server tells a removal without its time
  end
end

--- Takes a message; true when it was an announcement of changes.
---@param client wingman.client
---@param message table
function M.handle(client, message)
  local payload = message.payload
  if message.type == "SERVER_EVENT" and type(payload) == "table" then
    merge_event(client, payload)
  elseif message.type == "SERVER_BATCH_EVENT" and type(payload) == "table" and type(payload.events) == "table" then
    for _, event in ipairs(payload.events) do merge_event(client, event) end
  else
    return false
  end
  return true
end

return M
