--- How the commands of the executable reach a cluster: the flags for the token and for
--- TLS, and the variable WINGMAN_TOKEN. A command reads them by M.RULES and hands them to M.choose;
--- every client that it makes afterwards is completed with them. What a script gives to its
--- client itself goes first, and clusters that Wingman starts (sim://, topgun://) are never
--- touched: they have tokens of their own.
---
--- A program that embeds the module does not come past here: its clients have what their
--- options say, whatever the environment holds.
local core = require "wingman.core"
local embedded_cluster = require "wingman.testbed"
local url = require "wingman.base.url"
local wire_name = require "wingman.base.wire_name"

local M = {}

--- The lines for the help of a command.
M.USAGE = [[
  --token-file FILE       authenticate with the token in the first line of FILE (default:
                          the variable WINGMAN_TOKEN); sim:// and topgun:// need none
  --ca-file FILE          certificate authorities for wss://, PEM (default: the system's)
  --cert-file FILE        certificate of this client for wss://, PEM
  --key-file FILE         private key of that certificate, PEM
  --proxy URL             http://[user:password@]host:port, or "none"; default: http_proxy,
                          https_proxy or all_proxy of the environment, except for loopback
                          and for the hosts in no_proxy
  --insecure-skip-verify  accept any certificate: for tests only
]]

--- The variable with a token.
M.TOKEN_VARIABLE = "WINGMAN_TOKEN"

---@class wingman.connection_options
---@field token string|nil
---@field proxy string|nil
---@field tls table<string, string|boolean>

---@type wingman.connection_options
local chosen = { tls = {} }

-- The token in the first line of a file; nil and why not.
local function read_token(path)
  local file, err = io.open(path, "r")
  if not file then return nil, err end
  local line, why = file:read "*l"
  file:close()
  local token = line and line:match "^%s*(.-)%s*$"
  if not token or token == "" then
    return nil, why or path .. " has no first line"
  end
  return token
end

-- The name of a file that can be read; nil and why not. A pipe is left alone: what is read of it is gone.
local function readable(path)
  local file, err = io.open(path, "r")
  if not file then return nil, err end
  local why
  if file:seek "set" then why = select(2, file:read(1)) end
  file:close()
  if why then return nil, ("%s: %s"):format(path, why) end
  return path
end

-- A message shows no user and password.
local function read_proxy(text)
  if text == "none" or core.proxy_name(text) then return text end
  return nil, ("none or http://host:port is expected, got %s"):format(wire_name.shown(url.shown(text)))
end

-- An empty variable counts as not set.
local function variable_token()
  local token = os.getenv(M.TOKEN_VARIABLE)
  return token ~= "" and token or nil
end

--- The rules of the flags, for wingman.options.arguments. The value of token_file is the token.
---@type table<string, wingman.option_rule>
M.RULES = {
  token_file = { type = "string", read = read_token }, proxy = { type = "string", read = read_proxy },
  ca_file = { type = "string", read = readable }, cert_file = { type = "string", read = readable },
  key_file = { type = "string", read = readable }, insecure_skip_verify = { type = "boolean" },
}

--- Takes what a command has read by M.RULES, and the variable WINGMAN_TOKEN. What is chosen later stands beside what was
--- chosen earlier, or in its place.
---@param options table
function M.choose(options)
  chosen.token = options.token_file or chosen.token or variable_token()
  chosen.proxy = options.proxy or chosen.proxy
  for _, name in ipairs { "ca_file", "cert_file", "key_file", "insecure_skip_verify" } do
    if options[name] ~= nil then chosen.tls[name] = options[name] end
  end
end

--- What was chosen: for another Lua state of this process, which adopts it.
---@return wingman.connection_options
function M.chosen() return chosen end

---@param from wingman.connection_options|nil  nil: nothing
function M.adopt(from) chosen = from or { tls = {} } end

-- A group of options, completed by those that it leaves out. A group of the wrong type stays as it is:
-- the check of the options refuses it.
local function fill(group, with)
  if group ~= nil and type(group) ~= "table" then return group end
  local filled = {}
  for name, value in pairs(with) do filled[name] = value end
  for name, value in pairs(group or {}) do filled[name] = value end
  return filled
end

--- The options of `wingman.client`, completed with what was chosen; the table itself where
--- nothing is to be added.
---@param options table
---@return table
function M.complete(options)
  if type(options) ~= "table" or not (chosen.token or chosen.proxy or next(chosen.tls)) then return options end
  if type(options.cluster) == "string" and embedded_cluster.is_url(options.cluster) then return options end
  local completed = {}
  for name, value in pairs(options) do completed[name] = value end
  if chosen.token then completed.auth = fill(options.auth, { token = chosen.token }) end
  if completed.proxy == nil then completed.proxy = chosen.proxy end
  if next(chosen.tls) then completed.tls = fill(options.tls, chosen.tls) end
  return completed
end

return M
