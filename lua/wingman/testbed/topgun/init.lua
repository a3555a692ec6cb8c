--- The real v2 server: starts a cluster of it in a temporary folder, with the same
--- control as the simulated one (see wingman.sim), so far as a real server has it.
---
--- What server 2.2.0 is like on one machine, and what is done about it:
---  - It loses what arrives together with a frame of its join handshake, and its
---    clusters then never become whole. `wingman relay` spaces those frames.
---  - A node that joined keeps the map of that moment when others join after it.
---    It is restarted once, when all are there.
---  - When the cluster is not whole after all that, everything begins afresh.
---  - It suspects a node whose heartbeat is half a second late, which happens on a busy
---    machine, and takes nothing back: suspected, a node gets no partition when the next one
---    comes or goes, and a master that suspects itself lets no node join again. The relay lets
---    no heartbeat through; a node that ends is noticed by its connections. With the option
---    `heartbeats` the nodes are left to themselves.
---  - It may handle the end of a node's old connection after the node has joined anew, and
---    drops it then for good. A node is restarted when the others have handled that end.
---
--- Nothing is left behind, however this process ends: each server ends with the
--- pipe from this process (see wingman.testbed.topgun.node), and a shell that waits for
--- the same removes the folder.
local binary_module = require "wingman.testbed.topgun.binary"
local check_options = require("wingman.options.check").check
local cjson = require "cjson"
local core = require "wingman.core"
local errors = require "wingman.base.error"
local ffi = require "ffi"
local loop = require "wingman.loop"
local membership = require "wingman.testbed.topgun.membership"
local node_module = require "wingman.testbed.topgun.node"
local process = require "wingman.loop.process"
local uuid = require "wingman.base.uuid"

ffi.cdef [[
char *mkdtemp(char *template_);
char *realpath(const char *path, char *resolved);
void free(void *);
]]

local M = {}

local TRIES = 4
--- Seconds: for a first node to become master (it takes 3); for a helper process to answer; for a
--- node to notice that a connection ended.
local MASTER_TIMEOUT, HELPER_TIMEOUT, NOTICE_TIMEOUT = 30, 30, 60
--- Seconds that the cluster's token is good for.
local TOKEN_LIFE = 7 * 86400

--- What `start` takes.
---@type table<string, wingman.option_rule>
M.options = {
  nodes = { type = "number", default = 3, whole = true, min = 1, max = 64, about = "server processes" },
  storage = { type = "string", one_of = { "redb", "null" },
    about = "redb: on disk, written behind the acknowledgements; null: in memory only; default: STORAGE_BACKEND, else redb" },
  heartbeats = {
    type = "boolean", default = false,
    about = "the nodes hear each other's heartbeats, and drop for good one whose heartbeats were late",
  },
}

-- Removes the folder once standard input ends; the servers need a moment to end. In a
-- process below the shell: a script that ends by an error kills its children.
local JANITOR = [[
exec 3<&0
(
  read -r _ <&3
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    rm -rf "$1" 2>/dev/null
    [ -e "$1" ] || exit 0
    sleep 0.1
  done
) &
wait
]]

---@class wingman.topgun.cluster
---@field kind "topgun"  tells it from clusters of sim://
---@field dialect "v2"  the server family
---@field hash "fnv1a"  the nodes' hash of keys
---@field urls string[]  of the nodes, in their order
---@field token string   one that the cluster accepts
---@field secret string  for other tokens
---@field nodes wingman.topgun.node[]  by their numbers
---@field folder string|nil  nil once the cluster has ended
---@field package storage string|nil
local methods = {}
methods.__index = methods

local function failure(format, ...) return errors.new("CLUSTER", "topgun: " .. format:format(...)) end

-- Runs a command to its end; nil, err when it failed.
local function run(file, ...)
  local child, err = process.spawn { file = file, args = { ... } }
  if not child then return nil, failure("%s", err) end
  local code = child:wait(HELPER_TIMEOUT)
  child:close()
  if code ~= 0 then return nil, failure("%s ended with code %s", file, tostring(code)) end
  return true
end

