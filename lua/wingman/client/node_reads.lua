--- The record of a key at one node, by the tree that servers of its family and release have. What a read
--- waits for can be cancelled.
local core = require "wingman.core"
local errors = require "wingman.base.error"
local loop = require "wingman.loop"
local merkle_answer = require "wingman.cluster.merkle_answer"
local msgpack = require "wingman.base.msgpack"
local point_read = require "wingman.cluster.point_read"
local tree_session = require "wingman.client.tree_session"
local wire_name = require "wingman.base.wire_name"

local M = {}

--- The reason with which M.watch_owners cancels a read.
M.MOVED = "moved"

local function has_moved(read)
  local call = read.call
  return not call.node and call.client.provider:owner_of(read.key) ~= read.asked
end

--- Has reads that wait cancelled when their key has another owner.
---@param client wingman.client
function M.watch_owners(client)
  if client.reads then return end
  client.reads = {}
  client.provider:on("map_changed", function()
    for read in pairs(client.reads) do
      if has_moved(read) then client.provider.requests:cancel(read, M.MOVED) end
    end
  end)
end

local function request(read, connection_id, message, matches)
  local client = read.call.client
  local left = read.call.deadline - loop.now()
  if left <= 0 then return nil, "timeout" end
  if has_moved(read) then return nil, M.MOVED end
  client.reads[read] = true
  local answer, err = client.provider.requests:request(connection_id, message, matches, left, read)
  client.reads[read] = nil
  return answer, err
end

-- Recognises an answer of this type about a map.
local function about(type_name, map_name)
  return function(message)
    local payload = message.payload
    return message.type == type_name and type(payload) == "table" and payload.mapName == map_name
  end
end

local function unsupported(read, node)
  return errors.new("UNSUPPORTED", ("map %s: %s has disk storage, and holds no map of this name; see the option check_map_names")
    :format(wire_name.shown(read.call.map), node.id or node.url), { map = read.call.map, node = node.id })
end

---@class wingman.node_tree  of a v2 node, on one connection
---@field connects integer  how often the connection was made when this was found
---@field sessions table<string, wingman.tree_session>|false  by map; false: the tree has paths for each partition

-- Which tree a v2 node has; asked once for each connection. Servers newer than 2.2.0 with disk storage are
-- silent about the paths of partitions. They are known by a field of the answer about OR-maps.
local function tree_of(read, connection_id)
  local client, map = read.call.client, read.call.map
  local connects = client.core:connection_info(connection_id).connects
  local connection = client.provider.connections.by_id[connection_id]
  if connection.tree and connection.tree.connects == connects then return connection.tree end
  local answer, err = request(read, connection_id,
    { type = "ORMAP_DIFF_REQUEST", payload = { mapName = map, keys = msgpack.array {} } }, about("ORMAP_DIFF_RESPONSE", map))
  if not answer then return nil, err end
  local epoch = answer.payload.coveringEpoch
  local has_sessions = epoch ~= nil and epoch ~= core.null
  -- Another read may have been told the same meanwhile, and have sessions.
  if not connection.tree or connection.tree.connects ~= connects then
    connection.tree = { connects = connects, sessions = has_sessions and {} }
  end
  return connection.tree
end

local function record_by(read, connection_id, ways)
  local map = read.call.map
  return point_read.record(function(path)
    return request(read, connection_id, { type = "MERKLE_REQ_BUCKET", payload = { mapName = map, path = path } },
      merkle_answer.matches(map, path))
  end, ways, read.key)
end

local function ask_root(read, connection_id)
  local map = read.call.map
  local answer, err = request(read, connection_id, { type = "SYNC_INIT", mapName = map, lastSyncTimestamp = 0 },
    about("SYNC_RESP_ROOT", map))
  if not answer then return nil, err end
  local root = answer.payload.rootHash
  if type(root) ~= "number" then return nil, "the root is no number" end
  return root
end

-- A key that is there is found without SYNC_INIT where the map was listed before. An absent one costs a SYNC_INIT.
local function record_by_session(read, connection_id, session)
  local call, ways = read.call, point_read.ways_whole(read.key)
  local function walk() return record_by(read, connection_id, ways) end
  if session.began then
    local record, err = session:walk(walk, call.deadline)
    if record or err then return record, err end
  end
  local ok, err = session:renew(call.began, function() return ask_root(read, connection_id) end, call.deadline)
  if not ok then return nil, err end
  return session:walk(walk, call.deadline)
end

--- Reads a key from a node. nil: it holds none. nil, err: a text, or an error.
---@param read wingman.owner_reads.read
---@param node wingman.node
---@param connection_id integer
---@return table|nil record, any err
function M.record(read, node, connection_id)
  local client, map = read.call.client, read.call.map
  read.asked = node
  if node.dialect ~= "v2" then
    return record_by(read, connection_id, point_read.ways_0_11(read.key, client.provider.hash_kind))
  end
  local tree, err = tree_of(read, connection_id)
  if not tree then return nil, err end
  if not tree.sessions then
    return record_by(read, connection_id, point_read.ways_of_partition(read.key, client:partition_of(read.key)))
  end
  if not core.v2_stores_map(map) then return nil, unsupported(read, node) end
  tree.sessions[map] = tree.sessions[map] or tree_session.new()
  return record_by_session(read, connection_id, tree.sessions[map])
end

return M
