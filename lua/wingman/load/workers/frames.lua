--- Messages between the coordinator of a run and its workers: tables as JSON, each behind
--- its length, on a socket. A report may be larger than a line may be.
local cjson = require "cjson"

local json = cjson.new()
json.encode_invalid_numbers(true)
json.decode_invalid_numbers(true)

local M = {}

---@class wingman.load.frames
local methods = {}
methods.__index = methods

---@param conn wingman.stream
---@return wingman.load.frames
function M.new(conn) return setmetatable({ conn = conn, text = "" }, methods) end

--- Sends a table. True, or nil, err.
function methods:send(message)
  local text = json.encode(message)
  return self.conn:write(("%d\n"):format(#text) .. text)
end

--- The next table; nil, err at the end. Waits.
---@param timeout number|nil  seconds
function methods:receive(timeout)
  while true do
    local length, at = self.text:match "^(%d+)\n()"
    if length and #self.text >= at - 1 + tonumber(length) then
      local body = self.text:sub(at, at + tonumber(length) - 1)
      self.text = self.text:sub(at + tonumber(length))
      return json.decode(body)
    end
    local more, err = self.conn:read(timeout)
    if not more then return nil, err end
    self.text = self.text .. more
  end
end

--- Waits until what was sent is with the system, and closes.
function methods:close()
  self.conn:drain(10)
  self.conn:close()
end

return M
