--- How commands end for a wrong command line: one form for all of them.
local escape = require "wingman.base.escape"
local usage_error = require "wingman.base.usage_error"

local M = {}

--- Says what is wrong, and where the help is.
---@param command string  "bench"
---@param ... string  what is wrong
---@return integer exit_code
function M.refuse(command, ...)
  io.stderr:write("wingman ", command, ": ", escape.lines(table.concat { ... }), "\nsee wingman ", command, " --help\n")
  return usage_error.EXIT_CODE
end

return M
