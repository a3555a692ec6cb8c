--- Keeps a log readable: a line that comes again and again is passed on once a
--- second, with the number of suppressed lines.
local loop = require "wingman.loop"

local M = {}

--- Seconds between two lines of the same kind.
local INTERVAL = 1
--- Kinds that are remembered before those that are due again are looked for.
local KINDS = 500

--- A function like `log_to`, with one more argument: what makes lines the same.
---@param log_to fun(level: string, event: string, fields: table)
---@return fun(level: string, event: string, fields: table, kind: string)
function M.new(log_to)
  local kinds, count, limit = {}, 0, KINDS

  local function forget_due(now)
    count = 0
    for kind, known in pairs(kinds) do
      if now >= known.next then kinds[kind] = nil else count = count + 1 end
    end
    limit = math.max(KINDS, 2 * count)
  end

  return function(level, event, fields, kind)
    local now = loop.now()
    local known = kinds[kind]
    if known and now < known.next then
      known.held_back = known.held_back + 1
      return
    end
    if known and known.held_back > 0 then fields.repeated = known.held_back end
    if not known then
      if count >= limit then forget_due(now) end
      count = count + 1
    end
    kinds[kind] = { next = now + INTERVAL, held_back = 0 }
    log_to(level, event, fields)
  end
end

return M
