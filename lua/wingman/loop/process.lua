--- Child processes with pipes, on the loop of this Lua state. Calls that wait
--- yield inside a task and pump the loop elsewhere, as all of Wingman's do.
local ffi = require "ffi"
local changes = require "wingman.loop.wakeup"
local check_options = require("wingman.options.check").check
local core = require "wingman.core"
local loop = require "wingman.loop"

ffi.cdef "ssize_t readlink(const char *path, char *buf, size_t size);"

local M = {}

local signals = {
  SIGHUP = 1, SIGINT = 2, SIGQUIT = 3, SIGKILL = 9, SIGUSR1 = 10, SIGUSR2 = 12,
  SIGTERM = 15, SIGCONT = 18, SIGSTOP = 19,
}
local signal_names = {}
for name, number in pairs(signals) do signal_names[number] = name end

---@class wingman.process
---@field pid integer
---@field package child userdata
---@field package changes wingman.changes
local methods = {}
methods.__index = methods

--- What `spawn` takes.
---@type table<string, wingman.option_rule>
M.options = {
  file = { type = "string", required = true, about = "the program; looked for in PATH when it has no slash" },
  args = { type = "table", default = {}, about = "a list, without the program's name" },
  env = { type = "table", about = "name -> value, added to ours" },
  cwd = { type = "string", about = "the folder that it runs in; default: ours" },
  stdin = { type = "boolean", default = false, about = "true: a pipe for write; else /dev/null" },
  stderr = { type = "boolean", default = false, about = "true: collected; else it goes where ours goes" },
  own_session = { type = "boolean", default = false,
    about = "true: a Ctrl-C at our terminal is not sent to the child; one that does not end with its standard input may then outlive us" },
}

--- Starts a child process. Its standard output is collected; when 16 MiB wait to
--- be read, the child waits.
---@param options wingman.process_options
---@return wingman.process|nil, string|nil err
function M.spawn(options)
  options = check_options(M.options, options, "process.spawn", 2)
  local env
  if options.env then
    env = {}
    for name, value in pairs(options.env) do env[#env + 1] = name .. "=" .. tostring(value) end
  end
  local child, err = core.process(loop.handle(), options.file, options.args, env, options.cwd,
    options.stdin, options.stderr, options.own_session)
  if not child then return nil, ("%s: %s"):format(options.file, err) end
  local self = setmetatable({ pid = child:pid(), child = child, changes = changes.new() }, methods)
  loop.add_source(self)
  return self
end

--- Tells waiting tasks that something happened; called by the loop.
function methods:drain_events() self.changes:note(self.child:changes()) end

local function check_open(self)
  if not self.child then error("the process is closed", 3) end
end

local function await(self, timeout, look)
  return self.changes:await(timeout, function()
    if not self.child then return nil, "closed" end
    return look()
  end)
end

--- Queues text for the child's standard input.
---@param text string
---@return true|nil, string|nil err
function methods:write(text)
  check_open(self)
  return self.child:write(text)
end

--- The child reads its end of input once what was written is through.
function methods:close_stdin()
  check_open(self)
  self.child:close_stdin()
end

--- The next line without its end; nil, "closed" at the end of the output.
---@param timeout number|nil  seconds; nil waits for ever
---@param stream "stdout"|"stderr"|nil
---@return string|nil, string|nil err
function methods:read_line(timeout, stream)
  check_open(self)
  return await(self, timeout, function()
    local line, ended = self.child:read_line(stream)
    if line then return line end
    if ended == true then return nil, "closed" end
    if ended == false then return nil, "a line is longer than 16 MiB" end
  end)
end

--- What has come, at least one byte; nil, "closed" at the end of the output.
---@param timeout number|nil  seconds; nil waits for ever
---@param stream "stdout"|"stderr"|nil
---@return string|nil, string|nil err
function methods:read(timeout, stream)
  check_open(self)
  return await(self, timeout, function()
    local text, ended = self.child:read(stream)
    if text ~= "" then return text end
    if ended then return nil, "closed" end
  end)
end

--- All output until its end.
---@param timeout number|nil  seconds; nil waits for ever
---@param stream "stdout"|"stderr"|nil
---@return string|nil, string|nil err
function methods:read_all(timeout, stream)
  check_open(self)
  local parts = {}
  return await(self, timeout, function()
    local text, ended = self.child:read(stream)
    parts[#parts + 1] = text
    if ended then return table.concat(parts) end
  end)
end

--- Sends a signal.
---@param signal string|integer|nil  "SIGTERM" (the default), "SIGKILL", "SIGSTOP", … or a number
---@return true|nil, string|nil err
function methods:kill(signal)
  check_open(self)
  local number = signal == nil and signals.SIGTERM or signals[signal] or tonumber(signal)
  if not number then error(("kill: unknown signal '%s'"):format(tostring(signal)), 2) end
  return self.child:kill(number)
end

--- Waits for the end of the child.
---@param timeout number|nil  seconds; nil waits for ever
---@return integer|nil code, string|integer|nil signal  the signal that ended it, or nil; nil, "timeout"
function methods:wait(timeout)
  check_open(self)
  local ended, err = await(self, timeout, function()
    if self.child:exit_status() then return true end
  end)
  if not ended then return nil, err end
  local code, signal = self.child:exit_status()
  return code, signal ~= 0 and (signal_names[signal] or signal) or nil
end

--- Kills the child if it still runs, and frees what it held. Safe twice.
function methods:close()
  if not self.child then return end
  loop.remove_source(self)
  self.child:close()
  self.child = nil
  self.changes:wake()
end

local function this_executable()
  local buffer = ffi.new "char[4096]"
  local n = tonumber(ffi.C.readlink("/proc/self/exe", buffer, 4096))
  return n > 0 and ffi.string(buffer, n) or nil
end

local function exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

--- Where the executable `wingman` is: WINGMAN_EXECUTABLE, this process itself, or
--- the one beside the core module (build/wingman of build/lib/wingman/core.so,
--- bin/wingman of lib/lua/5.1/wingman/core.so).
---@return string path
function M.wingman_path()
  local named = os.getenv "WINGMAN_EXECUTABLE"
  if named and named ~= "" then return named end
  local this = this_executable()
  if this and this:match "/wingman$" then return this end
  local prefix = core.path:match "^(.*)/lib/.-wingman/core%.so$" or core.path == "lib/wingman/core.so" and "."
  for _, place in ipairs { "/wingman", "/bin/wingman" } do
    if prefix and exists(prefix .. place) then return prefix .. place end
  end
  return "wingman"
end

return M
