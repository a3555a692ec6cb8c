--- What a client's options cost on the cluster that they met: said once in the log, and
--- in `health().warnings` for as long as it is so.
local loop = require "wingman.loop"
local starving = require "wingman.client.health.starving"

local M = {}

---@class wingman.warning
---@field code "HASHES_DIFFER"|"SERVER_OF_CLUSTER"|"ROUTING_LOSES"|"NODES_WITHOUT_ADDRESS"|"STARVING"
---@field message string  what it costs, and what to do

local function warning(code, format, ...) return { code = code, message = format:format(...) } end

local function server_of_cluster(client, dialect)
  local count = client.provider.cluster_size or 1
  if count < 2 then return nil end
  local cost = dialect == "0.11"
      and "it acknowledges and drops every write of a key that another node owns, about %d of %d"
    or "it stores the writes of keys that other nodes own, about %d of %d, and these nodes do not get them"
  return warning("SERVER_OF_CLUSTER", "option server: %s is one of %d nodes of a cluster: " .. cost .. "; use the option cluster",
    client.provider.node.url, count, count - 1, count)
end

-- What each way to route costs on a 0.11 cluster, which drops what the receiver does not own.
local function cost_of_routing(options)
  if options.routing == "forward" then return 'routing = "forward"', "every write of a key that another node owns" end
  if options.routing == "backup" then return 'routing = "backup"', "every write that goes to a backup before the partition map makes it the owner" end
  if options.fallback then return "fallback = true", "every write that goes to another node than the owner" end
end

local function routing_loses(client, dialect)
  local map = client:partition_map()
  if dialect ~= "0.11" or not map or #map.nodes < 2 then return nil end
  local option, what = cost_of_routing(client.options)
  if not option then return nil end
  return warning("ROUTING_LOSES", 'option %s: a 0.11 cluster acknowledges and drops %s; use routing = "direct"', option, what)
end

-- The nodes that a URL at hand leads to, and how many URLs have not shown their node: each of
-- these may be one that is missing. An advertised URL is that of the node that it is advertised
-- for, until another node answers there.
local function nodes_with_address(client)
  local known, silent = {}, 0
  for _, node in ipairs(client.provider.connections.nodes) do
    local id = node.id or (not node.twin_of and node.listed_as)
    if id then known[id] = true
    elseif not node.twin_of then silent = silent + 1 end
  end
  return known, silent
end

-- Ids of the owners that are not among the known nodes, sorted, and how many partitions they own.
local function owners_beyond(map, known)
  local is_listed, ids, owned = {}, {}, 0
  for _, owner in ipairs(map.owners) do
    if owner and not known[owner] then
      owned = owned + 1
      if not is_listed[owner] then ids[#ids + 1] = owner end
      is_listed[owner] = true
    end
  end
  table.sort(ids)
  return ids, owned
end

if jit then jit.off(owners_beyond) end -- as in wingman.cluster.provider.route_updates

-- What becomes of writes whose owner has no connection: only plain direct routing holds all of them.
local function what_writes_do(options)
  return options.routing == "direct" and not options.fallback and "wait" or "do not reach it"
end

-- While nodes are still looked for, nothing can be said.
local function nodes_without_address(client)
  local provider = client.provider
  if not (provider.discovery_is_over and provider.map) then return nil end
  local known, silent = nodes_with_address(client)
  local ids, owned = owners_beyond(provider.map, known)
  if #ids <= silent then return nil end
  local missing, names, does = #ids - silent, table.concat(ids, ", "), what_writes_do(client.options)
  if missing > 1 then does = does:gsub(" it$", " them") end
  local whose, urls = missing == 1 and "its" or "their", missing == 1 and "its URL" or "their URLs"
  if silent > 0 then
    return warning("NODES_WITHOUT_ADDRESS",
      "no address is known for %d of %s, as not every seed has answered: writes to %s partitions %s. Add %s to cluster.seeds.",
      missing, names, whose, does, urls)
  end
  return warning("NODES_WITHOUT_ADDRESS", "no address is known for %s: writes to %s %d %s %s. Add %s to cluster.seeds.",
    names, whose, owned, owned == 1 and "partition" or "partitions", does, urls)
end

local function too_small_steps(client)
  local left = client.starving
  local seconds = left and loop.now() - left.since or 0
  if seconds < starving.PATIENCE then return nil end
  return warning("STARVING", "each step of the last %.0f s left something: %d bytes were received and not read, and %d keys of replicas have changes "
    .. "that watches do not have. They get values late, and those in between not at all; raise the budget of client:step, or step more often.", seconds, left.bytes, left.keys)
end

--- What is to be said of a started client now.
---@param client wingman.client
---@return wingman.warning[]
function M.of(client)
  local found = {}
  if not client.provider then return found end
  local dialect = client:dialect()
  if client.options.server then
    found[1] = server_of_cluster(client, dialect)
  else
    found[1] = client.provider.hash_conflict
    found[#found + 1] = routing_loses(client, dialect)
    found[#found + 1] = nodes_without_address(client)
  end
  found[#found + 1] = too_small_steps(client)
  return found
end

--- Logs what has not been said yet.
---@param client wingman.client
function M.say(client)
  for _, one in ipairs(M.of(client)) do
    if not client.warned[one.code] then
      client.warned[one.code] = true
      client.options.log_to("warn", one.code:lower(), { message = one.message })
    end
  end
end

return M
