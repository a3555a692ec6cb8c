--- The prompt without a terminal: code from the command line or a pipe. What it prints
--- goes to standard output, errors go to standard error, and the first one ends it.
local input_module = require "wingman.repl.input"
local loop = require "wingman.loop"

local M = {}

-- Lines of standard input; the loop goes on while they are awaited.
local function lines()
  local buffer, ended, news = "", false, loop.future()
  local input
  input = input_module.open(function(bytes)
    if bytes then buffer = buffer .. bytes else ended = true end
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

--- Runs each of the texts of `-e`. True when all went well.
---@param session wingman.repl.session
---@param texts string[]
---@return boolean
function M.run_texts(session, texts)
  for _, text in ipairs(texts) do
    local ok = session:run(text)
    if ok == nil then session:complain(session.reader:abandon()) end
    if not ok then return false end
  end
  return true
end

--- Runs what comes on standard input, chunk by chunk.
---@param session wingman.repl.session
---@return boolean
function M.run_input(session)
  for line in lines() do
    if session:run(line) == false then return false end
  end
  local err = session.reader:abandon()
  if err then session:complain(err) end
  return err == nil
end

return M
