--- Whether the nodes of a cluster of the real server know of each other. Asking a node takes
--- a client; clients are made above this folder, and wingman.client.node_report says here
--- how one is asked.
local errors = require "wingman.base.error"
local loop = require "wingman.loop"

local M = {}

--- Seconds for a cluster to notice a change of its members.
local JOIN_TIMEOUT = 12

---@type fun(url: string, options: { token: string }): wingman.node_report|nil
local ask = function() error("topgun: nodes cannot be asked before the module wingman is loaded", 0) end

--- Sets how a node is asked for its partition map.
---@param fn fun(url: string, options: { token: string }): wingman.node_report|nil
function M.ask_with(fn) ask = fn end

local function owners_at(node, token)
  local answer, owners = ask(node.url, { token = token }), 0
  for _, member in ipairs(answer and answer.nodes or {}) do
    if member.partitions > 0 then owners = owners + 1 end
  end
  return owners
end

--- Whether a server is connected to another, by its log: it let the other join, or joined it, and
--- has not handled the end of that connection.
---@param log string  the server's output since it was started
---@param id string   the other node's
---@param ports { listen: integer, target: integer }  where the other node is joined
---@return boolean
function M.is_peer(log, id, ports)
  local is_peer = false
  for line in log:gmatch "[^\n]*cluster::formation: [^\n]+" do
    local port = tonumber(line:match "Join accepted by seed node seed=127%.0%.0%.1:(%d+)")
    if port then
      is_peer = is_peer or port == ports.listen or port == ports.target
    elseif line:match "node_id=(%S+)$" == id then
      if line:find("member added", 1, true) then is_peer = true end
      if line:find("Peer disconnected", 1, true) then is_peer = false end
    end
  end
  return is_peer
end

--- Waits until each of these nodes has a partition map with `count` owners.
---@param nodes table[]  of wingman.testbed.topgun.node
---@param token string  that the nodes take
---@param count integer
---@return true|nil, wingman.error|nil
function M.await_owners(nodes, token, count)
  local deadline = loop.now() + JOIN_TIMEOUT
  for _, node in ipairs(nodes) do
    while true do
      local owners = owners_at(node, token)
      if owners == count then break end
      if loop.now() > deadline then
        return nil, errors.new("CLUSTER", ("topgun: %s sees %d of %d nodes"):format(node.id, owners, count))
      end
      loop.sleep(0.02)
    end
  end
  return true
end

return M
