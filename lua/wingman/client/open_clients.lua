--- The clients of this Lua state that are not closed.
local M = {}

local open = {}

---@param client wingman.client
function M.add(client) open[client] = true end

---@param client wingman.client
function M.remove(client) open[client] = nil end

---@return wingman.client[]  ordered by nothing
function M.list()
  local list = {}
  for client in pairs(open) do list[#list + 1] = client end
  return list
end

return M
