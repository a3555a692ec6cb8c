--- Names that are sent as MessagePack strings: of keys, maps, clients. They have to be valid UTF-8:
--- a v2 server drops a frame with another string in it, and answers nothing.
local core = require "wingman.core"
local escape = require "wingman.base.escape"

local M = {}

--- Bytes of a name that a message shows.
local SHOWN = 100
--- Bytes of a map's name.
local MAP_NAME_MAX = 256

local function quote(name)
  if not name:find '[%c\\"\128-\255]' then return "'" .. name .. "'" end -- most names
  return "'" .. escape.quote(name):sub(2, -2) .. "'"
end

--- The name for a message: in single quotes, escaped, cut when it is long.
---@param name string
---@return string
function M.shown(name)
  if #name <= SHOWN then return quote(name) end
  return ("%s... (%d bytes)"):format(quote(name:sub(1, SHOWN)), #name)
end

--- Raises, `level` levels up, for what cannot be the name of a map.
---@param name any
---@param what string  the function that was called
---@param level integer
function M.check_map(name, what, level)
  if type(name) ~= "string" or name == "" or #name > MAP_NAME_MAX then
    error(("%s: a name of 1 to %d bytes is expected"):format(what, MAP_NAME_MAX), level + 1)
  end
  if not core.utf8_valid(name) then
    error(("%s: the map's name %s is not valid UTF-8"):format(what, M.shown(name)), level + 1)
  end
end

return M
