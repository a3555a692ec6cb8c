--- How a replica gets the changes at one node: by a query on a listening connection.
---
--- A v2 node announces every change of a map on each connection that has a query of it, whatever the query selects; so
--- this one selects nothing. A lone 0.11 server does the same. The nodes of a 0.11 cluster announce only what a query
--- selects, each the changes of all nodes, and without timestamps. So one of them is asked for everything, and what it
--- announces is a hint that the roots have to be compared.
---
--- In a cluster of head a subscription holds up the answers to all questions on its connection for 5 s. So a node is
--- read first, and subscribed to when no map is to be read there any more; then it is compared again, which finds what
--- changed in between.
local core = require "wingman.core"
local uuid = require "wingman.base.uuid"

local M = {}

---@class wingman.feed
---@field client wingman.client
---@field map wingman.map
---@field node wingman.node
---@field connection_id integer
---@field is_subscribed boolean
---@field subscribes_late boolean

--- The nodes that can be followed, with their listening connections, which are opened if need be.
---@param client wingman.client
---@return table<wingman.node, integer>
function M.possible(client)
  local found, listeners = {}, client.listeners
  if not listeners then return found end -- it is not started
  listeners:open()
  for _, node in ipairs(client.provider:nodes()) do found[node] = listeners:of(node) end
  return found
end

---@param feed wingman.feed
---@return boolean
function M.is_open(feed)
  local state = feed.map.core_map:replica_node(feed.node.index)
  return state ~= nil and state ~= "off"
end

local function send(feed, message) feed.client.core:send(feed.connection_id, core.encode(message)) end

-- No record has this field.
local NOTHING = { where = { __wingman_none = "none" } }

-- One id for a map, as the core remembers it.
local function query_id(map)
  if not map.feed_id then
    map.feed_id = uuid.v4()
    map.core_map:replica_subscribed(map.feed_id)
  end
  return map.feed_id
end

local function subscribe(feed)
  local query = feed.node.dialect == "v2" and NOTHING or {}
  feed.is_subscribed = true
  send(feed, { type = "QUERY_SUB", payload = { queryId = query_id(feed.map), mapName = feed.map.name, query = query } })
end

--- Begins to follow a node.
---@param client wingman.client
---@param map wingman.map
---@param node wingman.node
---@param connection_id integer
---@return wingman.feed
function M.open(client, map, node, connection_id)
  local feed = {
    client = client, map = map, node = node, connection_id = connection_id, is_subscribed = false,
    subscribes_late = client.core:connection_info(connection_id).release == "head",
  }
  if node.dialect == "v2" and not feed.subscribes_late then subscribe(feed) end
  map.core_map:replica_follow(connection_id)
  return feed
end

local function is_read(feed) return (select(9, feed.map.core_map:replica_node(feed.node.index))) end

-- Whether other maps are still to be read on the connection.
local function is_busy(client, connection_id)
  for _, copy in pairs(client.copies) do
    for _, feed in pairs(copy.feeds) do
      if feed.connection_id == connection_id and M.is_open(feed) and not is_read(feed) then return true end
    end
  end
  return false
end

--- Subscribes at nodes whose subscriptions come late, when it is time.
---@param feeds table<wingman.node, wingman.feed>  those that are open
function M.subscribe_late(feeds)
  for node, feed in pairs(feeds) do
    if feed.subscribes_late and not feed.is_subscribed and not is_busy(feed.client, feed.connection_id) then
      subscribe(feed)
      feed.map.core_map:replica_hurry(node.index)
    end
  end
end

--- Chooses the one feed of a map that gets the changes of a 0.11 cluster.
---@param feeds table<wingman.node, wingman.feed>  those that are open
function M.choose_one(feeds)
  local chosen
  for node, feed in pairs(feeds) do
    if feed.is_subscribed or feed.subscribes_late then return end
    if not chosen or node.index < chosen.node.index then chosen = feed end
  end
  if chosen then subscribe(chosen) end
end

--- Ends it.
---@param feed wingman.feed
function M.close(feed)
  if feed.client.closed or not feed.is_subscribed then return end
  send(feed, { type = "QUERY_UNSUB", payload = { queryId = query_id(feed.map) } })
end

return M
