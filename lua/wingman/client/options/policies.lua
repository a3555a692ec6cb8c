--- The policies of a client, from what its options say: a name, settings, or a
--- function of one's own.
local circuit_policies = require "wingman.policy.circuit"
local endpoint_policies = require "wingman.policy.endpoint"
local reconnect_policies = require "wingman.policy.reconnect"
local routing_policies = require "wingman.policy.routing"

local M = {}

local function named(policies, name, what)
  local policy = policies[name]
  if not policy then error(("wingman.client: option %s: there is no policy '%s'"):format(what, name), 4) end
  return policy
end

--- Raises for a name that is none, as a mistake of who called `wingman.client`.
---@param options table  checked options
---@return { routing: function, reconnect: function, endpoint: function, circuit: function }
function M.make(options)
  local routing = options.routing
  if routing == "direct" and options.fallback then routing = routing_policies.direct_or_any
  elseif type(routing) == "string" then routing = named(routing_policies, routing, "routing") end
  local reconnect = options.reconnect
  if type(reconnect) == "table" then reconnect = reconnect_policies.exponential(reconnect)
  elseif reconnect == "exponential" then reconnect = reconnect_policies.exponential()
  elseif type(reconnect) == "string" then reconnect = named(reconnect_policies, reconnect, "reconnect") end
  local endpoint = options.endpoint
  if type(endpoint) == "table" then endpoint = endpoint_policies.map(endpoint)
  elseif type(endpoint) == "string" then
    if endpoint == "map" then error("wingman.client: option endpoint: give the table { node_id = url } itself", 3) end
    endpoint = named(endpoint_policies, endpoint, "endpoint")
  end
  local nodes = type(options.cluster) == "table" and options.cluster.nodes
  if nodes then
    local resolve = endpoint
    endpoint = function(id, advertised, seeds) return nodes[id] or resolve(id, advertised, seeds) end
  end
  local circuit = options.circuit
  if type(circuit) == "table" then circuit = circuit_policies.consecutive(circuit)
  elseif type(circuit) == "string" then circuit = named(circuit_policies, circuit, "circuit") end
  return { routing = routing, reconnect = reconnect, endpoint = endpoint, circuit = circuit }
end

return M
