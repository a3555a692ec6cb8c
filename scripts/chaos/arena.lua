--- The cluster of a schedule, as the nemesis treats it: what happens to nodes is
--- written into the history, and everything can be undone.
local loop = require "wingman.loop"

local now = loop.now

local M = {}

---@class chaos.arena
---@field cluster table      of wingman.sim or wingman.topgun
---@field history chaos.history
---@field proxies table<string, chaos.proxy>|nil  of real nodes
---@field injected table<string, integer>  faults by name
---@field losses integer     how often a node has lost its memory
---@field package down table<string, boolean>
local methods = {}
methods.__index = methods

---@param cluster table
---@param history chaos.history
---@param proxies table<string, chaos.proxy>|nil
---@return chaos.arena
function M.new(cluster, history, proxies)
  return setmetatable({
    cluster = cluster, history = history, proxies = proxies, injected = {}, losses = 0, down = {}, paused = {}, clients = {},
  }, methods)
end

---@return string[]
function methods:node_ids()
  local ids = {}
  for i, node in ipairs(self.cluster.nodes) do ids[i] = node.id end
  return ids
end

--- Ends a node by "kill" or "stop_node"; false when it is down already.
function methods:halt(id, by)
  if self.down[id] then return false end
  self.down[id] = true
  self.paused[id] = nil
  assert(self.cluster[by](self.cluster, id))
  self.history:node_ended(id, now())
  self.losses = self.losses + 1
  return true
end

--- Whether a node is neither down nor paused.
function methods:is_up(id) return not self.down[id] and not self.paused[id] end

--- Starts a node that is down.
function methods:restart(id)
  if not self.down[id] then return end
  self.history:node_started(id, now())
  assert(self.cluster:restart(id))
  self.down[id] = nil
end

--- As SIGSTOP; false when the node is down or paused.
function methods:pause(id)
  if self.down[id] or self.paused[id] then return false end
  self.paused[id] = true
  assert(self.cluster:pause(id))
  self.history:node_paused(id, now())
  return true
end

function methods:resume(id)
  if not self.paused[id] then return end
  self.paused[id] = nil
  assert(self.cluster:resume(id))
end

--- Orders a fault of the simulated cluster.
function methods:fault(...) assert(self.cluster:fault(...)) end

--- Undoes everything.
function methods:heal()
  for _, id in ipairs(self:node_ids()) do
    self:resume(id)
    self:restart(id)
    if self.proxies then self.proxies[id]:mend() end
  end
  if self.cluster.kind == "sim" then
    self:fault("all", "none")
    assert(self.cluster:command "delta 0")
  end
end

return M
