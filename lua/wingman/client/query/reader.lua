--- Reads a map from every connected node for a query, by the nodes' Merkle trees, on listening connections: their answers to
--- queries have limits of rows (10,000, 4,096) and bytes (512 KiB, beyond which a v2 server closes the
--- connection), a 0.11 server leaves out values like 0, and newer servers may not answer at all. A
--- leaf of a tree is small, and whole.
local core = require "wingman.core"
local errors = require "wingman.base.error"
local loop = require "wingman.loop"
local node_trees = require "wingman.cluster.listening.node_trees"

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

---@class wingman.query_reading  one reading of a map, for one query or several
---@field queries { matches: (fun(value: any): boolean), rows: { key: string, value: any }[] }[]
---@field deadline number  of loop.now: that of the query that waits longest
---@field finished wingman.future  of true, or nil, err
---@field at_owner table<string, true>  keys of which the owner has a record, or the mark of a removal
---@field raised any  the error with which it ended, a mistake of this module or of `matches`
---@field elsewhere table<string, table>  the newest record of a key that came from another node

local function new_reading()
  return { queries = {}, deadline = 0, finished = loop.future(), at_owner = {}, elsewhere = {} }
end

local function add_row(reading, key, record)
  if record.value == nil or is_expired(record) then return end
  for _, query in ipairs(reading.queries) do
    if query.matches(record.value) then query.rows[#query.rows + 1] = { key = key, value = record.value } end
  end
end

-- The owner's record of a key counts, or else the newest that another node has.
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
local CODES = { timeout = "TIMEOUT", closed = "CLOSED" }

local function error_of(reason, node, name)
  if type(reason) == "table" then return reason end
  local text = reason:match "^path '.-': (.*)$" or reason
  return errors.new(CODES[text] or text:find("^connection lost") and "NOT_CONNECTED" or "REFUSED", ("%s: map '%s': %s"):format(node.url, name, reason))
end

local function read_nodes(client, name, nodes, reading)
  local tasks = {}
  for i, node in ipairs(nodes) do
    tasks[i] = loop.spawn(function()
      return true, node_trees.each(client.listeners, node, name, visitor(client, node, reading), reading.deadline)
    end)
  end
  local failure, raised
  for i, task in ipairs(tasks) do
    local called, ok, err = task:wait()
    if not called then raised = raised or ok
    elseif not ok then failure = failure or error_of(err, nodes[i], name) end
  end
  if raised then error(raised, 0) end
  if failure then return nil, failure end
  return true
end

-- The nodes to read, when these have the whole map; else nil, err.
local function nodes_of(client, name)
  local nodes, ids = client.provider and client.provider:nodes() or {}, {}
  if #nodes == 0 then return nil, errors.new("NOT_CONNECTED", "no node is connected") end
  for _, node in ipairs(nodes) do
    if node.id then ids[node.id] = true end
  end
  local ok, err = check_covered(client, name, ids)
  if not ok then return nil, err end
  return nodes, ids
end

-- All nodes, at the same time.
local function read(client, name, reading)
  local nodes, ids = nodes_of(client, name)
  if not nodes then return nil, ids end
  local ok, err = read_nodes(client, name, nodes, reading)
  if not ok or client.closed then return nil, err end
  ok, err = check_covered(client, name, ids) -- the map may be another one by now
  if not ok then return nil, err end
  for key, record in pairs(reading.elsewhere) do
    if not reading.at_owner[key] then add_row(reading, key, record) end
  end
  return true
end

-- One reading of a map at a time: queries that come meanwhile share the next one, which begins after them, so
-- that it has what was acknowledged before them.
local function read_in_turn(client, name, queue)
  while queue.next do
    queue.running, queue.next = queue.next, nil
    local reading = queue.running
    local called, ok, err = loop.spawn(function() return true, read(client, name, reading) end):wait()
    if client.closed then return end -- M.end_waits has the last word
    if not called then reading.raised = ok end
    reading.finished:resolve(ok, err)
  end
  client.query_readings[name] = nil
end

--- The rows that match, in no order. nil, err when a node cannot be read, or when partitions have no
--- connected owner.
---@param client wingman.client
---@param name string
---@param matches fun(value: any): boolean
---@param timeout number  seconds
---@return { key: string, value: any }[]|nil rows, wingman.error|nil
function M.rows(client, name, matches, timeout)
  local nodes, missing = nodes_of(client, name)
  if not nodes then return nil, missing end
  local queue, query = client.query_readings[name], { matches = matches, rows = {} }
  local is_idle = not queue
  queue = queue or {}
  client.query_readings[name] = queue
  queue.next = queue.next or new_reading()
  local reading = queue.next
  reading.queries[#reading.queries + 1] = query
  reading.deadline = math.max(reading.deadline, loop.now() + timeout)
  if is_idle then loop.spawn(read_in_turn, client, name, queue) end
  local ok, err = reading.finished:wait(timeout)
  if reading.raised then error(reading.raised, 0) end
  if ok then return query.rows end
  if type(err) == "table" then return nil, err end
  return nil, errors.new("TIMEOUT", ("map '%s': not all nodes were read within %g s"):format(name, timeout), { map = name })
end

--- Part of close: ends the queries that wait with the error.
---@param client wingman.client
---@param err wingman.error
function M.end_waits(client, err)
  for _, queue in pairs(client.query_readings) do
    if queue.running then queue.running.finished:reject(err) end
    if queue.next then queue.next.finished:reject(err) end
  end
end

return M
