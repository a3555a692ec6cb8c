--- The identity of a connection's node: its id, its server family, and how
--- the cluster hashes keys.
local errors = require "wingman.base.error"
local hash_probe = require "wingman.cluster.hash_probe"
local loop = require "wingman.loop"
local merkle_walk = require "wingman.cluster.merkle_walk"

local M = {}

--- Tries to learn a node's id; then the connection is given up.
local IDENTIFY_TRIES = 3

local function log(self, level, event, fields) self.options.log_to(level, event, fields) end

-- Hashes --------------------------------------------------------------------------------
-- The nodes of a 0.11 cluster may hash keys differently: each uses XXH64 when it could load a
-- native module, and FNV-1a when not. So every node is asked, what belongs to a node waits
-- until it has been, and when two differ nothing is sent at all: whatever hash the client
-- used, a part of the writes would be acknowledged and dropped.

local function owns_partitions(map, id)
  for _, owner in ipairs(map.owners) do
    if owner == id then return true end
  end
  return false
end

if jit then jit.off(owns_partitions) end

-- The nodes of the map by their hash, as far as it is known: { fnv1a = { ids }, xxh64 = ... }.
local function nodes_by_hash(self)
  local by_hash = {}
  for _, node in ipairs(self.map and self.map.nodes or {}) do
    local kind = self.hashes[node.id]
    if kind then
      by_hash[kind] = by_hash[kind] or {}
      table.insert(by_hash[kind], node.id)
    end
  end
  return by_hash
end

local function difference(by_hash)
  local parts = {}
  for kind, ids in pairs(by_hash) do
    table.sort(ids)
    parts[#parts + 1] = ("%s on %s"):format(kind, table.concat(ids, ", "))
  end
  table.sort(parts)
  return errors.new("HASHES_DIFFER", ("the nodes hash keys differently (%s), so that the cluster would acknowledge and drop a part of the writes: give all of them the same, or set the option hash to that of most")
    :format(table.concat(parts, "; ")), { nodes = by_hash })
end

local function set_hash(self, kind, how)
  self.hash_kind, self.hash_how = kind, how
  local ok, reason = self.core:set_hash(kind)
  if not ok then log(self, "warn", "routes_wait", { reason = reason }) end -- the core tries again
  log(self, "info", "hash_found", { hash = kind, how = how })
end

-- Draws the conclusion from what the nodes have shown. A difference is reported once all have
-- answered, so that the error names them all.
local function conclude(self, how)
  local by_hash = nodes_by_hash(self)
  local first = next(by_hash)
  local was_in_conflict = self.hash_conflict ~= nil
  if first and next(by_hash, first) then
    if next(self.asking_hash) then return end
    self.hash_kind, self.hash_how, self.hash_conflict = nil, nil, difference(by_hash)
  else
    self.hash_conflict = nil
    if first and first ~= self.hash_kind then set_hash(self, first, how) end
  end
  if self.hash_conflict or was_in_conflict then self.events:emit("hash_conflict", self.hash_conflict) end
  self:recompute()
end

local function ask_hash(self, node)
  local id = node.id
  self.asking_hash[id] = true
  loop.spawn(function()
    local kind, how = hash_probe.find {
      core = self.core, requests = self.requests, connection_id = node.connection_ids[1], node_id = id, map = self.map,
      client_id = self.options.client_id, maps = self.map_names(), probe_map = self.options.probe_map,
    }
    self.asking_hash[id] = nil
    if self.closed then return end
    if kind then
      self.hashes[id], self.hash_is_old[id] = kind, nil
      return conclude(self, how)
    end
    if not self.hashes[id] then
      self.hash_problem = how
      log(self, "warn", "hash_unknown", { reason = how, node = id })
    end
    conclude(self, self.hash_how)
    self.hash_timer = self.hash_timer or loop.timer(1, function()
      self.hash_timer = nil
      self:find_hash()
    end)
  end)
end

local function agree(self)
  local by_hash = nodes_by_hash(self)
  return next(by_hash, (next(by_hash))) == nil
end

--- Asks the nodes whose hash is not known, or may have changed since, in the background.
---@param self wingman.cluster_provider
function M.find_hash(self)
  if self.closed or self.options.hash ~= "auto" or not self.map then return end
  if self.hash_conflict and agree(self) then return conclude(self, "by the nodes that are left") end
  for id, node in pairs(self:nodes_by_id()) do
    local is_open = not self.hashes[id] or self.hash_is_old[id]
    if is_open and not self.asking_hash[id] and owns_partitions(self.map, id) then ask_hash(self, node) end
  end
end

--- Whether a node is known to hash as this client does, or need not be.
---@param self wingman.cluster_provider
---@param id string
function M.hashes_alike(self, id) return self.options.hash ~= "auto" or self.hashes[id] == self.hash_kind end

-- A node has connected, perhaps as a new process.
local function note_dialect(self, node)
  node.dialect = self.core:connection_info(node.connection_ids[1]).dialect
  if self.options.hash ~= "auto" then return end
  if node.dialect ~= "v2" then
    self.hash_is_old[node.id] = true
    return
  end
  self.hashes[node.id] = "fnv1a"
  if not self.hash_kind then set_hash(self, "fnv1a", "every v2 server uses it") end
end

-- A second way to a node that is connected already adds nothing.
local function is_duplicate(self, node, id)
  for _, other in ipairs(self.connections.nodes) do
    if other ~= node and other.id == id and other.usable then return other end
  end
end

local function identified(self, connection, id)
  local node = connection.node
  if node.usable and node.id ~= id then
    log(self, "warn", "node_id_differs", { url = node.url, ids = { node.id, id } })
    self.core:disconnect(connection.id, 1000)
    return
  end
  local twin = is_duplicate(self, node, id)
  if twin then
    log(self, "info", "same_node_twice", { node = id, urls = { twin.url, node.url } })
    node.twin_of = twin
    self.connections:disconnect(node)
    self.listeners:drop(node)
    return self:recompute()
  end
  node.id, node.usable = id, true
  self.core:set_node_id(node.index, id)
  self.core:use_connection(connection.id)
  connection.usable = true
  note_dialect(self, node)
  self.circuits:connected(node)
  self.listeners:node_connected(node)
  self:recompute()
  self.events:emit("node_connected", { id = id, url = node.url, dialect = node.dialect })
end

--- Asks the server at the other end for its node id: the answer to SYNC_INIT
--- carries it. Never guessed from a URL. Waits.
---@param self wingman.cluster_provider
---@param connection wingman.connection
function M.identify(self, connection)
  for _ = 1, IDENTIFY_TRIES do
    local id = merkle_walk.node_id(self.requests, connection.id, self:root_map(connection.id))
    if self.closed or connection.state ~= "ready" then return end
    if id then return identified(self, connection, id) end
  end
  log(self, "warn", "node_id_unknown", { url = connection.node.url })
  connection.node.unidentified = true
  self:update_state()
end

return M
