--- The simulated cluster: starts `wingman sim` as a process and gives it orders. Every method waits for
--- the answer, and returns nil, err when none comes or the order is refused. Calls of several tasks run
--- one after the other.
local check_options = require("wingman.options.check").check
local cjson = require "cjson"
local core = require "wingman.core"
local errors = require "wingman.base.error"
local loop = require "wingman.loop"
local process = require "wingman.loop.process"
local sim_options = require "wingman.testbed.sim_options"
local wire_name = require "wingman.base.wire_name"

local char, concat = string.char, table.concat

local M = {}

--- Seconds until the process has opened its ports, and to answer an order.
local START_TIMEOUT = 30
local ANSWER_TIMEOUT = 30
local STOP_TIMEOUT = 5

--- What `start`, and a URL as sim://3?seed=2, takes.
M.options = sim_options.RULES

---@class wingman.sim.node
---@field id string  "node-1" and so on
---@field url string  where clients connect; the same after a restart

---@class wingman.sim.record
---@field value any     decoded; core.null for a tombstone
---@field millis integer  when it was written, with the counter
---@field counter integer  orders writes of one millisecond
---@field node string  its writer; on v2 the node that stamped it
---@field tombstone boolean|nil  the key was removed

---@class wingman.sim.cluster
---@field kind "sim"  tells it from clusters of topgun://
---@field dialect "v2"|"0.11"  the server family that it imitates
---@field release "0.11"|"2.2.0"|"head"  the release that it imitates
---@field hash "fnv1a"|"xxh64"|"mixed"  the nodes' hash of keys
---@field urls string[]  of the nodes, in their order
---@field token string   one that the cluster accepts
---@field secret string  for other tokens
---@field nodes wingman.sim.node[]  by their numbers
---@field package process table|nil  nil once it has ended
---@field package busy wingman.future|nil  settled when the order under way is answered
local methods = {}
methods.__index = methods

local function failure(format, ...) return errors.new("CLUSTER", "sim: " .. format:format(...)) end

