--- Changes a running client: its policies, and the listeners of its log.
local log_levels = require "wingman.loop.log_levels"
local policies = require "wingman.policy.list"

local rank = log_levels.rank

local M = {}

local set = {}

function set.routing(provider, policy) provider:set_routing(policy) end

function set.reconnect(provider, policy) provider.connections.reconnect = policy end

function set.endpoint(provider, policy) provider.endpoint = policy end

--- Gives a client another policy. Routes are computed anew at once.
---@param client wingman.client
---@param kind "routing"|"reconnect"|"endpoint"
---@param given string|table|function  a name, settings, or the policy itself
function M.policy(client, kind, given)
  if not set[kind] then
    error(("inspect.policy: one of %s is expected, got '%s'"):format(table.concat(policies.changeable, ", "), tostring(kind)), 2)
  end
  local policy, wrong = policies.policy(kind, given)
  if not policy then error(("inspect.policy: %s: %s"):format(kind, wrong), 2) end
  if not client.provider or not client.provider.set_routing then error("inspect.policy: the client is no started client of a cluster", 2) end
  set[kind](client.provider, policy)
end

--- Calls `fn` for each line of a client's log with this level or a higher one, beside other listeners.
---@param client wingman.client
---@param level "debug"|"info"|"warn"|"error"
---@param fn fun(level: string, event: string, fields: table)
---@return { stop: fun() }
function M.log(client, level, fn)
  local least = rank[level]
  if not least then error(("inspect.log: '%s' is none of %s"):format(tostring(level), table.concat(log_levels.names, ", ")), 2) end
  local before, is_on = client.options.log_to, true
  client.options.log_to = function(line_level, event, fields)
    if is_on and (rank[line_level] or rank.error) >= least then fn(line_level, event, fields) end
    return before(line_level, event, fields)
  end
  return { stop = function() is_on = false end }
end

return M
