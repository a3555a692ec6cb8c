--- The commands of the prompt: `.name arguments`.
local M = {}

---@class wingman.repl.command
---@field arguments string    how it is called, for .help
---@field summary string
---@field takes table|nil     what each argument is, for TAB: "map", "node", "key", "expression", a list
---@field run fun(session: wingman.repl.session, rest: string): any  what it returns is shown

---@type table<string, wingman.repl.command>
M.list = {}

local function help_text(session)
  local text_table = require "wingman.text_table"
  local names, rows = {}, {}
  for name in pairs(M.list) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do rows[i] = { "." .. name .. " " .. M.list[name].arguments, M.list[name].summary } end
  return session.paint("heading", "Lua, and these commands:") .. "\n" .. text_table.format(rows, { indent = "  " })
    .. [[
Globals: client, cluster (of sim:// and topgun://), wingman, connect(url), sleep(s), help(x), _ (the last result).
A chunk over several lines goes on until it is whole. Locals end with their chunk. What is typed here is
interpreted, so that Ctrl-C can end it; .bench compiles. TAB completes, Ctrl-R searches the history.
]]
end

local function evaluate(session, text)
  local reader = require "wingman.repl.reader"
  local fn, err = reader.compile(text)
  if not fn then error(err, 0) end
  return setfenv(fn, session.environment)
end

M.list.help = { arguments = "[NAME]", summary = "this, or what a doc comment says: .help client.query", takes = { "expression" },
  run = function(session, rest)
    if rest == "" then return session.write(help_text(session)) end
    local help = require "wingman.repl.help"
    session.write(help.about(evaluate(session, (rest:gsub(":", ".")))(), session.paint))
  end }

--- Runs a command line; raises for one that is wrong.
---@param session wingman.repl.session
---@param line string
function M.run(session, line)
  local name, rest = line:match "^%s*%.(%a+)%s*(.-)%s*$"
  local command = M.list[name]
  if not command then error(("there is no command .%s; .help lists them"):format(name), 0) end
  return command.run(session, rest)
end

return M
