--- What waits in the op log of a client, and for what.
local M = {}

---@class wingman.backlog
---@field pending integer  operations that are recorded and not acknowledged
---@field held integer     of these, without a route: the node of their partition cannot be used, or is not known
---@field queued integer   of these, with a route, and not sent yet
---@field sent integer     of these, sent, and not acknowledged yet
---@field unverified integer  besides: operations that a 0.11 cluster acknowledged just before its membership changed,
---  and that are sent again a moment later

---@param client wingman.client
---@return wingman.backlog
function M.of(client)
  local pending, _, held = client.core:pending()
  local sent = 0
  local connections = client.provider and client.provider.connections
  for connection_id in pairs(connections and connections.by_id or {}) do
    sent = sent + client.core:connection_info(connection_id).in_flight_ops
  end
  local unverified = client.core:unverified()
  return { pending = pending, held = held, queued = pending - held - sent, sent = sent, unverified = unverified }
end

local words = {
  { "held", "without a node to go to" }, { "queued", "not sent yet" }, { "sent", "sent, without an answer" },
  { "unverified", "acknowledged just before the membership changed, to be sent again" },
}

--- "12 without a node to go to, 3 sent, without an answer".
---@param backlog wingman.backlog
---@return string
function M.text(backlog)
  local parts = {}
  for _, word in ipairs(words) do
    if backlog[word[1]] > 0 then parts[#parts + 1] = ("%d %s"):format(backlog[word[1]], word[2]) end
  end
  return table.concat(parts, ", ")
end

return M
