--- Awaits an event in a spec. Where it does not come, the failure says what was awaited, from
--- where, what the condition returned last, how the open clients are, and what was logged last.
local client_state = require "spec.support.client_state"
local escape = require "wingman.base.escape"
local loop = require "wingman.loop"
local printer = require("wingman.text.printer").new {}

local M = {}

--- Seconds after which an event will not come any more. A green spec does not wait for them,
--- and a busy machine may need many of them.
M.PATIENCE = 60

local function value_text(value) return type(value) == "string" and escape.plain(value) or printer:format(value) end

-- "spec/x_spec.lua:12 < spec/x_spec.lua:90": the lines of specs that led here.
local function from_where()
  local lines, level = {}, 3
  local info = debug.getinfo(level, "Sl")
  while info do
    if info.source:find "spec/.+/" or info.source:find "_spec%.lua$" then
      lines[#lines + 1] = ("%s:%d"):format(info.short_src, info.currentline)
    end
    level = level + 1
    info = debug.getinfo(level, "Sl")
  end
  return table.concat(lines, " < ")
end

local function failure(what, seconds, returned, where)
  local lines = { ("awaited for %g s: %s"):format(seconds, what), "  from " .. where }
  local values = {}
  for i = 1, math.max(1, returned.n) do values[i] = value_text(returned[i]) end
  lines[#lines + 1] = "  the condition returned last: " .. table.concat(values, ", ")
  local state = client_state.text()
  if state ~= "" then lines[#lines + 1] = state end
  return table.concat(lines, "\n")
end

local function pack(...) return { n = select("#", ...), ... } end

--- Waits until `condition` returns a true value, looking every 5 ms. What else it returns is
--- shown when it does not: return the figure that it looks at as the second value.
---@param what string  the event, as a sentence: "node-3 is connected again"
---@param condition fun(): any, ...
---@param seconds number|nil  default: M.PATIENCE
---@return any ...  what the condition returned; raises when it did not come true
local function eventually(_, what, condition, seconds)
  seconds = seconds or M.PATIENCE
  local returned
  local function came_true()
    returned = pack(condition())
    return returned[1]
  end
  if not loop.wait_until(came_true, seconds) then error(failure(what, seconds, returned, from_where()), 2) end
  return unpack(returned, 1, returned.n)
end

return setmetatable(M, { __call = eventually })
