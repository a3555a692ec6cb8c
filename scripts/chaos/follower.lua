--- A client that does nothing but follow the map of a schedule. Once all is quiet, its replica is what the nodes hold.
local compare = require "converge.compare"
local loop = require "wingman.loop"
local truth = require "converge.truth"
local wingman = require "wingman"

local M = {}

--- How often the nodes are read until nothing changes any more, and seconds between two readings.
local READINGS, REST = 20, 0.25

---@class chaos.follower
---@field client wingman.client
---@field package map wingman.map
local methods = {}
methods.__index = methods

--- Begins to follow. The client need not be connected yet.
---@param options table  of wingman.client
---@param map_name string
---@return chaos.follower
function M.start(options, map_name)
  local client = assert(wingman.client(options))
  client:start() -- on a busy machine its time may be over; the client goes on trying
  local map = client:map(map_name)
  map:replicate { on_loss = "keep" }
  return setmetatable({ client = client, map = map }, methods)
end

local function owners_of(client)
  local map = client:partition_map()
  return map and table.concat(map.owners, " ")
end

local function read(cluster, reader, name, is_v2)
  local map = reader:partition_map()
  local holdings = truth.holdings(cluster, reader, name)
  return holdings, truth.shown(holdings, function(key) return map and map.owners[reader:partition_of(key) + 1] end, is_v2)
end

--- Compares the replica once with the nodes, while they did not change.
---@param run { target: chaos.target, reader: wingman.client, arena: chaos.arena, history: chaos.history }
---@param report chaos.report
---@param timeout number  seconds
function methods:check(run, report, timeout)
  local cluster, name, is_v2 = run.target.cluster, self.map.name, run.history.dialect == "v2"
  for _ = 1, READINGS do
    local before, owners = read(cluster, run.reader, name, is_v2), owners_of(run.reader)
    local ok, err = self.map:synced(timeout)
    if not ok then return report:client("replica_late", { client = "the replica" }, "%s", err.message) end
    local after, expected = read(cluster, run.reader, name, is_v2)
    local is_quiet = truth.is_same(before, after) and owners_of(run.reader) == owners and owners_of(self.client) == owners
    if is_quiet then
      local options = { is_real = cluster.kind ~= "sim", may_have_lost = run.arena.losses > 0 }
      for key, how in pairs((compare.run(self.map, expected, options))) do
        report:client("replica_differs", { client = "the replica", key = key }, "%s", how)
      end
      return
    end
    loop.sleep(REST)
  end
  report:client("replica_late", { client = "the replica" }, "the nodes, or the owners that it knows, do not come to rest")
end

--- Ends the client. Safe twice.
function methods:close() self.client:close() end

return M
