--- One process of the real server. It works in a folder of its own, so that whatever a
--- server writes by a relative path stays there: the newest one has a write-ahead log
--- (`topgun-wal`) and index files besides its database.
local core = require "wingman.core"
local errors = require "wingman.base.error"
local ffi = require "ffi"
local loop = require "wingman.loop"
local process = require "wingman.loop.process"

ffi.cdef "int kill(int pid, int sig);"

local M = {}

--- Seconds: for a node to open its port; to stop when asked to; to stand still when paused.
local PORT_TIMEOUT, STOP_TIMEOUT, PAUSE_TIMEOUT = 30, 5, 30

local SIGNALS = { kill = 9, term = 15, continue = 18, stop = 19 }

-- The server runs under a shell that prints its pid, kills it when the pipe from
-- this process closes (however this process ends), and ends with it.
local GUARD = [[
exec 3<&0 2>/dev/null
log=$1
cd "$2" || exit
shift 2
"$@" </dev/null >>"$log" 2>&1 &
server=$!
echo "$server"
( read -r _ <&3; kill -9 "$server" ) 2>/dev/null &
guard=$!
wait "$server"
code=$?
kill "$guard" 2>/dev/null
exit "$code"
]]

---@class wingman.topgun.node
---@field id string  "node-1" and so on
---@field url string|nil  where clients connect; the same after a restart
---@field port integer|nil  for clients
---@field package guard userdata|nil  keeps the port while the server is down
---@field cluster_port integer  for the other nodes
---@field folder string  of its database and its log
---@field log string     the file that its output goes to
---@field pid integer|nil  of the server; nil while it does not run
---@field package last_signal string|nil
---@field package child wingman.process|nil
local methods = {}
methods.__index = methods

---@param id string
---@param folder string  its data and its log; an absolute path, is there already
---@param cluster_port integer
---@return wingman.topgun.node
function M.new(id, folder, cluster_port)
  local port, guard = core.port_guard()
  return setmetatable({ id = id, folder = folder, log = folder .. "/log", cluster_port = cluster_port, seen = 0, port = port, guard = guard }, methods)
end

local function read_file(path)
  local file = io.open(path, "rb")
  if not file then return "" end
  local text = file:read "*a"
  file:close()
  return text
end

--- What the server has written since it was last started.
function methods:output() return (read_file(self.log):sub(self.seen + 1):gsub("\27%[[%d;]*m", "")) end

local function last_lines(self)
  local lines = {}
  for line in self:output():gmatch "[^\n]+" do lines[#lines + 1] = line end
  return table.concat(lines, "\n", math.max(1, #lines - 4))
end

--- Starts the server; waits until it has opened its port.
---@param binary string  an absolute path
---@param secret string   of the tokens
---@param seeds string[]  host:port of other nodes' cluster ports
---@param storage string|nil  its storage backend; nil: what the environment says, else the server's own default
---@return true|nil, wingman.error|nil
function methods:start(binary, secret, seeds, storage)
  self.seen = #read_file(self.log)
  local child, err = process.spawn {
    file = "sh",
    args = {
      "-c", GUARD, "topgun-guard", self.log, self.folder, binary,
      "--node-id", self.id, "--host", "127.0.0.1", "--port", ("%d"):format(self.port or 0),
      "--cluster-port", ("%d"):format(self.cluster_port), "--seed-nodes", table.concat(seeds, ","),
    },
    env = {
      JWT_SECRET = secret, TOPGUN_BIND_ADDR = "127.0.0.1", TOPGUN_REDB_PATH = self.folder .. "/data.redb",
      -- A variable of the caller's environment must not have two nodes share these.
      TOPGUN_WAL_DIR = self.folder .. "/topgun-wal", TOPGUN_INDEX_PATH = self.folder .. "/scalar_indexes.json",
      TOPGUN_VECTOR_INDEX_PATH = self.folder .. "/vector_indexes.json", STORAGE_BACKEND = storage,
      -- A line for each operation would be most of what a node does.
      RUST_LOG = "warn,topgun_server::cluster=info",
    },
    stdin = true, own_session = true,
  }
  if not child then return nil, errors.new("CLUSTER", ("topgun: %s cannot be started: %s"):format(self.id, err)) end
  self.child = child
  self.pid = tonumber(child:read_line(PORT_TIMEOUT) or "")
  local port = loop.wait_until(function()
    return child:wait(0) and "ended" or self:output():match "PORT=(%d+)"
  end, PORT_TIMEOUT)
  self.port = tonumber(port)
  if not self.pid or not self.port then
    local lines = last_lines(self)
    self:halt "kill"
    return nil, errors.new("CLUSTER", ("topgun: %s did not open its port; its log ends with:\n%s"):format(self.id, lines))
  end
  self.url = ("ws://127.0.0.1:%d/ws"):format(self.port)
  return true
end

--- Sends a signal: "kill", "term", "stop" or "continue".
---@return boolean  whether the server was there to get it
function methods:signal(name)
  self.last_signal = name
  return self.pid ~= nil and ffi.C.kill(self.pid, SIGNALS[name]) == 0
end

--- Has the server stand still (SIGSTOP). Returns when it does, or has had another signal
--- since: on a busy machine it may answer some messages after the signal was sent.
---@return boolean  false: it does not run, or did not stop in time
function methods:pause()
  if not self:signal "stop" then return false end
  -- The state of the first thread, which is the one that answers (proc(5)).
  local path = ("/proc/%d/stat"):format(self.pid)
  return loop.wait_until(function()
    return self.last_signal ~= "stop" or read_file(path):match "^%d+ %(.*%) (%a)" == "T"
  end, PAUSE_TIMEOUT) == true
end

--- Whether it was paused, and not resumed.
function methods:is_paused() return self.last_signal == "stop" end

--- Ends the server by "kill" or "term", and waits until it has ended.
---@param by "kill"|"term"
function methods:halt(by)
  local child = self.child
  if not child then return end
  self:signal "continue"
  self:signal(by)
  if not child:wait(STOP_TIMEOUT) then
    self:signal "kill"
    child:wait(STOP_TIMEOUT)
  end
  child:close()
  self.child, self.pid = nil, nil
end

return M
