--- What a client asks the nodes: queries, the records of a node, and to be notified of
--- changes.
local call_options = require "wingman.client.options.calls"
local check_options = require("wingman.options.check").check
local core = require "wingman.core"
local errors = require "wingman.base.error"
local escape = require "wingman.base.escape"
local merkle_walk = require "wingman.cluster.merkle_walk"
local repair = require "wingman.client.methods.repair"
local url = require "wingman.base.url"
local uuid = require "wingman.base.uuid"
local wire_name = require "wingman.base.wire_name"

---@class wingman.client
local methods = {}

--- Server 2.2.0 leaves out what goes beyond so many results, without a word.
local QUERY_CLAMP = 10000

local function send_subscription(self, name, node)
  local id = self.subscriptions[name]
  local message = { type = "QUERY_SUB", payload = { queryId = id, mapName = name, query = {} } }
  self.core:send(node.connection_ids[1], core.encode(message))
end

--- Internal: asks every node to announce changes of a map; again after each reconnection.
---@param name string
function methods:subscribe(name)
  if self.subscriptions[name] then return end
  self.subscriptions[name] = uuid.v4()
  self.core:subscribed(self.subscriptions[name])
  if not self.provider then return end
  for _, node in ipairs(self.provider:nodes()) do send_subscription(self, name, node) end
end

--- Part of the provider's business: subscriptions die with their connection.
function methods:resubscribe()
  for name in pairs(self.subscriptions) do
    for _, node in ipairs(self.provider:nodes()) do send_subscription(self, name, node) end
  end
end

-- Whether these are results of a query: { key, value } each.
local function are_results(results)
  if type(results) ~= "table" then return false end
  for _, entry in ipairs(results) do
    if type(entry) ~= "table" or type(entry.key) ~= "string" then return false end
  end
  return true
end

local function query_node(self, node, name, query)
  local id = uuid.v4()
  local answer, err = self.provider.requests:request(node.connection_ids[1],
    { type = "QUERY_SUB", payload = { queryId = id, mapName = name, query = query } },
    function(message) return message.type == "QUERY_RESP" and message.payload.queryId == id end, merkle_walk.SILENCE)
  self.core:send(node.connection_ids[1], core.encode { type = "QUERY_UNSUB", payload = { queryId = id } })
  if not answer then
    return nil, errors.of(err, "TIMEOUT", ("%s: the query of map '%s' was not answered"):format(node.url, name))
  end
  if answer.payload.error and answer.payload.error ~= core.null then
    return nil, errors.new("REFUSED", ("%s: %s"):format(node.url, escape.plain(tostring(answer.payload.error))))
  end
  if not are_results(answer.payload.results) then
    return nil, errors.new("REFUSED", ("%s: the results of the query of map '%s' cannot be read"):format(node.url, name))
  end
  return answer.payload.results
end

