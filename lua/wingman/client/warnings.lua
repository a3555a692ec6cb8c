--- What a client's options cost on the cluster that they met: said once in the log, and
--- in `health().warnings` for as long as it is so.
local M = {}

---@class wingman.warning
---@field code "HASHES_DIFFER"|"SERVER_OF_CLUSTER"|"ROUTING_LOSES"|"NODES_WITHOUT_ADDRESS"
---@field message string  what it costs, and what to do

local function warning(code, format, ...) return { code = code, message = format:format(...) } end

local function server_of_cluster(client, dialect)
  local count = client.provider.cluster_size or 1
  if count < 2 then return nil end
  local cost = dialect == "0.11"
      and "it acknowledges and drops every write of a key that another node owns, about %d of %d"
    or "it keeps what other nodes own, about %d of %d writes, and those never learn of it"
  return warning("SERVER_OF_CLUSTER", "option server: %s is one of %d nodes of a cluster: " .. cost .. "; use the option cluster",
    client.options.server, count, count - 1, count)
end

-- What each way to route costs on a 0.11 cluster, which drops what the receiver does not own.
local function cost_of_routing(options)
  if options.routing == "forward" then return 'routing = "forward"', "every write of a key that another node owns" end
  if options.routing == "backup" then return 'routing = "backup"', "what goes to a backup before the map says that it is the owner" end
  if options.fallback then return "fallback = true", "what goes to another node than the owner" end
end

local function routing_loses(client, dialect)
  local map = client:partition_map()
  if dialect ~= "0.11" or not map or #map.nodes < 2 then return nil end
  local option, what = cost_of_routing(client.options)
  if not option then return nil end
  return warning("ROUTING_LOSES", 'option %s: a 0.11 cluster acknowledges and drops %s; use routing = "direct"', option, what)
end

-- Nodes of the map that none of the URLs at hand can stand for: each URL that has not shown
-- its node yet may be one of them.
local function nodes_without_address(client)
  local map = client:partition_map()
  if not map then return nil end
  local shown, unknown, missing, owned = {}, 0, {}, 0
  local known_missing = {}
  for _, node in ipairs(client.provider.links.nodes) do
    if node.id then shown[node.id] = true
    elseif not node.twin_of then unknown = unknown + 1 end
  end
  for _, owner in ipairs(map.owners) do
    if owner and not shown[owner] then
      owned = owned + 1
      if not known_missing[owner] then missing[#missing + 1] = owner end
      known_missing[owner] = true
    end
  end
  if #missing <= unknown then return nil end
  table.sort(missing)
  return warning("NODES_WITHOUT_ADDRESS",
    "option cluster.seeds: %d of %d nodes have no address that this client knows (%s), so that writes to %d of %d partitions do not reach their owner; give a URL of each node",
    #missing - unknown, #map.nodes, table.concat(missing, ", "), owned, map.partition_count)
end

if jit then jit.off(nodes_without_address) end -- as in wingman.provider.cluster.routes

--- What is to be said of a started client now.
---@param client wingman.client
---@return wingman.warning[]
function M.of(client)
  local found = {}
  if not client.provider then return found end
  local dialect = client:dialect()
  if client.options.server then
    found[1] = server_of_cluster(client, dialect)
    return found
  end
  found[1] = client.provider.hash_conflict
  found[#found + 1] = routing_loses(client, dialect)
  found[#found + 1] = nodes_without_address(client)
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
