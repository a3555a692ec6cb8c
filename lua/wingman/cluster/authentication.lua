--- Tokens and connections: shows one when a server asks, and decides what follows when
--- it is refused. A token that a node has refused is not shown to that node again; a
--- function is asked for another one, at once and then as the reconnect policy allows;
--- a connection follows only when there is one.
local loop = require "wingman.loop"
local token_source = require "wingman.cluster.token_source"

local M = {}

---@class wingman.authentication
---@field tokens wingman.token_source
---@field private others wingman.authentication[]  that show the same tokens
local methods = {}
methods.__index = methods

---@class wingman.authentication_host
---@field authenticate fun(connection: wingman.connection, token: string)
---@field open fun(connection: wingman.connection)
---@field set_state fun(connection: wingman.connection, state: string)
---@field delay fun(connection: wingman.connection): number|nil  the reconnect policy's
---@field no_token fun(connection: wingman.connection, why: string)  the connection cannot go on
---@field refused_connections fun(): wingman.connection[]
---@field log fun(level: string, event: string, fields: table)

---@param source string|function|nil
---@param timeout number  seconds that a token function may take
---@param host wingman.authentication_host
---@return wingman.authentication
function M.new(source, timeout, host)
  local self = setmetatable({ host = host, others = {} }, methods)
  self.tokens = token_source.new(source, timeout, {
    renewed = function(token)
      self:resume(token)
      for _, other in ipairs(self.others) do other:resume(token) end
    end,
    log = host.log,
  })
  return self
end

--- For further connections that show the tokens of these, until these are closed.
---@param host wingman.authentication_host
---@return wingman.authentication
function methods:beside(host)
  local other = setmetatable({ host = host, tokens = self.tokens, others = {} }, methods)
  self.others[#self.others + 1] = other
  return other
end

local function answer(self, connection, token, why)
  if token and token == connection.node.refused_token then token, why = nil, "the node has refused this token before" end
  if not token then return self.host.no_token(connection, why) end
  connection.shown_token = token
  self.host.authenticate(connection, token)
end

--- A server asks for the token. The token function may wait, so it runs in a task.
---@param connection wingman.connection
function methods:show(connection)
  self.host.set_state(connection, "authenticating")
  local token = connection.next_token -- asked for ahead of the connection
  connection.next_token = nil
  if token then return answer(self, connection, token) end
  if not self.tokens:may_change() then return answer(self, connection, self.tokens:ask()) end
  local work = {}
  connection.work = work
  loop.spawn(function()
    local given, why = self.tokens:ask()
    if connection.work ~= work then return end -- the connection has ended meanwhile
    connection.work = nil
    answer(self, connection, given, why)
  end)
end

-- Asks the function again, after delays, until it has a token that the node has not refused.
local function ask_again(self, connection)
  connection.attempt = connection.attempt + 1
  local delay = connection.attempt == 1 and 0 or self.host.delay(connection)
  if not delay then return end -- until the script sets a token
  local work = {}
  connection.work = work
  connection.timer = loop.timer(delay, function()
    connection.timer = nil
    loop.spawn(function()
      local token = self.tokens:ask()
      if connection.work ~= work then return end
      connection.work = nil
      if token and token ~= connection.node.refused_token then
        connection.next_token = token
        return self.host.open(connection)
      end
      self.host.set_state(connection, "refused")
      ask_again(self, connection)
    end)
  end)
end

--- The connection ended for want of a token that the node takes.
---@param connection wingman.connection
function methods:refused(connection)
  connection.node.refused_token, connection.shown_token = connection.shown_token or connection.node.refused_token, nil
  local first = connection.attempt == 0 and self.tokens:may_change()
  self.host.set_state(connection, first and "backoff" or "refused")
  if self.tokens:may_change() then ask_again(self, connection) end
end

--- There is a new token: connections that were refused another one go on at once.
---@param token string|nil  nil: whatever the source gives now
function methods:resume(token)
  for _, connection in ipairs(self.host.refused_connections()) do
    if token == nil or token ~= connection.node.refused_token then
      connection.next_token = token
      self.host.open(connection)
    end
  end
end

local function begin_anew(self)
  for _, connection in ipairs(self.host.refused_connections()) do
    connection.node.refused_token, connection.next_token, connection.attempt = nil, nil, 0
  end
  self:resume()
end

--- The script set another token or function; a script may also show one again.
---@param source string|function
function methods:set(source)
  self.tokens:set(source)
  begin_anew(self)
  for _, other in ipairs(self.others) do begin_anew(other) end
end

function methods:close() self.tokens:close() end

return M
