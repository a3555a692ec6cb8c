--- Keeps a log readable: a line that comes again and again is passed on once a
--- second, with how often it was held back.
local loop = require "wingman.loop"

local M = {}

--- Seconds between two lines of the same kind.
local INTERVAL = 1

--- A function like `log_to`, with one more argument: what makes lines the same.
---@param log_to fun(level: string, event: string, fields: table)
---@return fun(level: string, event: string, fields: table, kind: string)
function M.new(log_to)
  local kinds = {}
  return function(level, event, fields, kind)
    local now = loop.now()
    local known = kinds[kind]
    if known and now < known.next then
      known.held_back = known.held_back + 1
      return
    end
    if known and known.held_back > 0 then fields.repeated = known.held_back end
    kinds[kind] = { next = now + INTERVAL, held_back = 0 }
    log_to(level, event, fields)
  end
end

return M
