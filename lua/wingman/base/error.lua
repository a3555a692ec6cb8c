--- Errors that can happen in a correct program: values with a code, returned as
--- `nil, err`. Mistakes of the programmer are raised instead.
local escape = require "wingman.base.escape"

local M = {}

---@class wingman.error
---@field code string     one of M.codes
---@field message string  names the thing and says what to do
local error_meta = {}
error_meta.__index = error_meta
function error_meta:__tostring() return self.code .. ": " .. self.message end

--- Every code, and what became of the data.
M.codes = {
  NOT_CONNECTED = "no server could be reached; what was recorded stays in the op log",
  AUTH_FAILED = "the server refused the token; what was recorded stays in the op log",
  TIMEOUT = "the call took longer than allowed; what was recorded stays in the op log",
  OPLOG = "the op log's file cannot be used or written; what was recorded before stays in the op log",
  HASHES_DIFFER = "the nodes of a 0.11 cluster hash keys differently; the operation was not recorded, and earlier ones are held",
  LOG_FULL = "the op log is at its limit; this operation was not recorded",
  TOO_LARGE = "the operation does not fit into a message, or its record into a server's answer, and was not recorded; or an answer exceeds a limit of the options and was not read",
  NOT_STORABLE = "servers of this family would acknowledge the write without storing it, or fail; it was not recorded",
  NOT_ENCODABLE = "the value or the key cannot be encoded as MessagePack; the operation was not recorded",
  OUT_OF_MEMORY = "memory is short; the operation was not recorded",
  NOT_ACKNOWLEDGED = "a write was sent many times without an acknowledgement; it stays in the op log",
  CLOSED = "the client is closed",
  REJECTED = "a server refused the write, or would; it has left the op log and is a dead letter (client:rejected)",
  NOT_FOUND = "there is no such dead letter",
  STALE = "the local copy has a newer record of the key; the dead letter stays",
  NOT_SENT = "a message on a user's own connection in a load test was not sent",
  UNSUPPORTED = "this server does not have what the call needs; nothing was changed",
  REFUSED = "the server answered with an error, or with what cannot be read",
  BUSY = "the queue of that connection is full; the message was not sent. Or another client has the file of a copy open; nothing was changed",
  COPY_FULL = "the copies of the client have copy.max_records; this one lacks records, and nothing is said to be whole that is not",
  COPY = "the file of a copy cannot be used; it was not changed, and the map is not replicated",
  USAGE = "an argument is wrong",
  CLUSTER = "an embedded cluster could not be started or controlled",
}

--- The message is made fit for terminals and logs: parts of it may be a server's words.
---@param code string
---@param message string
---@param fields table|nil  further fields of the error
---@return wingman.error
function M.new(code, message, fields)
  local err = fields or {}
  err.code, err.message = code, escape.lines(message)
  return setmetatable(err, error_meta)
end

--- Of a message that a server sent and that was not read.
---@param url string
---@param description { type: string, size: integer, limit: string }  see core/wire/message.h
---@return wingman.error
function M.too_large(url, description)
  return M.new("TOO_LARGE", ("%s: a %s of %d bytes is more than the option %s allows; it was not read"):format(
    url, description.type ~= "" and description.type or "text message", description.size, description.limit),
    { url = url, option = description.limit, size = description.size, retriable = false })
end

--- The error that a reason is: itself, when it is one, else one of this code.
---@param reason wingman.error|string
---@param code string
---@param what string  stands before the reason
---@return wingman.error
function M.of(reason, code, what)
  if type(reason) == "table" then return reason end
  return M.new(code, what .. ": " .. tostring(reason))
end

return M
