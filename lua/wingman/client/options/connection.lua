--- How the commands of the executable reach a cluster: the flags for the token and for
--- TLS, and the variable WINGMAN_TOKEN. A command takes them from its arguments; every
--- client that it makes afterwards is completed with them. What a script gives to its
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

--- Flags with a value, by name without dashes; and the option of `tls` that they set.
M.valued = {
  ["token-file"] = true, proxy = true, ["ca-file"] = "ca_file", ["cert-file"] = "cert_file", ["key-file"] = "key_file",
}
--- Flags without one.
M.flags = { ["insecure-skip-verify"] = "insecure_skip_verify" }

---@class wingman.connection_options
---@field token string|nil
---@field proxy string|nil
---@field tls table<string, string|boolean>

---@type wingman.connection_options
local chosen = { tls = {} }

-- The token in the first line of a file; nil and why not.
local function read_token(path)
  local file, err = io.open(path, "r")
  if not file then return nil, "--token-file: " .. err end
  local line, why = file:read "*l"
  file:close()
  local token = line and line:match "^%s*(.-)%s*$"
  if not token or token == "" then
    return nil, ("--token-file: %s"):format(why or (path .. " has no first line"))
  end
  return token
end

-- Whether a file can be read; why not. A pipe is left alone: what is read of it is gone.
local function check_readable(path)
  local file, err = io.open(path, "r")
  if not file then return nil, err end
  local why
  if file:seek "set" then why = select(2, file:read(1)) end
  file:close()
  if why then return nil, ("%s: %s"):format(path, why) end
  return true
end

-- An empty variable is none.
local function variable_token()
  local token = os.getenv(M.TOKEN_VARIABLE)
  return token ~= "" and token or nil
end

-- Takes one flag; `value` is nil when none was given. True, or nil and what is wrong.
local function take_flag(name, value)
  if M.flags[name] then
    if value then return nil, ("--%s takes no value, got '%s'"):format(name, value) end
    chosen.tls[M.flags[name]] = true
  elseif not value or value == "" then
    return nil, ("--%s needs a value"):format(name)
  elseif name == "token-file" then
    local token, wrong = read_token(value)
    if not token then return nil, wrong end
    chosen.token = token
  elseif name == "proxy" then
    if value ~= "none" and not core.proxy_name(value) then
      return nil, ("--proxy: none or http://host:port is expected, got %s"):format(wire_name.shown(url.shown(value)))
    end
    chosen.proxy = value
  else
    local is_readable, why = check_readable(value)
    if not is_readable then return nil, ("--%s: %s"):format(name, why) end
    chosen.tls[M.valued[name]] = value
  end
  return true
end

--- Takes the flags of connections out of a command's arguments. Flags of a later call
--- stand beside those of an earlier one, or in their place.
---@param words string[]
---@return string[]|nil rest  the other arguments, in their order
---@return string|nil wrong
function M.take(words)
  local rest, i = {}, 1
  chosen.token = chosen.token or variable_token()
  while words[i] do
    local name, value = words[i]:match "^%-%-([%a-]+)=?(.*)$"
    local takes_value = M.valued[name]
    if not takes_value and not M.flags[name] then
      rest[#rest + 1] = words[i]
    else
      if not words[i]:find("=", 1, true) then
        if takes_value then i = i + 1 end
        value = takes_value and words[i] or nil
      end
      local ok, wrong = take_flag(name, value)
      if not ok then return nil, wrong end
    end
    i = i + 1
  end
  return rest
end

--- What was taken: for another Lua state of this process, which adopts it.
---@return wingman.connection_options
function M.chosen() return chosen end

---@param from wingman.connection_options|nil  nil: nothing
function M.adopt(from) chosen = from or { tls = {} } end

-- A group of options with those that it leaves out; one of the wrong kind is left to
-- whoever checks it.
local function fill(group, with)
  if group ~= nil and type(group) ~= "table" then return group end
  local filled = {}
  for name, value in pairs(with) do filled[name] = value end
  for name, value in pairs(group or {}) do filled[name] = value end
  return filled
end

--- The options of `wingman.client`, completed with what was taken; the table itself where
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
