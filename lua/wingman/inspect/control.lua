--- Changes a running client: its policies, and the listeners of its log.
local log_levels = require "wingman.loop.log_levels"

local rank = log_levels.rank

local policies_of = {
  routing = require "wingman.policy.routing",
  reconnect = require "wingman.policy.reconnect",
  endpoint = require "wingman.policy.endpoint",
}

local M = {}

local set = {}

function set.routing(provider, policy) provider:set_routing(policy) end

function set.reconnect(provider, policy) provider.connections.reconnect = policy end

function set.endpoint(provider, policy) provider.endpoint = policy end

-- A policy by its name, as the options of a client take it.
local function named(kind, name)
  local policy = policies_of[kind][name]
  if type(policy) ~= "function" then error(("inspect.policy: there is no %s policy '%s'"):format(kind, name), 3) end
  if kind == "reconnect" then policy = policy() end
  return policy
end

--- Gives a client another policy. Routes are computed anew at once.
---@param client wingman.client
---@param kind "routing"|"reconnect"|"endpoint"
---@param policy string|function  a name, or the policy itself
function M.policy(client, kind, policy)
  if not set[kind] then error(("inspect.policy: '%s' is none of routing, reconnect, endpoint"):format(tostring(kind)), 2) end
  if type(policy) == "string" then policy = named(kind, policy) end
  if type(policy) ~= "function" then error("inspect.policy: a name or a function is expected, got " .. type(policy), 2) end
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
