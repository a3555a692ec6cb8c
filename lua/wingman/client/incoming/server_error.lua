--- What a server says is wrong, as one kind of error, whatever message it comes in:
--- ERROR, OP_REJECTED, MERGE_REJECTED, and a `code` or `error.code` of NOT_OWNER or
--- STALE_MAP at the top of any message (the type definitions have them; no server
--- of today sends them).
local core = require "wingman.core"
local errors = require "wingman.base.error"
local escape = require "wingman.base.escape"

local M = {}

---@class wingman.server_error: wingman.error
---@field code string        as in M.codes
---@field retriable boolean  whether the same again may succeed
---@field status integer|nil  the server's number, for ERROR and OP_REJECTED
---@field is_rate boolean|nil  it speaks of the client's rate, not of the node's health
---@field hint table|nil     what the server says would help: currentOwner, mapVersion, ...
---@field op_id string|nil   the operation, for OP_REJECTED
---@field map string|nil     the map and the key, for MERGE_REJECTED
---@field key string|nil

--- code -> whether the same again may succeed.
---@type table<string, boolean>
M.codes = {
  NOT_OWNER = true,       -- the node does not own the key's partition
  STALE_MAP = true,       -- the sender's partition map is old
  OVERLOADED = true,      -- 429, 503, and 500: a batch was not, or not wholly, taken
  INVALID = false,        -- 400, 501: the message is not what the server expects
  UNAUTHORIZED = false,   -- 401
  FORBIDDEN = false,      -- 403
  NOT_FOUND = false,      -- 404
  REJECTED = false,       -- an operation was refused for what it is: OP_REJECTED, or an ERROR in such words
  MERGE_REJECTED = false, -- a conflict resolver refused a write
  SERVER_ERROR = false,   -- any other
}

local by_status = {
  [400] = "INVALID", [401] = "UNAUTHORIZED", [403] = "FORBIDDEN", [404] = "NOT_FOUND", [429] = "OVERLOADED",
  [500] = "OVERLOADED", [501] = "INVALID", [503] = "OVERLOADED",
}

local function text(value) return type(value) == "string" and value or nil end
-- What a server says to people.
local function words(value) return type(value) == "string" and escape.plain(value) or nil end
-- 429; and 500 of server 2.2.0 when more than 10,000 writes wait for its disk.
local function speaks_of_rate(status, message)
  return status == 429 or (status == 500 and message:find("capacity exceeded", 1, true) ~= nil) or nil
end

local function table_or_nil(value) return type(value) == "table" and value or nil end

local function new(code, message, fields)
  fields.retriable = M.codes[code]
  return errors.new(code, message, fields)
end

-- NOT_OWNER and STALE_MAP differ in their texts only, not in a number.
local function routing_error(part, payload)
  if type(part) ~= "table" or (part.code ~= "NOT_OWNER" and part.code ~= "STALE_MAP") then return nil end
  return new(part.code, words(part.message) or words(part.reason) or words(payload.reason) or "", {
    hint = table_or_nil(part.hint), op_id = text(part.opId) or text(payload.opId),
  })
end

--- The error in a decoded message; nil when it has none.
---@param message table
---@return wingman.server_error|nil
function M.of(message)
  if type(message) ~= "table" then return nil end
  local payload = table_or_nil(message.payload) or {}
  local found = routing_error(payload, payload) or routing_error(payload.error, payload)
    or routing_error(message.error, payload) or routing_error(message, payload)
  if found then return found end
  if message.type == "ERROR" then
    local status = type(payload.code) == "number" and payload.code or nil
    local said = text(payload.message) or ""
    local is_for_good = core.is_refused_for_good(status or 0, said)
    return new(is_for_good and "REJECTED" or by_status[status] or "SERVER_ERROR", escape.plain(said), {
      status = status, is_rate = speaks_of_rate(status, said), hint = table_or_nil(payload.details),
    })
  elseif message.type == "OP_REJECTED" then
    return new("REJECTED", words(payload.reason) or "", {
      op_id = text(payload.opId), status = type(payload.code) == "number" and payload.code or nil,
    })
  elseif message.type == "MERGE_REJECTED" then
    local value = message.attemptedValue
    if value == core.null then value = nil end
    return new("MERGE_REJECTED", words(message.reason) or "", {
      map = text(message.mapName), key = text(message.key), attempted_value = value,
    })
  end
end

return M
