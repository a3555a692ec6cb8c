--- The client of the prompt: from a URL to the globals `client` and `cluster`.
local embedded_cluster = require "wingman.testbed"
local loop = require "wingman.loop"

local M = {}

-- The option `cluster` of a client for a URL of the command line.
local function cluster_of(url)
  if embedded_cluster.is_url(url) then return url end
  local seeds = {}
  for seed in url:gmatch "[^,]+" do seeds[#seeds + 1] = seed end
  return { seeds = seeds }
end

--- Makes the client and the globals, and starts connecting. The future is of
--- client:start().
---@param session wingman.repl.session
---@param url string
---@param log_to function|nil  the client's log; default: warnings to stderr
---@return wingman.future|nil started, string|nil err
function M.open(session, url, log_to)
  local client_module = require "wingman.client"
  local made, client, err = pcall(client_module.new, { cluster = cluster_of(url), log_to = log_to })
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
