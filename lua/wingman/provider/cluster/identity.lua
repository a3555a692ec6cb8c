--- What a connection is good for: which node answers there, of which family, and how
--- the cluster hashes keys.
local hash_probe = require "wingman.hash_probe"
local loop = require "wingman.loop"
local merkle_walk = require "wingman.merkle_walk"

local M = {}

--- Tries to learn a node's id; then the connection is given up.
local IDENTIFY_TRIES = 3

local function log(self, level, event, fields) self.options.log_to(level, event, fields) end

local function set_hash(self, kind, how)
  self.hash_kind, self.hash_how = kind, how
  self.core:set_hash(kind)
  log(self, "info", "hash_found", { hash = kind, how = how })
end

--- Finds the hash in the background, once at a time.
---@param self wingman.cluster_provider
function M.find_hash(self)
  if self.hash_kind or self.finding_hash or not self.map then return end
  local node
  for _, candidate in pairs(self:nodes_by_id()) do node = candidate end
  if not node then return end
  self.finding_hash = true
  loop.spawn(function()
    local kind, how = hash_probe.find {
      core = self.core, replies = self.replies, lane = node.lanes[1], node_id = node.id, map = self.map,
      client_id = self.options.node_id, maps = self.map_names(), probe_map = self.options.probe_map,
    }
    self.finding_hash = nil
    if self.closed then return end
    if kind then
      set_hash(self, kind, how)
      return self:recompute()
    end
    self.hash_problem = how
    log(self, "warn", "hash_unknown", { reason = how, node = node.id })
    self.hash_timer = loop.timer(1, function() self:find_hash() end)
  end)
end

local function note_dialect(self, node)
  node.dialect = self.core:lane_info(node.lanes[1]).dialect
  if node.dialect == "v2" and not self.hash_kind then set_hash(self, "fnv1a", "every v2 server uses it") end
end

-- A second way to a node that is connected already adds nothing.
local function is_duplicate(self, node, id)
  for _, other in ipairs(self.links.nodes) do
    if other ~= node and other.id == id and other.usable then return other end
  end
end

local function identified(self, link, id)
  local node = link.node
  if node.usable and node.id ~= id then
    log(self, "warn", "node_id_differs", { url = node.url, ids = { node.id, id } })
    self.core:disconnect(link.lane, 1000)
    return
  end
  local twin = is_duplicate(self, node, id)
  if twin then
    log(self, "info", "same_node_twice", { node = id, urls = { twin.url, node.url } })
    node.twin_of = twin
    self.links:disconnect(node)
    return self:recompute()
  end
  node.id, node.usable = id, true
  self.core:set_node_id(node.slot, id)
  self.core:use_lane(link.lane)
  link.usable = true
  note_dialect(self, node)
  self.circuits:connected(node)
  self:recompute()
  self.events:emit("node_connected", { id = id, url = node.url, dialect = node.dialect })
end

--- Asks the server at the other end for its node id: the answer to SYNC_INIT
--- carries it. Never guessed from a URL. Waits.
---@param self wingman.cluster_provider
---@param link wingman.link_lane
function M.identify(self, link)
  for _ = 1, IDENTIFY_TRIES do
    local root = merkle_walk.root(self.replies, link.lane, self.map_names()[1] or self.options.probe_map)
    if self.closed or link.state ~= "ready" then return end
    local id = root and type(root.timestamp) == "table" and root.timestamp.nodeId
    if type(id) == "string" and id ~= "" then return identified(self, link, id) end
  end
  log(self, "warn", "node_id_unknown", { url = link.node.url })
  link.node.unidentified = true
  self:update_state()
end

return M
