--- A TCP proxy in front of one node, to do to connections what a network does: cut
--- them, cut them after some bytes, lose sight of them, delay them, refuse them.
local loop = require "wingman.loop"
local stream = require "wingman.loop.stream"

local M = {}

---@class chaos.proxy
---@field url string  where clients connect
---@field package target integer  port of the node
---@field package connections table<chaos.proxy_pair, true>
---@field package delay number    seconds that what clients are sent is late
---@field package budget integer|nil  bytes until the next cut
local methods = {}
methods.__index = methods

---@class chaos.proxy_pair
---@field client wingman.stream
---@field node wingman.stream
---@field abandoned boolean|nil  nothing is passed on any more, and nothing said

local function end_pair(self, pair)
  self.connections[pair] = nil
  pair.client:close()
  pair.node:close()
end

-- How much of a text still goes through before the ordered cut.
local function within_budget(self, text)
  if not self.budget then return text, false end
  if #text < self.budget then
    self.budget = self.budget - #text
    return text, false
  end
  text = text:sub(1, self.budget)
  self.budget = nil
  return text, true
end

local function pass_on(self, pair, from, to, is_answer)
  while true do
    local text = from:read()
    if not text then break end
    if is_answer and self.delay > 0 then loop.sleep(self.delay) end
    if not pair.abandoned then
      local part, is_cut = within_budget(self, text)
      to:write(part)
      if is_cut then
        to:drain(1)
        return end_pair(self, pair)
      end
    end
  end
  -- One side has ended, and an abandoned one hears nothing of it.
  if not pair.abandoned or from == pair.client then end_pair(self, pair) end
end

local function accept(self, listener)
  while true do
    local client = listener:accept()
    if not client then return end
    local node = stream.connect { host = "127.0.0.1", port = self.target }
    if node then
      local pair = { client = client, node = node }
      self.connections[pair] = true
      loop.spawn(pass_on, self, pair, client, node, false)
      loop.spawn(pass_on, self, pair, node, client, true)
    else
      client:close()
    end
  end
end

local function listen(self)
  local listener, err = stream.listen { port = self.port or 0 }
  if not listener then return nil, err end
  self.listener, self.port = listener, listener.port
  loop.spawn(accept, self, listener)
  return true
end

--- A proxy for the node at a URL.
---@param node_url string
---@return chaos.proxy|nil, string|nil err
function M.start(node_url)
  local port, path = node_url:match "^ws://127%.0%.0%.1:(%d+)(.*)$"
  local self = setmetatable({ target = tonumber(port), connections = {}, delay = 0 }, methods)
  local ok, err = listen(self)
  if not ok then return nil, err end
  self.url = ("ws://127.0.0.1:%d%s"):format(self.port, path)
  return self
end

--- Ends all connections.
function methods:cut()
  for pair in pairs(self.connections) do end_pair(self, pair) end
end

--- Ends the connection over which so many bytes have come, inside of a frame most
--- likely.
---@param bytes integer
function methods:cut_after(bytes) self.budget = bytes end

--- Half-open: what is sent over the present connections is lost from now on, in both
--- directions, and neither side learns of it. New ones work.
function methods:abandon()
  for pair in pairs(self.connections) do pair.abandoned = true end
end

--- What nodes send is late by so many seconds.
---@param seconds number
function methods:set_delay(seconds) self.delay = seconds end

--- Nobody listens, and all connections end.
function methods:refuse()
  if self.listener then self.listener:close() end
  self.listener = nil
  self:cut()
end

--- Undoes everything but what has ended.
function methods:mend()
  self.delay, self.budget = 0, nil
  if not self.listener then assert(listen(self)) end
end

--- Ends the proxy. Safe twice.
function methods:close() self:refuse() end

return M
