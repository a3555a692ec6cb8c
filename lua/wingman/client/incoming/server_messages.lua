--- Handles the decoded messages of servers that the core forwards: each goes to the request that waits
--- for it, or is handled here.
local errors = require "wingman.base.error"
local server_error = require "wingman.client.incoming.server_error"
local server_events = require "wingman.client.incoming.map_events"

local M = {}

--- Handles a server's error on a connection.
---@param self wingman.client
---@param connection_id integer
---@param err wingman.server_error
---@param had_batches boolean  a batch in flight may be its cause
function M.failed(self, connection_id, err, had_batches)
  local node = self.provider:node_at(connection_id)
  err.node, err.url = node.id, node.url
  self.log_seldom(err.is_rate and "info" or "warn", "server_error",
    { code = err.code, status = err.status, message = err.message, url = node.url }, node.url .. err.code .. err.message)
  if err.code == "NOT_OWNER" or err.code == "STALE_MAP" then
    if self.provider.map_is_old then self.provider:map_is_old() end
  elseif had_batches and not err.is_rate and self.provider.refused then
    self.provider:refused(node, ("error %s: %s"):format(err.status or err.code, err.message))
  end
  self.events:emit("server_error", err)
end

--- What a server said was nonsense; its connection stays.
---@param self wingman.client
---@param connection_id integer
---@param event string  of the log
---@param kind string|nil  the message's type
---@param reason string
function M.refuse(self, connection_id, event, kind, reason)
  local url = self.provider:node_at(connection_id).url
  self.log_seldom("warn", event, { type = kind, reason = reason, url = url }, url .. event .. reason)
end

--- A message was beyond a limit and was not decoded: the call that waits for it gets an error;
--- the connection stays.
---@param self wingman.client
---@param connection_id integer
---@param description { type: string, size: integer, limit: string, payload: table }  see core/wire/message.h
function M.too_large(self, connection_id, description)
  local url = self.provider:node_at(connection_id).url
  local kind = description.type ~= "" and description.type or "text message"
  local err = errors.too_large(url, description)
  if self.provider.requests:refuse(connection_id, description, err) then return end
  self.log_seldom("warn", "message_too_large",
    { type = kind, bytes = description.size, option = description.limit, url = url }, url .. "message_too_large" .. kind)
end

--- Messages that are read here and mean nothing without a payload that is a map.
local needs_payload = {
  SERVER_EVENT = true, SERVER_BATCH_EVENT = true, SYNC_RESP_ROOT = true, SYNC_RESP_BUCKETS = true,
  SYNC_RESP_LEAF = true, SYNC_RESET_REQUIRED = true, QUERY_RESP = true, QUERY_UPDATE = true,
}

--- Messages that only a request reads: without one that waits for it such a message is dropped.
local read_by_who_asked = { GC_PRUNE = true, OP_ACK = true, QUERY_UPDATE = true, QUERY_RESP = true }

--- Takes a decoded message.
---@param self wingman.client
---@param connection_id integer
---@param message any
function M.take(self, connection_id, message)
  if type(message) ~= "table" or type(message.type) ~= "string" then
    return M.refuse(self, connection_id, "message_not_read", nil, "the message is not a map with a string `type`")
  end
  if needs_payload[message.type] and type(message.payload) ~= "table" then
    return M.refuse(self, connection_id, "message_refused", message.type, "the payload is no map")
  end
  local err = server_error.of(message)
  if err then
    -- One that names an operation, which is none in flight here, is about no batch.
    local about_batches = (err.code == "NOT_OWNER" or err.code == "STALE_MAP") and not err.op_id
    return M.failed(self, connection_id, err, about_batches and self.core:refuse_batches(connection_id))
  end
  if self.provider:offer(connection_id, message) then return end
  local is_announcement, refused = server_events.handle(self, connection_id, message)
  if refused then M.refuse(self, connection_id, "message_refused", message.type, refused) end
  if is_announcement then return end
  if read_by_who_asked[message.type] then return end
  if self.events:has("message") then
    local node = self.provider:node_at(connection_id)
    self.events:emit("message", message, node.id or node.url)
  end
end

return M
