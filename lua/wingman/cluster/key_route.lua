--- Which node a key's operations go to, as one call into the core: hash, partition
--- and route. Through the FFI where there is one, because LuaJIT compiles that.
local M = {}

local C = require "wingman.cluster.client_ffi"

--- A function from a key to the index of the node that it is routed to, -1 while it
--- is held. Only for as long as the core client is open.
---@param core userdata  wingman.core.client
---@return fun(key: string): integer
function M.new(core)
  if not C then return function(key) return core:node_of_key(key) end end
  local client = require("ffi").cast("const wm_client *", core:pointer())
  local index_of_key = C.wm_client_node_of_key
  return function(key) return index_of_key(client, key, #key) end
end

return M
