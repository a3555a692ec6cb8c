--- Asks the routing policy and hands its answers to the core's route table. The policy is asked about the
--- partitions whose owner or backups have changed; about all of them once the nodes that can be used, the
--- policy or the partitions themselves are other ones.
local identity = require "wingman.cluster.provider.identity"
local script_traceback = require "wingman.base.script_traceback"
local sorted = require "wingman.base.sorted"

local M = {}

-- Loops over all partitions, run when a map comes or a node does: to compile them anew for each client
-- would take a tick longer than to run them.
if jit then jit.off(true, true) end

--- What the present routes were made from: by the policy, or as long as it is not asked, one node index for all.
---@class wingman.answered_inputs
---@field policy function|nil
---@field map table|nil  the partition map
---@field usable table<string, integer>|nil  node index of each node that could be used, by its id
---@field everything_at integer|nil

-- The index of each node that can be used, by its id.
local function usable_nodes(self)
  local usable = {}
  for id, node in pairs(self:nodes_by_id()) do
    if self.circuits:is_closed(node) and identity.hashes_alike(self, id) then usable[id] = node.index end
  end
  return usable
end

local function make_view(usable)
  local ids = sorted.keys(usable)
  return {
    usable = function(_, id) return usable[id] ~= nil end,
    nodes = function() return ids end,
  }
end

local function are_same_nodes(a, b)
  for id, node_index in pairs(a) do
    if b[id] ~= node_index then return false end
  end
  for id in pairs(b) do
    if not a[id] then return false end
  end
  return true
end

-- Whether answers that were given for the inputs `before` hold for partitions that the map has not changed.
local function are_answers_valid(before, now)
  return before.policy == now.policy and before.map.partition_count == now.map.partition_count and are_same_nodes(before.usable, now.usable)
end

local function is_unchanged(before, map, place)
  if before.owners[place] ~= map.owners[place] then return false end
  local old, new = before.backups[place], map.backups[place]
  if #old ~= #new then return false end
  for i = 1, #new do
    if old[i] ~= new[i] then return false end
  end
  return true
end

-- The node index of every partition that the policy is asked about, -1 to hold it, by partition + 1;
-- nil when it is asked about none. Raises what the policy raises, and for an answer that is no usable node.
---@param now wingman.answered_inputs
---@param before table|nil  the map of the last answers, as far as they hold
local function ask_policy(now, before)
  local map, usable, policy, view = now.map, now.usable, now.policy, make_view(now.usable)
  local partition, routes = {}, nil
  for place = 1, map.partition_count do
    if not before or not is_unchanged(before, map, place) then
      partition.id, partition.owner, partition.backups = place - 1, map.owners[place] or nil, map.backups[place]
      local id = policy(partition, view)
      if id ~= nil and (type(id) ~= "string" or not usable[id]) then
        error(("routing policy: '%s' for partition %d is no node that can be used"):format(tostring(id), place - 1), 0)
      end
      routes = routes or {}
      routes[place] = id and usable[id] or -1
    end
  end
  return routes
end

-- Routes after an error of the policy: a partition keeps its route where the map says of it what it said when the
-- policy last answered. The others are held: their node may no longer be the owner, and a 0.11 node
-- acknowledges what it does not own without keeping it.
---@param map table
---@param decided table|nil  the map that the policy last answered about
local function routes_without_policy(map, decided)
  local routes = {}
  for place = 1, map.partition_count do
    local is_known = decided and decided.partition_count == map.partition_count and is_unchanged(decided, map, place)
    if not is_known then routes[place] = -1 end
  end
  return routes
end

-- The partitions that go elsewhere than before, nil when none does.
local function set_routes(self, routes)
  local moves
  self.routed, moves = self.core:set_routes(routes)
  return moves
end

local function route_everything_to(self, node_index)
  local before = not self.core:are_routes_new() and self.answered or nil
  if before and before.everything_at == node_index then return end
  self.answered = { everything_at = node_index }
  return set_routes(self, node_index)
end

local function route_by_policy(self)
  local before = not self.core:are_routes_new() and self.answered or nil
  local now = { policy = self.routing, map = self.map, usable = usable_nodes(self) }
  local still_valid = before and are_answers_valid(before, now) and before.map or nil
  local ok, routes = xpcall(function() return ask_policy(now, still_valid) end, script_traceback.of)
  self.answered = ok and now or nil
  if ok then
    self.decided = now.map
  else
    self.options.log_to("error", "routing_policy", { error = routes })
    routes = routes_without_policy(now.map, self.decided)
  end
  if routes then return set_routes(self, routes) end
end

-- The nodes that operations may go to, by their index.
local function serving_nodes(self)
  local serving = {}
  for _, node in ipairs(self.connections.nodes) do
    if node.usable and self.circuits:is_closed(node) then serving[node.index] = true end
  end
  return serving
end

-- Returns what set_routes does.
local function update_routes(self)
  if self.map then
    self.mapless = nil
    self:find_hash()
    if not self.hash_kind then return route_everything_to(self, -1) end
    return route_by_policy(self)
  elseif self.mapless then
    return route_everything_to(self, self.mapless.usable and self.mapless.index or -1)
  end
end

--- Brings the route table in line: after every change of the map, of a node's
--- health, or of what is known about the cluster.
---@param self wingman.cluster_provider
---@param is_map_chosen boolean|nil  the core has chosen the map to believe just now
function M.recompute(self, is_map_chosen)
  if self.closed then return end
  if not is_map_chosen and self.core:choose_map() then self.map = self.core:partition_map() end
  local moves = update_routes(self)
  self.core:flush()
  self.failovers:routes_changed(serving_nodes(self), moves)
  self:update_state()
end

return M
