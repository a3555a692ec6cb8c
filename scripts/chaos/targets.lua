--- What schedules run on: a simulated cluster for each, or one real cluster for all,
--- with proxies in front of its nodes.
local embedded_cluster = require "wingman.testbed"
local faults = require "chaos.faults"
local loop = require "wingman.loop"
local node_report = require "wingman.client.node_report"
local proxy = require "chaos.proxy"

local M = {}

--- Rounds of a schedule, and how much longer everything takes than on the simulated
--- cluster: real nodes need seconds to notice each other's absence.
local SIMULATED = { rounds = 5, stretch = 1, rest = 0.012 }
local REAL = { rounds = 5, stretch = 3, rest = 0.1 }
--- Seconds for a real cluster to be whole after a schedule; then a new one is started.
local WHOLE_TIMEOUT = 2

---@class chaos.target
---@field url string
---@field cluster table
---@field urls string[]  where clients connect
---@field proxies table<string, chaos.proxy>|nil
---@field catalog chaos.fault[]
---@field rounds integer
---@field stretch number
---@field rest number  of the clients
---@field release fun()

--- A cluster that is there already, without proxies.
---@param url string
---@param cluster table
---@return chaos.target
function M.of(url, cluster)
  local pace = cluster.kind == "sim" and SIMULATED or REAL
  return {
    url = url, cluster = cluster, urls = cluster.urls, catalog = faults.simulated, rounds = pace.rounds,
    stretch = pace.stretch, rest = pace.rest, release = function() cluster:stop() end,
  }
end

--- A simulated cluster.
---@param url string
---@return chaos.target|nil, wingman.error|nil
function M.simulated(url)
  local cluster, err = embedded_cluster.start(url)
  if not cluster then return nil, err end
  return M.of(url, cluster)
end

--- Whether every node of a cluster knows all of it.
---@param cluster table
---@param timeout number  seconds
---@return boolean
function M.is_whole(cluster, timeout)
  local function knows_all(node)
    local owners = 0
    local answer = node_report.ask(node.url, { token = cluster.token })
    for _, member in ipairs(answer and answer.nodes or {}) do
      if member.partitions > 0 then owners = owners + 1 end
    end
    return owners == #cluster.nodes
  end
  local deadline = loop.now() + timeout
  for _, node in ipairs(cluster.nodes) do
    while not knows_all(node) do
      if loop.now() > deadline then return false end
      loop.sleep(0.2)
    end
  end
  return true
end

---@class chaos.real_target
---@field package url string
---@field package target chaos.target|nil
local real = {}
real.__index = real

--- Real clusters, one at a time, started when one is needed.
---@param url string
function M.real(url) return setmetatable({ url = url }, real) end

local function start(self)
  local cluster, err = embedded_cluster.start(self.url)
  if not cluster then return nil, err end
  local proxies, urls = {}, {}
  for i, node in ipairs(cluster.nodes) do
    proxies[node.id] = assert(proxy.start(node.url))
    urls[i] = proxies[node.id].url
  end
  self.target = {
    url = self.url, cluster = cluster, urls = urls, proxies = proxies, catalog = faults.real, rounds = REAL.rounds,
    stretch = REAL.stretch, rest = REAL.rest, release = function() end,
  }
  return self.target
end

--- A cluster that is whole.
---@return chaos.target|nil, wingman.error|nil
function real:acquire()
  if self.target and M.is_whole(self.target.cluster, WHOLE_TIMEOUT) then return self.target end
  self:stop()
  return start(self)
end

--- Ends the cluster. Safe twice.
function real:stop()
  local target = self.target
  self.target = nil
  if not target then return end
  for _, p in pairs(target.proxies) do p:close() end
  target.cluster:stop()
end

return M
