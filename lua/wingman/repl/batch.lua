--- The prompt without a terminal: code from the command line or a pipe. What it prints
--- goes to standard output, errors go to standard error, and the first one ends it.
local input_module = require "wingman.repl.input"
local loop = require "wingman.loop"

local M = {}

-- Lines of standard input; the loop goes on while they are awaited. Raises when it cannot
-- be read.
local function lines()
  local buffer, ended, news, wrong = "", false, loop.future(), nil
  local input
  input = input_module.open(function(bytes, err)
    if bytes then buffer = buffer .. bytes else ended, wrong = true, err end
    input:want(false)
    news:resolve()
  end)
  return function()
    while true do
      local line, rest = buffer:match "^([^\n]*)\n(.*)$"
      if line then
        buffer = rest
        return line
      end
      if wrong then
        input:close()
        return nil, wrong
      end
      if ended then
        line, buffer = buffer, ""
        if line ~= "" then return line end
        input:close()
        return nil
      end
      news = loop.future()
      input:want(true)
      news:wait()
    end
  end
end

local function run_step(session, step)
  if step.script then return session:run_script(step.script) end
  local ok = session:run(step.code)
  if ok == nil then session:complain(session.reader:abandon()) end
  return ok
end

--- Runs what `-e` and `-i` ask for, in their order. True when all went well.
---@param session wingman.repl.session
---@param steps { code: string|nil, script: string|nil }[]
---@return boolean
function M.run_steps(session, steps)
  for _, step in ipairs(steps) do
    if not run_step(session, step) then return false end
  end
  return true
end

--- Runs what comes on standard input, chunk by chunk.
---@param session wingman.repl.session
---@return boolean ok, string|nil unreadable  why standard input cannot be read
function M.run_input(session)
  local next_line = lines()
  local line, unreadable = next_line()
  while line do
    if session:run(line) == false then return false end
    line, unreadable = next_line()
  end
  if unreadable then return false, "-: " .. unreadable end
  local err = session.reader:abandon()
  if err then session:complain(err) end
  return err == nil
end

return M