local function arguments(options)
  local args = { "sim", "--control" }
  for name, value in pairs(options) do
    if value ~= false then args[#args + 1] = "--" .. name:gsub("_", "-") end
    if type(value) ~= "boolean" then
      args[#args + 1] = type(value) == "table" and concat(value, ",")
        or type(value) == "number" and ("%.17g"):format(value) or value
    end
  end
  return args
end

--- Starts a cluster and waits until it accepts connections.
---@param options wingman.sim.options|nil  nodes (3), dialect ("v2"), release ("2.2.0"), hash ("fnv1a"; "xxh64,fnv1a,…": of each node), secret,
---  ports (a list), partitions (271), rate, event_queue (v2: 256), seed (1), detection_ms (50),
---  spread_ms (0.11: 150, within which the nodes update their partition maps), no_auth,
---  sink (nothing is stored, for measuring generators)
---@return wingman.sim.cluster|nil, wingman.error|nil
function M.start(options)
  local checked = check_options(M.options, options == nil and {} or options, "sim.start", 2)
  local completed, name, wrong = sim_options.complete(checked)
  if not completed then return nil, failure("option %s: %s", name, wrong) end
  local args = arguments(checked)
  local child, err = process.spawn { file = process.wingman_path(), args = args, stdin = true, own_session = true }
  if not child then return nil, failure("cannot be started: %s", tostring(err)) end
  local line
  line, err = child:read_line(START_TIMEOUT)
  local ok, ready = pcall(cjson.decode, line or "")
  if not ok or ready.event ~= "ready" then
    child:kill "SIGKILL"
    child:wait(STOP_TIMEOUT)
    child:close()
    return nil, failure("did not become ready (%s); see its standard error", line and wire_name.shown(line) or tostring(err))
  end
  local urls = {}
  for i, node in ipairs(ready.nodes) do urls[i] = node.url end
  return setmetatable({
    kind = "sim",
    dialect = ready.dialect,
    release = ready.release,
    hash = ready.hash,
    urls = urls,
    token = ready.token,
    secret = ready.secret,
    nodes = ready.nodes,
    process = child,
  }, methods)
end

local function discard(self)
  local child = self.process
  self.process = nil
  if not child then return end
  child:kill "SIGKILL"
  child:wait(STOP_TIMEOUT)
  child:close()
end

--- One order and its answer. An answer that does not come ends the process: the
--- next one would be taken for it.
local function ask(self, text)
  local child = self.process
  if not child then return nil, failure("is not running") end
  local written, err = child:write(text .. "\n")
  local line
  if written then line, err = child:read_line(ANSWER_TIMEOUT) end
  if not line then
    discard(self)
    return nil, failure("no answer to %s: %s", wire_name.shown(text), tostring(err))
  end
  local ok, answer = pcall(cjson.decode, line)
  if not ok then
    discard(self)
    return nil, failure("the answer to %s is no JSON", wire_name.shown(text))
  end
  if not answer.ok then return nil, failure("%s", answer.error) end
  return answer
end

--- Sends a command of `wingman sim --control`.
---@param text string
---@return table|nil answer, wingman.error|nil
function methods:command(text)
  if type(text) ~= "string" or text:find "\n" then error("command: one line of text is expected", 2) end
  -- In a task of its own: who waits may be ended (Ctrl-C at a prompt), the answer still
  -- has to be read, or the next order would take it for its own.
  return loop.spawn(function()
    while self.busy do self.busy:wait() end
    local busy = loop.future()
    self.busy = busy
    local answer, err = ask(self, text)
    self.busy = nil
    busy:resolve()
    return answer, err
  end):wait()
end

local function order(name)
  return function(self, id)
    local answer, err = self:command(name .. " " .. id)
    return answer and true, err
  end
end

--- Kills a node: its connections are reset, its records are lost (head keeps them).
---@type fun(self: wingman.sim.cluster, id: string): true|nil, wingman.error|nil
methods.kill = order "kill"
--- Shuts a node down gracefully; its records are lost, as after `kill` (head keeps them).
---@type fun(self: wingman.sim.cluster, id: string): true|nil, wingman.error|nil
methods.stop_node = order "stop"
--- Restarts a node that is down, at its old URL.
---@type fun(self: wingman.sim.cluster, id: string): true|nil, wingman.error|nil
methods.restart = order "restart"
--- Pauses a node, as SIGSTOP does: connections stay open, nothing is read or answered.
---@type fun(self: wingman.sim.cluster, id: string): true|nil, wingman.error|nil
methods.pause = order "pause"
--- Resumes a paused node, as SIGCONT does: it handles what has arrived meanwhile.
---@type fun(self: wingman.sim.cluster, id: string): true|nil, wingman.error|nil
methods.resume = order "resume"

--- Orders a fault; docs/simulated-clusters.md lists them.
---@param id string  a node's id, or "all"
---@param name string
---@param ... string|number|boolean  its arguments; true and false stand for 1 and 0
---@return true|nil, wingman.error|nil
function methods:fault(id, name, ...)
  local words = { "fault", id, name }
  for i = 1, select("#", ...) do
    local argument = select(i, ...)
    if type(argument) == "boolean" then argument = argument and 1 or 0 end
    words[#words + 1] = tostring(argument)
  end
  local answer, err = self:command(concat(words, " "))
  return answer and true, err
end

--- Makes a node the owner of a partition, until it leaves the cluster.
---@param partition integer
---@param id string
---@return true|nil, wingman.error|nil
function methods:move(partition, id)
  local answer, err = self:command(("move %d %s"):format(partition, id))
  return answer and true, err
end

local function unhex(text)
  return (text:gsub("%x%x", function(pair) return char(tonumber(pair, 16)) end))
end

--- Has a node end the connections that would have been silent for too long `ms` from now: without PING, or (head)
--- without AUTH. 2.2.0 ends none.
---@param id string
---@param ms integer
---@return true|nil, wingman.error|nil
function methods:idle(id, ms)
  local answer, err = self:command(("idle %s %d"):format(id, ms))
  return answer and true, err
end

--- The garbage collection of a 0.11 node: it forgets tombstones that are older than `millis`, and sends GC_PRUNE to
--- its clients. A v2 node keeps no tombstones: nil, err.
---@param id string
---@param millis integer  Unix time
---@return true|nil, wingman.error|nil
function methods:prune(id, millis)
  local answer, err = self:command(("prune %s %d"):format(id, millis))
  return answer and true, err
end

--- The records of a map that the nodes store.
---@param map string
---@param id string|nil  one node; nil: all
---@return table<string, table<string, wingman.sim.record>>|nil nodes, wingman.error|nil
function methods:dump(map, id)
  local answer, err = self:command("dump " .. map .. (id and " " .. id or ""))
  if not answer then return nil, err end
  for _, records in pairs(answer.nodes) do
    for _, record in pairs(records) do
      record.value = core.decode(unhex(record.value_hex))
      record.value_hex = nil
    end
  end
  return answer.nodes
end

--- The number of records of a map that each node stores, without tombstones.
---@param map string
---@return table<string, integer>|nil nodes, wingman.error|nil
function methods:counts(map)
  local answer, err = self:command("counts " .. map)
  return answer and answer.nodes, err
end

--- The counters of each node: opened, open, auths, map_requests, map_request_list,
--- op_batches, batch_sizes, ops, client_ops, foreign_ops, acks, pings, overloads (batches that were refused
--- because the node was full), events_dropped, sync_inits, bucket_requests.
---@return table<string, table>|nil nodes, wingman.error|nil
function methods:stats()
  local answer, err = self:command "stats"
  return answer and answer.nodes, err
end

--- The open connections of a node: their numbers, for the faults that end one (`close`, `reset`, `drop`), and how many
--- messages of each type the client has sent on them.
---@param id string
---@return { number: integer, carried: table<string, integer> }[]|nil, wingman.error|nil
function methods:connections(id)
  local answer, err = self:command("connections " .. id)
  return answer and answer.connections, err
end

--- The operations that a node has received, in the order of their arrival: `total`, and the `ids` and
--- `keys` of the last 100,000.
---@param id string
---@return {total: integer, ids: string[], keys: string[]}|nil, wingman.error|nil
function methods:received(id) return self:command("received " .. id) end

--- The last 100,000 operations that a node has received, in the order of their arrival. `session`: the
--- number of the connection; `foreign`: the partition belonged to another node; `refused`: the node
--- answered the batch with an error.
---@param id string
---@return {key: string, millis: integer, counter: integer, writer: string, session: integer, foreign: boolean, refused: boolean}[]|nil
---@return wingman.error|nil
function methods:arrivals(id)
  local answer, err = self:command("arrivals " .. id)
  if not answer then return nil, err end
  local arrivals = answer.arrivals
  for i, a in ipairs(arrivals) do
    arrivals[i] = { key = a[1], millis = a[2], counter = a[3], writer = a[4], session = a[5], foreign = a[6], refused = a[7] }
  end
  return arrivals
end

--- Clears the counters of stats, and the lists of received and arrivals.
---@return true|nil, wingman.error|nil
function methods:reset_stats()
  local answer, err = self:command "reset-stats"
  return answer and true, err
end

--- Kills all nodes at once, as a crash of the machine would.
function methods:kill_process() discard(self) end

--- Stops the cluster. May be called twice.
function methods:stop()
  if not self.process then return end
  self:command "quit"
  if self.process then self.process:wait(STOP_TIMEOUT) end
  discard(self)
end

return M
