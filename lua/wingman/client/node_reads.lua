--- The record of a key at one node, by the tree that servers of its family and release have. What a read
--- waits for can be cancelled.
local large_leaves = require "wingman.cluster.listening.large_leaves"
local loop = require "wingman.loop"
local merkle_answer = require "wingman.cluster.merkle_answer"
local node_trees = require "wingman.cluster.listening.node_trees"
local point_read = require "wingman.cluster.point_read"

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

-- The answer about a path; nil, err.
local function ask_path(read, connection_id, path)
  local map, listeners, node = read.call.map, read.call.client.listeners, read.asked
  local known = large_leaves.known(listeners, node, connection_id, map, path)
  if known then return nil, known end
  local answer, err = request(read, connection_id, { type = "MERKLE_REQ_BUCKET", payload = { mapName = map, path = path } },
    merkle_answer.matches(map, path))
  if answer or not large_leaves.is_suspect(err) then return answer, err end
  if read.was_cut_short then return nil, large_leaves.verdict(listeners, node, connection_id, map, path, err) end
  read.was_cut_short = true
  return nil, err
end

local function record_by(read, connection_id, ways)
  return point_read.record(function(path) return ask_path(read, connection_id, path) end, ways, read.key)
end

-- A key that is there is found without SYNC_INIT where the map was listed before. An absent one costs a SYNC_INIT.
local function record_by_session(read, connection_id, session)
  local call, ways = read.call, point_read.ways_whole(read.key)
  local function walk() return record_by(read, connection_id, ways) end
  if session.began then
    local record, err = session:walk(walk, call.deadline)
    if record or err then return record, err end
  end
  local function ask(message, matches) return request(read, connection_id, message, matches) end
  local ok, err = session:renew(call.began, function() return node_trees.root(ask, call.map) end, call.deadline)
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
  local tree, err = node_trees.of(client.listeners, connection_id, map, function(message, matches)
    return request(read, connection_id, message, matches)
  end)
  if not tree then return nil, err end
  if not tree.sessions then
    return record_by(read, connection_id, point_read.ways_of_partition(read.key, client:partition_of(read.key)))
  end
  local session
  session, err = node_trees.session(tree, map, node)
  if not session then return nil, err end
  return record_by_session(read, connection_id, session)
end

return M
