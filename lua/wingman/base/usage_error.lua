--- Usage errors: mistakes in a script or a command line. The executable shows them without a
--- traceback and ends with exit code 2.
local M = {}

--- The exit code of a usage error.
M.EXIT_CODE = 2

---@class wingman.usage_error
---@field exit_code integer  read by the executable
---@field message string     with the place in the script, where that is known
---@field reason string      without it
local meta = {}
meta.__index = meta
function meta:__tostring() return self.message end

-- "script.lua:3: ", or "" where there is no such place.
local function place_of(level)
  local caller = level > 0 and debug.getinfo(level + 2, "Sl")
  if not caller or caller.what == "C" or caller.currentline < 1 then return "" end
  return ("%s:%d: "):format(caller.short_src, caller.currentline)
end

--- Raises a mistake, at the place that is `level` levels up as with error(); 0: no place.
---@param reason string
---@param level integer
---@param place string|nil  "script.lua:3: " of a caller who knows better
function M.raise(reason, level, place)
  error(setmetatable({ exit_code = M.EXIT_CODE, reason = reason, message = (place or place_of(level)) .. reason }, meta), 0)
end

--- Whether an error is one of these.
---@param err any
function M.is(err) return getmetatable(err) == meta end

return M