-- An absolute path: the servers work in folders of their own.
local function make_folder()
  local template = (os.getenv "TMPDIR" or "/tmp") .. "/wingman-topgun-XXXXXX"
  local buffer = ffi.new("char[?]", #template + 1, template)
  local path = ffi.C.mkdtemp(buffer) ~= nil and ffi.C.realpath(buffer, nil) or nil
  if path == nil then return nil, failure("no folder can be made at %s", template) end
  return ffi.string(ffi.gc(path, ffi.C.free))
end

-- A long-lived helper that ends when this process does, its first line being JSON
-- when `expects_line`.
local function start_helper(options, expects_line)
  options.stdin, options.own_session = true, true
  local child, err = process.spawn(options)
  if not child then return nil, failure("%s", err) end
  if not expects_line then return child end
  local ok, answer = pcall(cjson.decode, child:read_line(HELPER_TIMEOUT) or "")
  if ok then return child, answer end
  child:close()
  return nil, failure("%s %s gave no answer", options.file, options.args[1])
end

local function index_of(self, node)
  for i, other in ipairs(self.nodes) do
    if other == node then return i end
  end
end

-- The seeds of a node: the relays of all the others, or of one of them.
local function seeds_of(self, node, only)
  local seeds = {}
  for i, other in ipairs(self.nodes) do
    if self.relay_ports and (only == nil and other ~= node or other == only) then
      seeds[#seeds + 1] = "127.0.0.1:" .. self.relay_ports[i].listen
    end
  end
  return seeds
end

local function begin(self, node, seeds) return node:start(self.binary, self.secret, seeds, self.storage) end

-- Waits until no other node has a connection to one that is down, in its own opinion. A paused one
-- has none.
local function await_disconnected(self, gone)
  local i = index_of(self, gone)
  local ports = self.relay_ports and self.relay_ports[i]
  for _, node in ipairs(self.nodes) do
    local function is_done()
      return not node.pid or node:is_paused() or not membership.is_peer(node:output(), gone.id, ports)
    end
    if ports and node ~= gone and not loop.wait_until(is_done, NOTICE_TIMEOUT) then
      return nil, failure("%s has not noticed that %s ended", node.id, gone.id)
    end
  end
  return true
end

-- Starts a node again that was halted.
local function begin_again(self, node)
  local ok, err = await_disconnected(self, node)
  if not ok then return nil, err end
  return begin(self, node, seeds_of(self, node))
end

-- One node after the other joins the first; then those that joined before the
-- last one are restarted, so that they learn of it.
local function join(self)
  local nodes = self.nodes
  local first = nodes[1]
  -- Its own address as its seed: it finds nobody there and makes itself master.
  local ok, err = begin(self, first, seeds_of(self, first, first))
  if not ok then return nil, err end
  if not loop.wait_until(function() return first:output():find("promoted", 1, true) end, MASTER_TIMEOUT) then
    return nil, failure("%s did not become master", first.id)
  end
  for i = 2, #nodes do
    ok, err = begin(self, nodes[i], seeds_of(self, nodes[i], first))
    if ok then ok, err = membership.await_owners({ first, nodes[i] }, self.token, i) end
    if not ok then return nil, err end
  end
  for i = 2, #nodes - 1 do
    nodes[i]:halt "kill"
    ok, err = begin_again(self, nodes[i])
    if not ok then return nil, err end
  end
  return membership.await_owners(nodes, self.token, #nodes)
end

-- One attempt, with new ports and empty folders.
local function form(self, count)
  self.nodes = {}
  local ports = { { target = 0 } }
  if count > 1 then
    local args = { "relay", tostring(count) }
    if self.heartbeats then table.insert(args, 2, "--heartbeats") end
    local helper, answer = start_helper({ file = process.wingman_path(), args = args }, true)
    if not helper then return nil, answer end
    self.relay, ports = helper, answer.ports
    self.relay_ports = ports
  end
  for i = 1, count do
    local id = "node-" .. i
    local folder = ("%s/%s-%s"):format(self.folder, id, uuid.letters(6))
    local ok, err = run("mkdir", folder)
    if not ok then return nil, err end
    self.nodes[i] = node_module.new(id, folder, ports[i].target)
  end
  if count == 1 then return begin(self, self.nodes[1], {}) end
  return join(self)
end

local function end_attempt(self)
  for _, node in ipairs(self.nodes) do node:halt "kill" end
  if self.relay then self.relay:close() end
  self.relay = nil
end

--- Starts a cluster and waits until every node knows all of it: about 5 s for
--- three nodes.
---@param options wingman.topgun.options|nil  nodes (3), storage ("redb" or "null")
---@return wingman.topgun.cluster|nil, wingman.error|nil
function M.start(options)
  options = check_options(M.options, options == nil and {} or options, "topgun.start", 2)
  local source, err = binary_module.find()
  if not source then return nil, err end
  local folder, folder_err = make_folder()
  if not folder then return nil, folder_err end
  local secret = uuid.letters(32)
  local expires = math.floor(core.wall_ms() / 1000) + TOKEN_LIFE
  local self = setmetatable({
    kind = "topgun", dialect = "v2", hash = "fnv1a", urls = {}, nodes = {}, folder = folder, secret = secret,
    storage = options.storage,
    token = core.jwt_sign(cjson.encode { sub = "wingman", exp = expires }, secret),
    binary = folder .. "/topgun-server", heartbeats = options.heartbeats,
  }, methods)
  self.janitor, err = start_helper { file = "sh", args = { "-c", JANITOR, "topgun-janitor", folder } }
  local ok = self.janitor and true
  -- The package ships the file without its execute bit, perhaps in a place that
  -- is not ours to change.
  if ok then ok, err = run("install", "-m", "755", source, self.binary) end
  for _ = 1, ok and TRIES or 0 do
    ok, err = form(self, options.nodes)
    if ok then break end
    end_attempt(self)
  end
  if not ok then
    self:stop()
    return nil, err
  end
  for i, node in ipairs(self.nodes) do self.urls[i] = node.url end
  return self
end

local function node_of(self, id)
  for _, node in ipairs(self.nodes) do
    if node.id == id then return node end
  end
  return nil, failure("there is no node '%s'", tostring(id))
end

local function running(self, id)
  local node, err = node_of(self, id)
  if not node then return nil, err end
  if not node.pid then return nil, failure("%s does not run", id) end
  return node
end

-- A method that gives a running node an order.
local function order(act)
  return function(self, id)
    local node, err = running(self, id)
    if not node then return nil, err end
    act(node)
    return true
  end
end

--- Kills a node (SIGKILL). Server 2.2.0 has a database file and does not read it:
--- after a restart neither queries nor trees show what the node held.
---@type fun(self: wingman.topgun.cluster, id: string): true|nil, wingman.error|nil
methods.kill = order(function(node) node:halt "kill" end)
--- Shuts a node down gracefully (SIGTERM); its records are lost, as after `kill`.
---@type fun(self: wingman.topgun.cluster, id: string): true|nil, wingman.error|nil
methods.stop_node = order(function(node) node:halt "term" end)
--- Pauses a node (SIGSTOP): connections stay open; after the return nothing is read or answered.
---@param id string
---@return true|nil, wingman.error|nil
function methods:pause(id)
  local node, err = running(self, id)
  if not node then return nil, err end
  if not node:pause() then return nil, failure("%s does not stand still", id) end
  return true
end
--- Resumes a paused node (SIGCONT): it handles what has arrived meanwhile.
---@type fun(self: wingman.topgun.cluster, id: string): true|nil, wingman.error|nil
methods.resume = order(function(node) node:signal "continue" end)

--- Restarts a node that is down, at its old URL, when the others have noticed that it ended. Returns
--- when its port is open; the other nodes notice it a little later.
---@param id string
---@return true|nil, wingman.error|nil
function methods:restart(id)
  local node, err = node_of(self, id)
  if not node then return nil, err end
  if node.pid then return nil, failure("%s runs already", id) end
  return begin_again(self, node)
end

--- Kills all nodes at once, as a crash of the machine would.
function methods:kill_process()
  for _, node in ipairs(self.nodes) do node:signal "kill" end
  end_attempt(self)
end

--- Stops the cluster and removes its folder. May be called twice.
function methods:stop()
  if not self.folder then return end
  end_attempt(self)
  if self.janitor then
    self.janitor:close_stdin()
    self.janitor:wait(HELPER_TIMEOUT)
    self.janitor:close()
  end
  self.folder, self.janitor = nil, nil
end

return M
