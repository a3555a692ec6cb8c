--- Values that are no data, in a few words: clients, maps, functions.
local escape = require "wingman.base.escape"

local M = {}

-- Clients and maps are known by what they have: their classes are nobody's business.
local function client_words(value)
  if type(rawget(value, "state")) ~= "table" or not rawget(value, "core") or not value.router_stats then return nil end
  if value.closed then return "<client, closed>" end
  return ("<client %s, %d nodes, %d operations pending>"):format(value.state.current, #value:connected_nodes(),
    value:pending_ops())
end

local function map_words(value)
  if not rawget(value, "core_map") or type(rawget(value, "name")) ~= "string" then return nil end
  if value.client.closed then return "<map " .. escape.quote(value.name) .. " of a closed client>" end
  return ("<map %s, %d keys here>"):format(escape.quote(value.name), value:size())
end

local function future_words(value)
  if type(rawget(value, "done")) ~= "boolean" or not value.on_settled then return nil end
  return ("<%s, %s>"):format(rawget(value, "co") and "task" or "future", value.done and "ended" or "running")
end

--- What a table with a class is: nil when it is to be shown as data.
---@param value table
---@return string|nil
function M.object(value)
  local meta = getmetatable(value)
  if type(meta) ~= "table" then return nil end
  if type(meta.__tostring) == "function" then
    local ok, text = pcall(tostring, value)
    return ok and text or "<an object whose __tostring fails>"
  end
  if type(meta.__index) ~= "table" then return nil end
  local ok, words = pcall(function() return client_words(value) or map_words(value) or future_words(value) end)
  return ok and words or nil
end

--- A function, thread, userdata or cdata.
---@param value any
---@return string
function M.opaque(value)
  if type(value) ~= "function" then return "<" .. escape.plain(tostring(value)) .. ">" end
  local info = debug.getinfo(value, "S")
  if info.what == "C" then return "<function, built in>" end
  return ("<function %s:%d>"):format(escape.plain(info.short_src), info.linedefined)
end

return M
