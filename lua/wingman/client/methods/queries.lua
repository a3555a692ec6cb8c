--- What a client reads from the nodes: queries, the records of a node, and notifications of
--- changes.
local call_options = require "wingman.client.options.calls"
local check_options = require("wingman.options.check").check
local core = require "wingman.core"
local errors = require "wingman.base.error"
local live_query = require "wingman.client.live.live_query"
local loop = require "wingman.loop"
local node_trees = require "wingman.cluster.listening.node_trees"
local plan_module = require "wingman.client.query.plan"
local reader = require "wingman.client.query.reader"
local repair = require "wingman.client.methods.repair"
local rows = require "wingman.client.query.rows"
local url = require "wingman.base.url"
local uuid = require "wingman.base.uuid"
local wire_name = require "wingman.base.wire_name"

---@class wingman.client
local methods = {}

-- A v2 server announces each change of a map on every connection that has a query of it. This query matches nothing, so
-- that the answer is empty and no change comes a second time, as one of the query. A 0.11 cluster needs one that matches.
local function subscription(self, name, connection_id)
  local id = self.subscriptions[name]
  local is_v2 = self.core:connection_info(connection_id).dialect == "v2"
  return { type = "QUERY_SUB", payload = { queryId = id, mapName = name, query = is_v2 and { where = { __wm_none = id } } or {} } }
end

local function send_subscription(self, name, connection_id)
  self.core:send(connection_id, core.encode(subscription(self, name, connection_id)))
end

--- Internal: asks every node to announce changes of a map, on its listening connection.
---@param name string
function methods:subscribe(name)
  if self.subscriptions[name] then return end
  self.subscriptions[name] = uuid.v4()
  self.core:subscribed(self.subscriptions[name])
  self:map(name).core_map:hear()
  if not self.listeners then return end
  self.listeners:open()
  for _, node in ipairs(self.provider:nodes()) do
    local connection_id = self.listeners:of(node)
    if connection_id then send_subscription(self, name, connection_id) end
  end
end

--- Internal: a listening connection is ready; subscriptions die with their connection.
---@param connection_id integer
function methods:resubscribe(connection_id)
  for name in pairs(self.subscriptions) do send_subscription(self, name, connection_id) end
end

---@class wingman.row
---@field key string  of the record
---@field value any  never nil; false, 0 and "" are values

---@alias wingman.rows wingman.row[]  `print` and the prompt show them as a table

-- The plan of a query, and its checked options. Raises two levels up.
local function plan_of(rules, query, what)
  local checked = check_options(rules, query == nil and {} or query, what, 3)
  local plan, wrong = plan_module.of(checked)
  if not plan then error(what .. ": " .. wrong, 3) end
  return plan, checked
end

-- The rows of the local copy that match, once it was equal to the nodes, and lacks no records for want of room.
local function rows_of_copy(map, matches, timeout)
  if not map.copy.was_synced or map.copy:figures().full then
    local ok, err = map.copy:synced(timeout)
    if not ok then return nil, err end
  end
  local found = {}
  for key, value in map:each() do
    if matches(value) then found[#found + 1] = { key = key, value = value } end
  end
  return found
end

local function check_replicated(self, name)
  local map = self.maps[name]
  if map and map.copy then return end
  error(("client:query: the map %s has no replica to ask: call client:map(%q):replicate() first, or leave out source = \"copy\"")
    :format(wire_name.shown(name), name), 3)
end

--- Reads a map from every connected node, and returns the rows that match in order: sorted, and cut to
--- `limit`, over the whole cluster. Each key is there once: the owner's record counts, or, where the
--- owner has none, the newest one of another node. Without `sort` the order is that of the keys, byte by
--- byte, which also decides between equal rows. Numbers come before strings, strings before booleans, in
--- both directions; rows without the field come last. Each query reads the whole map, in small
--- messages, whatever its `limit` is; queries of a map that come while it is being read share the next
--- reading. Nodes are not read at one moment. Returns nil, err when a node
--- cannot be read, and while an owner of partitions is not connected. Raises for an option that is
--- unknown or wrong.
---
--- With `source = "copy"` the same query is asked of the local copy, which `map:replicate` has made a replica: no node
--- is asked, and writes of this client are seen before they are acknowledged. It waits only while the replica was never
--- equal to the nodes. Raises where the map has no replica.
---@param name string
---@param query wingman.query_options|nil  { where = { team = "red", score = { gte = 900 } }, sort = "score desc",
---  limit = 10, offset = 0, select = { "score" } }; default: everything
---@return wingman.rows|nil rows, wingman.error|nil
function methods:query(name, query)
  local began = loop.now()
  wire_name.check_map(name, "client:query", 2)
  local plan, checked = plan_of(call_options.query, query, "client:query")
  if self.closed then return nil, errors.new("CLOSED", "the client is closed") end
  local found, err
  if checked.source == "copy" then
    check_replicated(self, name)
    found, err = rows_of_copy(self.maps[name], plan.matches, checked.timeout)
  else
    found, err = reader.rows(self, name, plan.matches, checked.timeout)
  end
  if found then found = rows.of(plan_module.arrange(plan, found)) end
  if self.measured then self.measured.query(name, loop.now() - began, found and #found, err) end -- for a load test
  return found, err
end

--- Keeps the rows of a query up to date while the map changes: `live:rows()` has them, and `live:on("row", fn)` reports
--- their changes. It runs over the local copy, and makes the map a replica, if it is none, for as long as it is open. So
--- it has the rows of client:query, finds what servers do not announce, and has own writes at once. What is not read yet
--- when it begins is reported as it comes. Several changes of a key before the loop gets to it are one event.
---
--- Each row that matches is kept in memory, also those beyond `limit`, so that a row that leaves lets the next one in. A
--- change costs a search in the order of the rows, and no sorting. Raises for an option that is unknown or wrong.
---@param name string
---@param query wingman.live_query_options|nil  { where = { team = "red" }, sort = "score desc", limit = 10 }
---@return wingman.live_query live
function methods:live_query(name, query)
  wire_name.check_map(name, "client:live_query", 2)
  local plan = plan_of(call_options.live_query, query, "client:live_query")
  if self.closed then error("client:live_query: the client is closed", 2) end
  local map = self:map(name)
  return live_query.new(self, map, map:open_copy(), plan)
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
      local records = {}
      local ok, err = node_trees.each(self.listeners, node, name, function(key, record) records[key] = record end)
      if not ok then return nil, errors.of(err, "TIMEOUT", ("%s: map '%s'"):format(node.url, name)) end
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
