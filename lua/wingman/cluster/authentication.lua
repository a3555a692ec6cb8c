--- Tokens and connections: shows one when a server asks, and decides what follows when
--- it is refused. A token that a node has refused is not shown to that node again; a
--- function is asked for another one, at once and then as the reconnect policy allows;
--- a connection follows only when there is one.
local loop = require "wingman.loop"
local token_source = require "wingman.cluster.token_source"

local M = {}

---@class wingman.authentication
---@field tokens wingman.token_source
local methods = {}
methods.__index = methods

---@class wingman.authentication_host
---@field authenticate fun(link: wingman.link_lane, token: string)
---@field open fun(link: wingman.link_lane)
---@field set_state fun(link: wingman.link_lane, state: string)
---@field delay fun(link: wingman.link_lane): number|nil  the reconnect policy's
---@field no_token fun(link: wingman.link_lane, why: string)  the connection cannot go on
---@field refused_links fun(): wingman.link_lane[]
---@field log fun(level: string, event: string, fields: table)

---@param source string|function|nil
---@param timeout number  seconds that a token function may take
---@param host wingman.authentication_host
---@return wingman.authentication
function M.new(source, timeout, host)
  local self = setmetatable({ host = host }, methods)
  self.tokens = token_source.new(source, timeout, {
    renewed = function(token) self:resume(token) end,
    log = host.log,
  })
  return self
end

local function answer(self, link, token, why)
  if token and token == link.node.refused_token then token, why = nil, "the node has refused this token before" end
  if not token then return self.host.no_token(link, why) end
  link.shown_token = token
  self.host.authenticate(link, token)
end

--- A server asks for the token. The token function may wait, so it runs in a task.
---@param link wingman.link_lane
function methods:show(link)
  self.host.set_state(link, "authenticating")
  local token = link.next_token -- asked for ahead of the connection
  link.next_token = nil
  if token then return answer(self, link, token) end
  if not self.tokens:may_change() then return answer(self, link, self.tokens:ask()) end
  local work = {}
  link.work = work
  loop.spawn(function()
    local given, why = self.tokens:ask()
    if link.work ~= work then return end -- the connection has ended meanwhile
    link.work = nil
    answer(self, link, given, why)
  end)
end

-- Asks the function, by and by, until it has a token that the node has not refused.
local function ask_again(self, link)
  link.attempt = link.attempt + 1
  local delay = link.attempt == 1 and 0 or self.host.delay(link)
  if not delay then return end -- until the script sets a token
  local work = {}
  link.work = work
  link.timer = loop.timer(delay, function()
    link.timer = nil
    loop.spawn(function()
      local token = self.tokens:ask()
      if link.work ~= work then return end
      link.work = nil
      if token and token ~= link.node.refused_token then
        link.next_token = token
        return self.host.open(link)
      end
      self.host.set_state(link, "refused")
      ask_again(self, link)
    end)
  end)
end

--- The connection ended for want of a token that the node takes.
---@param link wingman.link_lane
function methods:refused(link)
  link.node.refused_token, link.shown_token = link.shown_token or link.node.refused_token, nil
  local first = link.attempt == 0 and self.tokens:may_change()
  self.host.set_state(link, first and "backoff" or "refused")
  if self.tokens:may_change() then ask_again(self, link) end
end

--- There is a new token: connections that were refused another one go on at once.
---@param token string|nil  nil: whatever the source gives now
function methods:resume(token)
  for _, link in ipairs(self.host.refused_links()) do
    if token == nil or token ~= link.node.refused_token then
      link.next_token = token
      self.host.open(link)
    end
  end
end

--- The script set another token or function; a script may also show one again.
---@param source string|function
function methods:set(source)
  self.tokens:set(source)
  for _, link in ipairs(self.host.refused_links()) do
    link.node.refused_token, link.next_token, link.attempt = nil, nil, 0
  end
  self:resume()
end

function methods:close() self.tokens:close() end

return M
