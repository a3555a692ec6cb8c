--- Local sockets on the loop of this Lua state, for people and programs that look at
--- this process: a control socket, an attached prompt, a scrape of metrics. Calls that
--- wait yield inside a task and pump the loop elsewhere, as all of Wingman's do.
local changes = require "wingman.loop.wakeup"
local check_options = require("wingman.options.check").check
local core = require "wingman.core"
local loop = require "wingman.loop"

local M = {}

--- A peer that sends more than this without the end of a line is not understood.
local LINE_MAX = 1024 * 1024

---@class wingman.stream
---@field port integer|nil  of a TCP listener
---@field path string|nil   of a listener in the file system
---@field package socket userdata|nil
---@field package changes wingman.changes
---@field package text string  read and not yet taken
---@field package ended string|nil  why nothing more will come
local methods = {}
methods.__index = methods

local function wrap(socket)
  local self = setmetatable({ socket = socket, changes = changes.new(), text = "" }, methods)
  loop.add_source(self)
  return self
end

--- What `listen` takes; `connect` takes it without the mode.
---@type table<string, wingman.option_rule>
M.listen_options = {
  path = { type = "string", about = "a socket in the file system" },
  port = { type = "number", whole = true, min = 0, max = 65535, about = "of TCP; 0: any that is free" },
  host = { type = "string", default = "127.0.0.1", about = "an address, for a port" },
  mode = { type = "number", whole = true, min = 0, max = 4095, about = "of the file; default 0600" },
}

---@type table<string, wingman.option_rule>
M.connect_options = { path = M.listen_options.path, port = M.listen_options.port, host = M.listen_options.host }

-- The checked options, and how messages call the place.
local function check(rules, options, what)
  local checked = check_options(rules, options, what, 3)
  if (checked.path == nil) == (checked.port == nil) then error(what .. ": one of path and port is needed", 3) end
  return checked, checked.path or ("%s:%d"):format(checked.host, checked.port)
end

--- Listens. A socket in the file system has mode 0600 unless `mode` says otherwise;
--- one that a dead process left is replaced.
---@param options wingman.listen_options
---@return wingman.stream|nil, string|nil err
function M.listen(options)
  local place
  options, place = check(M.listen_options, options, "stream.listen")
  local socket, err = core.listen(loop.handle(), options.path, options.host, options.port, options.mode)
  if not socket then return nil, ("%s: %s"):format(place, err) end
  local self = wrap(socket)
  self.path = options.path
  if not options.path then self.port = socket:port() end
  return self
end

--- Connects. When nobody listens at a TCP port, the first read says so.
---@param options wingman.connect_options
---@return wingman.stream|nil, string|nil err
function M.connect(options)
  local place
  options, place = check(M.connect_options, options, "stream.connect")
  local socket, err = core.connect(loop.handle(), options.path, options.host, options.port)
  if not socket then return nil, ("%s: %s"):format(place, err) end
  return wrap(socket)
end

--- Tells waiting tasks that something happened; called by the loop.
function methods:drain_events() self.changes:note(self.socket:changes()) end

-- Waits until look() finds something in the input.
local function await(self, timeout, look)
  return self.changes:await(timeout, function()
    if not self.socket then return nil, "closed" end
    local value, err = look()
    if value == nil and not err then self.socket:watch() end
    return value, err
  end)
end

--- The next connection to a listener.
---@param timeout number|nil  seconds; nil waits for ever
---@return wingman.stream|nil, string|nil err  "timeout", "closed" after close
function methods:accept(timeout)
  local socket, err = await(self, timeout, function() return self.socket:accept() end)
  if not socket then return nil, err end
  return wrap(socket)
end

-- Adds what has come to `text`; false, with self.ended, when nothing more will.
local function fill(self)
  if self.ended then return false end
  local bytes, err = self.socket:read()
  if bytes == "" or err then
    self.ended = err or "closed"
    return false
  end
  self.text = self.text .. (bytes or "")
  return true
end

--- What has come and was not taken yet, without waiting and without the loop: it stays. Also
--- whether nothing more will come.
---@return string text, boolean ended
function methods:peek()
  if self.socket then fill(self) end
  return self.text, self.ended ~= nil or not self.socket
end

--- What has come, at least one byte; waits for it.
---@param timeout number|nil  seconds; nil waits for ever
---@return string|nil, string|nil err  "closed" at the end
function methods:read(timeout)
  return await(self, timeout, function()
    local open = fill(self)
    if self.text == "" then return nil, not open and self.ended or nil end
    local text = self.text
    self.text = ""
    return text
  end)
end

--- The next line without its end; a last line without one counts.
---@param timeout number|nil  seconds; nil waits for ever
---@return string|nil, string|nil err  "closed" at the end
function methods:read_line(timeout)
  return await(self, timeout, function()
    local open = fill(self)
    local line, rest = self.text:match "^([^\n]*)\n(.*)$"
    if not line and not open and self.text ~= "" then line, rest = self.text, "" end
    if line then
      self.text = rest
      return line
    end
    if #self.text > LINE_MAX then return nil, "a line is longer than 1 MiB" end
    return nil, not open and self.ended or nil
  end)
end

--- Queues text for the peer. nil, err when the peer is gone, or when 16 MiB wait.
---@param text string
---@return true|nil, string|nil err
function methods:write(text)
  if not self.socket then return nil, "closed" end
  return self.socket:write(text)
end

--- Waits until everything written is with the system.
---@param timeout number|nil  seconds; nil waits for ever
---@return true|nil, string|nil err
function methods:drain(timeout)
  return self.changes:await(timeout, function()
    if not self.socket then return nil, "closed" end
    return self.socket:unwritten() == 0 or nil
  end)
end

--- Whether this end was closed.
function methods:closed() return self.socket == nil end

--- Closes; who waits gets nil, "closed". A listener's file goes. Safe twice.
function methods:close()
  if not self.socket then return end
  loop.remove_source(self)
  self.socket:close()
  self.socket = nil
  self.changes:wake()
end

return M
