--- Nodes that the partition map names and nobody has shown.
local script_traceback = require "wingman.script_traceback"
local M = {}

local function log(self, level, event, fields) self.options.log_to(level, event, fields) end

--- Whether a node with this URL is there already.
---@param self wingman.cluster_provider
---@param url string
function M.is_known_url(self, url)
  for _, node in ipairs(self.links.nodes) do
    if node.url == url then return true end
  end
  return false
end

--- Whether each seed has shown which node it is, or that it cannot be reached.
---@param self wingman.cluster_provider
function M.seeds_settled(self)
  for _, node in ipairs(self.links.nodes) do
    if not node.settled then return false end
    local ready = self.links.lanes[node.lanes[1]].state == "ready"
    if ready and not node.id and not node.unidentified then return false end
  end
  return true
end

--- Advertised addresses are tried for nodes that no connection has shown, or that are
--- away from where they were, once the seeds have had their say; a connection that works
--- is never closed for one.
---@param self wingman.cluster_provider
function M.connect_unseen(self)
  if not self.map or not M.seeds_settled(self) then return end
  local shown = {}
  for _, node in ipairs(self.links.nodes) do
    if node.id and not self.links:is_away(node) then shown[node.id] = true end
  end
  for _, listed in ipairs(self.map.nodes) do
    if not shown[listed.id] then
      local ok, url = xpcall(function() return self.endpoint(listed.id, listed.endpoint, self.seeds) end, script_traceback.of)
      if not ok then
        log(self, "error", "endpoint_policy", { node = listed.id, error = url })
      elseif url and not M.is_known_url(self, url) then
        local node, err = self.links:add(url, false)
        if node then self.links:connect(node)
        else log(self, "warn", "endpoint_invalid", { node = listed.id, error = err }) end
      end
    end
  end
end

return M
