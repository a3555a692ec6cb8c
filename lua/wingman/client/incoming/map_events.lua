--- Changes that servers announce: SERVER_EVENT and SERVER_BATCH_EVENT, merged into
--- the local copies. What an event is is decided by what it carries, not by its
--- eventType: the families use different words.
local core = require "wingman.core"

local M = {}

local function is_timestamp(t)
  return type(t) == "table" and type(t.millis) == "number" and type(t.counter) == "number"
    and type(t.nodeId) == "string" and t.millis == t.millis
end

--- Merges one change. Why it was refused; nil when it was taken or is about nothing
--- that is here.
---@param client wingman.client
---@param event any
---@return string|nil refused
function M.merge(client, event)
  if type(event) ~= "table" then return "an event is a map" end
  if type(event.mapName) ~= "string" or type(event.key) ~= "string" then return "mapName and key are texts" end
  local map = client:known_map(event.mapName)
  if not map then return nil end
  local record = event.record
  if record == nil or record == core.null then
    -- A v2 server reports a removal without its timestamp.
    if event.eventType == "REMOVE" then map:forget(event.key) end
    return nil
  end
  if type(record) ~= "table" then return "a record is a map" end
  if not is_timestamp(record.timestamp) then return "a record's timestamp is { millis, counter, nodeId }" end
  -- "PUT" is v2's word; 0.11, which keeps the writer's time, says "UPDATED".
  local merged, reason = map:merge(event.key, record.value, record.timestamp,
    record.value == nil or record.value == core.null, event.eventType == "PUT")
  return merged == nil and reason or nil
end

--- Takes a message (of a SERVER_BATCH_EVENT, the core hands the changes up one by one
--- unless it comes as a text); true when it was an announcement of changes, and what was wrong
--- with it, if something was: the rest of it counts all the same.
---@param client wingman.client
---@param message table  whose payload is a table
---@return boolean is_announcement, string|nil refused
function M.handle(client, message)
  local payload = message.payload
  if message.type == "SERVER_EVENT" then return true, M.merge(client, payload) end
  if message.type ~= "SERVER_BATCH_EVENT" then return false end
  if type(payload.events) ~= "table" then return true, "events are an array" end
  local refused
  for _, event in ipairs(payload.events) do refused = M.merge(client, event) or refused end
  return true, refused
end

return M
