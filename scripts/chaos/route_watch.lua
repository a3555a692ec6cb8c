--- When a client computes its routes: a map may be held for less than a turn of the loop,
--- and still be what a batch was routed by.
local M = {}

--- Calls `fn()` each time that the client has computed its routes.
---@param client wingman.client  that was started
---@param fn fun()
function M.each(client, fn)
  local provider = client.provider
  local recompute = provider.recompute
  function provider:recompute(is_map_chosen)
    recompute(self, is_map_chosen)
    fn()
  end
end

return M
