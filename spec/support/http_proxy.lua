--- A proxy that makes tunnels (CONNECT), and remembers what it was asked for. It can be cut, which
--- ends all tunnels and refuses others, until it is mended.
local loop = require "wingman.loop"
local stream = require "wingman.loop.stream"

local M = {}

---@class spec.http_proxy
---@field port integer
---@field requests string[]  heads, in the order of their arrival
---@field sent integer[]     bytes that came behind the head, by request
local proxy = {}
proxy.__index = proxy

-- What one end sends the other one gets, until it ends.
local function pump(from, to, count)
  while true do
    local bytes = from:read()
    if not bytes then break end
    if count then count(#bytes) end
    if not to:write(bytes) then break end
  end
  to:close()
end

local function serve(self, peer)
  local lines = {}
  repeat
    local line = peer:read_line()
    if not line then return peer:close() end
    lines[#lines + 1] = line
  until line:match "^\r?$"
  local at = #self.requests + 1
  self.requests[at], self.sent[at] = table.concat(lines, "\n"), 0
  if self.answer then
    peer:write(self.answer)
    return peer:close()
  end
  local target = not self.is_cut and stream.connect { host = "127.0.0.1", port = self.target or tonumber(lines[1]:match ":(%d+) ") }
  if not target then return peer:close() end
  peer:write "HTTP/1.1 200 Connection established\r\nVia: spec\r\n\r\n"
  self.streams[#self.streams + 1] = peer
  self.streams[#self.streams + 1] = target
  loop.spawn(pump, target, peer)
  pump(peer, target, function(bytes) self.sent[at] = self.sent[at] + bytes end)
end

--- Starts one whose tunnels lead to the ports of this machine that they ask for, or all to `target`; with `answer` it says
--- only that.
---@param options { target: integer|nil, answer: string|nil }
---@return spec.http_proxy
function M.start(options)
  local listener = assert(stream.listen { port = 0 })
  local self = setmetatable({
    listener = listener, port = listener.port, requests = {}, sent = {}, streams = {}, target = options.target, answer = options.answer,
  }, proxy)
  loop.spawn(function()
    while true do
      local peer = listener:accept()
      if not peer then return end
      loop.spawn(serve, self, peer)
    end
  end)
  return self
end

local function end_tunnels(self)
  for _, one in ipairs(self.streams) do one:close() end
  self.streams = {}
end

function proxy:cut()
  self.is_cut = true
  end_tunnels(self)
end

function proxy:mend() self.is_cut = false end

function proxy:close()
  self.listener:close()
  end_tunnels(self)
end

return M
