--- Nodes that the partition map names and for which no endpoint is known.
local loop = require "wingman.loop"
local script_traceback = require "wingman.base.script_traceback"

local M = {}

local function log(self, level, event, fields) self.options.log_to(level, event, fields) end

--- Whether a node with this URL is there already.
---@param self wingman.cluster_provider
---@param url string
function M.is_known_url(self, url) return self.connections.by_url[url] ~= nil end

local function listed_ids(self)
  local ids = {}
  for _, listed in ipairs(self.map.nodes) do ids[listed.id] = true end
  return ids
end

-- Whether nothing was ever reached at a node's advertised address, while the node is connected at another.
local function is_superseded(node, connected) return not node.id and connected[node.listed_as] ~= nil end

-- The nodes of which nothing is connected, and nothing is to be tried any more: they are not in the
-- held map, or are connected elsewhere.
local function superfluous(self)
  local found, listed, connected = {}, listed_ids(self), self:nodes_by_id()
  for _, node in ipairs(self.connections.nodes) do
    local is_wanted = listed[node.id or node.listed_as] and not is_superseded(node, connected)
    if not (node.is_seed or node.usable or is_wanted) then found[#found + 1] = node end
  end
  return found
end

-- Forgets them: a cluster whose nodes change for ever would be remembered whole otherwise.
local function forget_superfluous(self)
  self.forgetting = nil
  if self.closed then return end
  for _, node in ipairs(superfluous(self)) do
    self.listeners:drop(node)
    if self.connections:forget(node) then self.circuits:forget(node) end
  end
end

-- In the next iteration: the listener of this node loss may still use the node.
local function forget_superfluous_soon(self)
  if self.forgetting or not superfluous(self)[1] then return end
  self.forgetting = true
  loop.soon(forget_superfluous, self)
end

local function is_settled(self, node)
  local is_ready = self.connections.by_id[node.connection_ids[1]].state == "ready"
  return node.settled and not (is_ready and not node.id and not node.unidentified)
end

-- Whether each node has shown which one it is, or that it cannot be reached.
local function all_settled(self)
  for _, node in ipairs(self.connections.nodes) do
    if not is_settled(self, node) then return false end
  end
  return true
end

--- Whether each node that the user has named has shown which one it is, or that it cannot be
--- reached.
---@param self wingman.cluster_provider
function M.seeds_settled(self)
  for _, node in ipairs(self.connections.nodes) do
    if node.is_seed and not is_settled(self, node) then return false end
  end
  return true
end

-- Whether a node is asked for its hash for the first time: it gets nothing until it answers.
local function awaits_hash(self)
  if self.hash_problem then return false end
  for id in pairs(self.asking_hash) do
    if not self.hashes[id] then return true end
  end
  return false
end

--- Notes whether discovery has ended: a partition map is known, every known URL, the advertised
--- ones among them, has been tried, and each node that was reached has its routes. Emits
--- `discovered` each time that it ends.
---@param self wingman.cluster_provider
function M.note_end(self)
  local was_over = self.discovery_is_over
  self.discovery_is_over = (self.map or self.mapless) ~= nil and all_settled(self) and not awaits_hash(self)
  if self.discovery_is_over and not was_over then self.events:emit "discovered" end
end

local function connect_listed(self, id, url)
  local node, err = self.connections:add(url, false)
  if not node then return self.log_seldom("warn", "endpoint_invalid", { node = id, error = err }, "endpoint_invalid") end
  node.listed_as = id
  self.connections:connect(node)
end

--- Advertised addresses are tried for nodes that no connection has shown, or that are
--- away from where they were, once the seeds have had their say; a connection that works
--- is never closed for one. Nodes that have left are forgotten, and so are addresses of which
--- nothing ever came, once their nodes are connected elsewhere.
---@param self wingman.cluster_provider
function M.connect_unseen(self)
  if not self.map or not M.seeds_settled(self) then return end
  forget_superfluous_soon(self)
  local shown = {}
  for _, node in ipairs(self.connections.nodes) do
    if node.id and not self.connections:is_away(node) then shown[node.id] = true end
  end
  for _, listed in ipairs(self.map.nodes) do
    if not shown[listed.id] then
      local ok, url = xpcall(function() return self.endpoint(listed.id, listed.endpoint, self.seeds) end, script_traceback.of)
      if not ok then
        log(self, "error", "endpoint_policy", { node = listed.id, error = url })
      elseif url and not M.is_known_url(self, url) then
        connect_listed(self, listed.id, url)
      end
    end
  end
end

return M
