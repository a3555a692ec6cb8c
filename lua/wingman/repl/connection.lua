--- The client of the prompt: from a URL to the globals `client` and `cluster`.
local embedded_cluster = require "wingman.embedded_cluster"
local loop = require "wingman.loop"

local M = {}

--- The options of a client for a URL of the command line.
---@param url string
---@param given { token: string|nil, ca_file: string|nil, insecure: boolean|nil, log_to: function|nil }
---@return table
function M.client_options(url, given)
  local options = {
    auth = given.token and { token = given.token } or nil,
    tls = { ca_file = given.ca_file, insecure_skip_verify = given.insecure or false },
    log_to = given.log_to,
  }
  if embedded_cluster.is_url(url) then
    options.cluster = url
  else
    local seeds = {}
    for seed in url:gmatch "[^,]+" do seeds[#seeds + 1] = seed end
    options.cluster = { seeds = seeds }
  end
  return options
end

--- The token of the command line or the environment.
---@param path string|nil
---@return string|nil token, string|nil err
function M.read_token(path)
  if not path then return os.getenv "WINGMAN_TOKEN" end
  local file, err = io.open(path, "r")
  if not file then return nil, "--token-file: " .. err end
  local token = file:read "*l"
  file:close()
  if not token or token == "" then return nil, "--token-file: " .. path .. " has no first line" end
  return token
end

--- Makes the client and the globals, and starts connecting. The future is of
--- client:start().
---@param session wingman.repl.session
---@param url string
---@param given table  see client_options
---@return wingman.future|nil started, string|nil err
function M.open(session, url, given)
  local client_module = require "wingman.client"
  local made, client, err = pcall(client_module.new, M.client_options(url, given))
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
