--- How commands and scripts end for a wrong command line: one form for all of them.
local arguments = require "wingman.options.arguments"
local escape = require "wingman.base.escape"
local usage_error = require "wingman.base.usage_error"

local M = {}

local function complain(command, wrong)
  io.stderr:write("wingman ", command, ": ", escape.lines(wrong), "\nsee wingman ", command, " --help\n")
end

--- Says what is wrong, and where the help is.
---@param command string  "bench"
---@param ... string  what is wrong
---@return integer exit_code
function M.refuse(command, ...)
  complain(command, table.concat { ... })
  return usage_error.EXIT_CODE
end

--- Answers a command line that runs nothing: says what is wrong, or prints the help that was asked for.
---@param command string
---@param help string
---@param options table|nil  as wingman.options.arguments reads them; nil: something is wrong
---@param wrong string|nil
---@return integer|nil exit_code  nil: the command is to be run
function M.answer(command, help, options, wrong)
  if not options then return M.refuse(command, wrong) end
  if not options.help then return nil end
  io.stdout:write(help)
  return 0
end

--- The options of the script that runs. Ends the process when its help is asked for (0), and when an option is wrong (2).
---@param rules table<string, wingman.option_rule>
---@param help string
---@param check nil|fun(options: table): boolean|nil, string|nil  what no rule says; nil and what is wrong
---@return table options  as wingman.options.arguments reads them
function M.read_script(rules, help, check)
  local options, wrong = arguments.read(rules, arg)
  if options and options.help then
    io.write(help)
    os.exit(0, true)
  end
  local ok = options ~= nil
  if ok and check then ok, wrong = check(options) end
  if ok then return options end
  complain("run " .. arg[0], wrong)
  return os.exit(usage_error.EXIT_CODE, true)
end

return M