-- The results of one node, all of them: where the server may have cut the list,
-- the node is read by its Merkle tree.
local function query_all(self, node, name, query)
  local results, err = query_node(self, node, name, query)
  if not results or #results < QUERY_CLAMP or query.limit then return results, err end
  if query.where or query.predicate or query.sort then
    return nil, errors.new("TOO_MANY", ("%s: the query of map '%s' has %d or more results, and servers answer with no more: set a limit")
      :format(node.url, name, QUERY_CLAMP))
  end
  local records
  records, err = self:holdings(node.id or node.url, name)
  if not records then return nil, err end
  results = {}
  for key, record in pairs(records) do
    if record.value ~= core.null then results[#results + 1] = { key = key, value = record.value } end
  end
  return results
end

-- An error when partitions belong to nodes that were not asked: what they hold would be
-- missing without a word. A 0.11 node answers for the whole cluster.
local function check_owners(self, name, asked)
  local map = self:partition_map()
  if not map or self:dialect() == "0.11" then return true end
  local missing, count = nil, 0
  for _, owner in ipairs(map.owners) do
    if owner and not asked[owner] then
      missing = missing or owner
      count = count + (owner == missing and 1 or 0)
    end
  end
  if not missing then return true end
  return nil, errors.new("NOT_CONNECTED", ("map '%s' cannot be read whole: %s, the owner of %d of %d partitions, is not connected")
    :format(name, missing, count, #map.owners), { map = name, node = missing })
end

-- What all nodes say, by key.
local function ask_nodes(self, name, query)
  local values, asked = {}, {}
  local nodes = self.provider and self.provider:nodes() or {}
  if #nodes == 0 then return nil, errors.new("NOT_CONNECTED", "no node is connected") end
  for _, node in ipairs(nodes) do
    if node.id then asked[node.id] = true end
  end
  local whole, missing = check_owners(self, name, asked)
  if not whole then return nil, missing end
  for _, node in ipairs(nodes) do
    local results, err = query_all(self, node, name, query)
    if not results then return nil, err end
    local map = self:partition_map()
    for _, entry in ipairs(results) do
      local owner = map and map.owners[self:partition_of(entry.key) + 1]
      if values[entry.key] == nil or owner == node.id then values[entry.key] = entry.value end
    end
  end
  whole, missing = check_owners(self, name, asked) -- the map may be another one by now
  if not whole then return nil, missing end
  return values
end

--- Asks every connected node, one after the other, and joins the results by key. When two
--- nodes have a key, the answer of its owner counts. A 0.11 node answers for the whole
--- cluster. A v2 node answers with what it holds itself. That may include records that it no
--- longer owns and that the owner does not have, or has removed. Returns nil, err
--- while an owner of a v2 cluster's partitions is not connected. Raises for an option that
--- is unknown or wrong.
---@param name string
---@param query wingman.query_options|nil  { where = { field = value }, predicate = { ... },
---  sort = { field = "asc" or "desc" }, limit = a whole number from 1 on }; default: everything
---@return table<string, any>|nil values_by_key, wingman.error|nil
function methods:query(name, query)
  wire_name.check_map(name, "client:query", 2)
  if query ~= nil then check_options(call_options.query, query, "client:query", 2) end
  if self.closed then return nil, errors.new("CLOSED", "the client is closed") end
  local values, err = ask_nodes(self, name, query or {})
  if not values and self.measured then self.measured.refused(err) end -- a load test counts it
  return values, err
end

--- The records of a map that one node stores itself, read through its Merkle tree: key -> record
--- ({ value, timestamp }, tombstones with value null).
---@param node_id string
---@param name string
---@return table<string, table>|nil, wingman.error|nil
function methods:holdings(node_id, name)
  wire_name.check_map(name, "client:holdings", 2)
  if self.closed then return nil, errors.new("CLOSED", "the client is closed") end
  for _, node in ipairs(self.provider:nodes()) do
    if node.id == node_id or node.url == node_id or node.whole_url == node_id then
      local records, err = merkle_walk.records(self.provider.requests, node.connection_ids[1], name)
      if not records then return nil, errors.of(err, "TIMEOUT", ("%s: map '%s'"):format(node.url, name)) end
      return records
    end
  end
  return nil, errors.new("NOT_CONNECTED", ("no connected node is '%s'"):format(url.shown(node_id)))
end

-- No write to the others was stored, and a v2 server need not answer about them.
local function maps_to_repair(self)
  if self:dialect() ~= "v2" or not self.options.check_map_names then return self.map_order end
  local names = {}
  for _, name in ipairs(self.map_order) do
    if core.v2_stores_map(name) then names[#names + 1] = name end
  end
  return names
end

--- Sends this client's writes again where the owner of the key has no record, or an older one. Call it
--- after a node has died or come back, when servers may have lost records (wingman.client.methods.repair
--- says what is compared and what that costs). Waits for the comparison, not for the acknowledgements.
---@param name string|nil  one map; nil: every map of this client
---@return integer|nil count  of writes recorded again
---@return wingman.error|nil
function methods:repair(name)
  if name ~= nil then wire_name.check_map(name, "client:repair", 2) end
  if self.closed then return nil, errors.new("CLOSED", "the client is closed") end
  local count = 0
  for _, map_name in ipairs(name and { name } or maps_to_repair(self)) do
    local repaired, err = repair.map(self, self:map(map_name))
    if not repaired then return nil, err end
    count = count + repaired
  end
  return count
end

return methods
