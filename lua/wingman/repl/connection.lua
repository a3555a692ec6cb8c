--- The client of the prompt: from a URL to the globals `client` and `cluster`.
local loop = require "wingman.loop"

local M = {}

--- Makes the client and the globals, and starts connecting. The future is of
--- client:start().
---@param session wingman.repl.session
---@param url string
---@param log_to function|nil  the client's log; default: warnings to stderr
---@return wingman.future|nil started, string|nil err
function M.open(session, url, log_to)
  local client_module = require "wingman.client"
  local made, client, err = pcall(client_module.new, { cluster = url, log_to = log_to })
  if not made or not client then return nil, tostring(made and err or client) end
  local previous = session.client
  session.client, session.environment.client = client, client
  if previous then previous:close() end
  local started = loop.spawn(function()
    local ok, start_err = client:start()
    if session.client == client then session.environment.cluster = client:cluster() end
    return ok, start_err
  end)
  return started
end

return M
