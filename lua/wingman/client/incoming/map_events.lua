--- Changes that servers announce: SERVER_EVENT and SERVER_BATCH_EVENT, taken into
--- the local copies. What an event is is decided by what it carries, not by its
--- eventType: the families use different words.
local core = require "wingman.core"

local M = {}

local function is_timestamp(t)
  return type(t) == "table" and type(t.millis) == "number" and type(t.counter) == "number"
    and type(t.nodeId) == "string" and t.millis == t.millis
end

--- Takes one change in a form that the core does not read. Why it was refused; nil when it was taken or is about nothing
--- that is here.
---@param client wingman.client
---@param connection_id integer
---@param event any
---@return string|nil refused
function M.take(client, connection_id, event)
  if type(event) ~= "table" then return "an event is a map" end
  if type(event.mapName) ~= "string" or type(event.key) ~= "string" then return "mapName and key are texts" end
  local map = client:known_map(event.mapName)
  if not map then return nil end
  local record = event.record
  if record == core.null then record = nil end
  if record ~= nil and type(record) ~= "table" then return "a record is a map" end
  if record and not is_timestamp(record.timestamp) then return "a record's timestamp is { millis, counter, nodeId }" end
  local value = record and record.value
  if value == core.null then value = nil end
  local bytes, why = core.encode { mapName = event.mapName, key = event.key, eventType = event.eventType,
    record = record and { value = value, timestamp = record.timestamp } }
  local is_shown, reason = nil, why
  if bytes then is_shown, reason = client.core:take_map_event(connection_id, bytes) end
  if is_shown then map:announce(event.key, value) end
  return is_shown == nil and reason or nil
end

--- Takes a message (of a SERVER_BATCH_EVENT, the core hands the changes up one by one
--- unless it comes as a text); true when it was an announcement of changes, and what was wrong
--- with it, if something was: the rest of it counts all the same.
---@param client wingman.client
---@param connection_id integer
---@param message table  whose payload is a table
---@return boolean is_announcement, string|nil refused
function M.handle(client, connection_id, message)
  local payload = message.payload
  if message.type == "SERVER_EVENT" then return true, M.take(client, connection_id, payload) end
  if message.type ~= "SERVER_BATCH_EVENT" then return false end
  if type(payload.events) ~= "table" then return true, "events are an array" end
  local refused
  for _, event in ipairs(payload.events) do refused = M.take(client, connection_id, event) or refused end
  return true, refused
end

return M
