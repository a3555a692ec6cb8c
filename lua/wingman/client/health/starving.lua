--- Whether the steps of a host are too small for what arrives: when each leaves something, watches get values
--- ever later, and fewer of those in between.
local M = {}

--- Seconds after which that is a warning.
M.PATIENCE = 5

---@class wingman.starving
---@field since number     of loop.now: when a step left something first, and all after it did
---@field bytes integer    received and not read, those that wait in the sockets included
---@field keys integer     of replicas, whose change the watches do not have yet

local function keys_behind(client)
  local keys = 0
  for _, copy in pairs(client.copies) do keys = keys + copy:figures().behind end
  return keys
end

--- At the end of a step. `client.starving` is what it left, nil: nothing.
---@param client wingman.client
---@param now number
---@return boolean is_long  it has been so for PATIENCE
function M.look(client, now)
  local bytes, keys, before = client.core:unread(), keys_behind(client), client.starving
  if bytes == 0 and keys == 0 then
    client.starving = nil
    return false
  end
  client.starving = before or { since = now }
  client.starving.bytes, client.starving.keys = bytes, keys
  return now - client.starving.since >= M.PATIENCE
end

return M
