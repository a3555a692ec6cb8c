--- Reads a map from every connected node for a query, by the nodes' Merkle trees: their answers to
--- queries have limits of rows (10,000, 4,096) and bytes (512 KiB, beyond which a v2 server closes the
--- connection), a 0.11 server leaves out values like 0, and newer servers may not answer at all. A
--- leaf of a tree is small, and whole.
local core = require "wingman.core"
local errors = require "wingman.base.error"
local loop = require "wingman.loop"
local merkle_walk = require "wingman.cluster.merkle_walk"

local M = {}

-- Whether one of the nodes that hold a partition is among those that are asked. Nodes of a v2 cluster
-- hold no copies for each other.
local function is_covered(map, partition, asked, is_0_11)
  local owner = map.owners[partition]
  if not owner or asked[owner] then return true end
  if not is_0_11 then return false end
  for _, id in ipairs(map.backups[partition] or {}) do
    if asked[id] then return true end
  end
  return false
end

-- An error when partitions are at nodes that were not asked: what these hold would be missing
-- without a word.
local function check_covered(client, name, asked)
  local map = client:partition_map()
  if not map then return true end
  local is_0_11, missing, count = client:dialect() == "0.11", nil, 0
  for partition, owner in ipairs(map.owners) do
    if not is_covered(map, partition, asked, is_0_11) then
      missing = missing or owner
      count = count + (owner == missing and 1 or 0)
    end
  end
  if not missing then return true end
  return nil, errors.new("NOT_CONNECTED", ("map '%s' cannot be read whole: %s, the owner of %d of %d partitions, is not connected")
    :format(name, missing, count, #map.owners), { map = name, node = missing })
end

local function is_newer(a, b)
  if a.millis ~= b.millis then return a.millis > b.millis end
  return a.counter > b.counter
end

local function is_expired(record)
  return type(record.ttlMs) == "number" and record.timestamp.millis + record.ttlMs <= core.wall_ms()
end

-- What was read: the owner's record of a key counts, or else the newest that another node has.
---@class wingman.query_reading
---@field rows { key: string, value: any }[]
---@field at_owner table<string, true>  keys of which the owner has a record, or the mark of a removal
---@field elsewhere table<string, table>  the newest record of a key that came from another node

local function add_row(reading, key, record)
  if record.value == nil or is_expired(record) or not reading.matches(record.value) then return end
  reading.rows[#reading.rows + 1] = { key = key, value = record.value }
end

local function visitor(client, node, reading)
  local map = client:partition_map()
  return function(key, record)
    local owner = map and map.owners[client:partition_of(key) + 1]
    if not owner or owner == node.id then
      if reading.at_owner[key] then return end
      reading.at_owner[key] = true
      return add_row(reading, key, record)
    end
    local other = reading.elsewhere[key]
    if not other or is_newer(record.timestamp, other.timestamp) then reading.elsewhere[key] = record end
  end
end

--- Codes of errors by the end of their text; else the node's answer made no sense.
local CODES = { timeout = "TIMEOUT", ["connection lost"] = "NOT_CONNECTED", closed = "CLOSED" }

local function error_of(reason, node, name)
  if type(reason) == "table" then return reason end
  local text = reason:match "^path '.-': (.*)$" or reason
  return errors.new(CODES[text] or "REFUSED", ("%s: map '%s': %s"):format(node.url, name, reason))
end

local function read_nodes(client, name, nodes, reading, deadline)
  local tasks = {}
  for i, node in ipairs(nodes) do
    tasks[i] = loop.spawn(merkle_walk.each, client.provider.requests, node.connection_ids[1], name, visitor(client, node, reading), deadline)
  end
  local failure
  for i, task in ipairs(tasks) do
    local ok, err = task:wait()
    if not ok then failure = failure or error_of(err, nodes[i], name) end
  end
  if failure then return nil, failure end
  return true
end

--- The rows that match, in no order. All nodes are read at the same time. nil, err when one cannot be
--- read, or when partitions have no connected owner.
---@param client wingman.client
---@param name string
---@param matches fun(value: any): boolean
---@param deadline number  of loop.now
---@return { key: string, value: any }[]|nil rows, wingman.error|nil
function M.rows(client, name, matches, deadline)
  local nodes, asked = client.provider and client.provider:nodes() or {}, {}
  if #nodes == 0 then return nil, errors.new("NOT_CONNECTED", "no node is connected") end
  for _, node in ipairs(nodes) do
    if node.id then asked[node.id] = true end
  end
  local ok, err = check_covered(client, name, asked)
  if not ok then return nil, err end
  local reading = { rows = {}, at_owner = {}, elsewhere = {}, matches = matches }
  ok, err = read_nodes(client, name, nodes, reading, deadline)
  if not ok then return nil, err end
  if client.closed then return nil, errors.new("CLOSED", "the client was closed") end
  ok, err = check_covered(client, name, asked) -- the map may be another one by now
  if not ok then return nil, err end
  for key, record in pairs(reading.elsewhere) do
    if not reading.at_owner[key] then add_row(reading, key, record) end
  end
  return reading.rows
end

return M
