--- The policies of a client, from what its options say.
local policies = require "wingman.policy.list"
local routing = require "wingman.policy.routing"

local M = {}

---@param options table  checked options
---@return { routing: function, reconnect: function, endpoint: function, circuit: function }
function M.make(options)
  local made = {}
  for _, kind in ipairs(policies.of_a_file) do made[kind] = assert(policies.policy(kind, options[kind])) end
  if options.routing == "direct" and options.fallback then made.routing = routing.direct_or_any end
  local nodes, resolve = type(options.cluster) == "table" and options.cluster.nodes, made.endpoint
  if nodes then
    made.endpoint = function(id, advertised, seeds) return nodes[id] or resolve(id, advertised, seeds) end
  end
  return made
end

return M
