--- The route table of a cluster's provider, filled by the routing policy.
local identity = require "wingman.cluster.provider.identity"
local script_traceback = require "wingman.base.script_traceback"

local M = {}

-- Loops over all partitions, run when a map comes or a node does: to compile them anew for each client
-- would take a tick longer than to run them.
if jit then jit.off(true, true) end

local function make_view(self)
  local usable = self:nodes_by_id()
  for id, node in pairs(usable) do
    if not self.circuits:is_closed(node) or not identity.hashes_alike(self, id) then usable[id] = nil end
  end
  local ids = {}
  for id in pairs(usable) do ids[#ids + 1] = id end
  table.sort(ids)
  return {
    usable = function(_, id) return usable[id] ~= nil end,
    nodes = function() return ids end,
  }, usable
end

-- The slot of every partition by the policy; nil and the error when it fails.
local function ask_policy(self, view, usable)
  local slots = {}
  local map = self.map
  local partition = {}
  for p = 0, map.partition_count - 1 do
    partition.id, partition.owner, partition.backups = p, map.owners[p + 1] or nil, map.backups[p + 1]
    local id = self.routing(partition, view)
    if id ~= nil and (type(id) ~= "string" or not usable[id]) then
      error(("routing policy: '%s' for partition %d is no node that can be used"):format(tostring(id), p), 0)
    end
    slots[p] = id and usable[id].slot or -1
  end
  return slots
end

local function route_everything_to(self, slot)
  for p = 0, self.core:partition_count() - 1 do self.core:set_route(p, slot) end
  self.routed = slot >= 0 and self.core:partition_count() or 0
end

local function note_routes(self)
  local serving = {}
  for _, node in ipairs(self.connections.nodes) do
    if node.usable and self.circuits:is_closed(node) then serving[node.slot] = true end
  end
  self.failovers:routes_changed(serving)
end

--- Fills the route table anew: after every change of the map, of a node's
--- health, or of what is known about the cluster.
---@param self wingman.cluster_provider
function M.recompute(self)
  if self.closed then return end
  if self.core:choose_map() then self.map = self.core:partition_map() end
  if self.map then
    self.mapless = nil
    self:find_hash()
    if not self.hash_kind then
      route_everything_to(self, -1)
    else
      local view, usable = make_view(self)
      local ok, slots = xpcall(function() return ask_policy(self, view, usable) end, script_traceback.of)
      if ok then
        self.routed = 0
        for p, slot in pairs(slots) do
          self.core:set_route(p, slot)
          if slot >= 0 then self.routed = self.routed + 1 end
        end
      else
        self.options.log_to("error", "routing_policy", { error = slots })
      end
    end
  elseif self.mapless then
    route_everything_to(self, self.mapless.usable and self.mapless.slot or -1)
  end
  self.core:flush()
  note_routes(self)
  self:update_state()
end

return M
