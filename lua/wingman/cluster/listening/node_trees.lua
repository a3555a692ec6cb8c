--- The Merkle trees of nodes on their listening connections: which kind a node has, and the state that all readers of a
--- connection share. Every question about trees there goes through this module, so that none disturbs another.
local core = require "wingman.core"
local errors = require "wingman.base.error"
local large_leaves = require "wingman.cluster.listening.large_leaves"
local loop = require "wingman.loop"
local merkle_walk = require "wingman.cluster.merkle_walk"
local msgpack = require "wingman.base.msgpack"
local tree_session = require "wingman.cluster.listening.tree_session"
local wire_name = require "wingman.base.wire_name"

local M = {}

--- Seconds until the reason for the end of a connection is known at the latest.
local END_IS_KNOWN = 1

---@class wingman.node_tree  of a v2 node, on one connection
---@field connects integer  how often the connection was made when this was found
---@field sessions table<string, wingman.tree_session>|false  by map; false: the tree has paths for each partition

---@alias wingman.node_trees.ask fun(message: table, matches: fun(message: table): any): table|nil, any

--- Recognises an answer of this type about a map.
---@param type_name string
---@param map_name string
---@return fun(message: table): boolean
function M.about(type_name, map_name)
  return function(message)
    local payload = message.payload
    return message.type == type_name and type(payload) == "table" and payload.mapName == map_name
  end
end

--- Which tree a v2 node has. Servers newer than 2.2.0 with disk storage are silent about the paths of partitions. They
--- are known by a field of the answer about OR-maps, which is asked for once for each connection, unless its release is 2.2.0.
---@param listeners wingman.listeners
---@param connection_id integer
---@param map string
---@param ask wingman.node_trees.ask
---@return wingman.node_tree|nil, any err
function M.of(listeners, connection_id, map, ask)
  local info = listeners.core:connection_info(connection_id)
  local connects, known = info.connects, listeners.trees[connection_id]
  if known and known.connects == connects then return known end
  if info.release == "2.2.0" then
    listeners.trees[connection_id] = { connects = connects, sessions = false }
    return listeners.trees[connection_id]
  end
  local answer, err = ask({ type = "ORMAP_DIFF_REQUEST", payload = { mapName = map, keys = msgpack.array {} } }, M.about("ORMAP_DIFF_RESPONSE", map))
  if not answer then return nil, err end
  local epoch = answer.payload.coveringEpoch
  local has_sessions = epoch ~= nil and epoch ~= core.null
  known = listeners.trees[connection_id]
  -- Another reader may have had the same answer meanwhile, and have sessions.
  if not known or known.connects ~= connects then
    known = { connects = connects, sessions = has_sessions and {} }
    listeners.trees[connection_id] = known
  end
  return known
end

--- What readers share of a map where a node lists it for each connection anew. nil, err when it holds none of this name.
---@param tree wingman.node_tree
---@param map string
---@param node wingman.node
---@return wingman.tree_session|nil, wingman.error|nil
function M.session(tree, map, node)
  if not core.v2_stores_map(map) then
    return nil, errors.new("UNSUPPORTED", ("map %s: %s is a v2 server newer than 2.2.0 with disk storage, and holds no map of this name; see the option check_map_names")
      :format(wire_name.shown(map), node.id or node.url), { map = map, node = node.id })
  end
  tree.sessions[map] = tree.sessions[map] or tree_session.new()
  return tree.sessions[map]
end

--- Asks for the root of a map, which makes a new list of it.
---@param ask wingman.node_trees.ask
---@param map string
---@return integer|nil root, any err
function M.root(ask, map)
  local answer, err = ask({ type = "SYNC_INIT", mapName = map, lastSyncTimestamp = 0 }, M.about("SYNC_RESP_ROOT", map))
  if not answer then return nil, err end
  local root = answer.payload.rootHash
  if type(root) ~= "number" then return nil, "the root is no number" end
  return root
end

-- Reads the whole list while it stays as it is.
local function each_listed(requests, connection_id, session, ask, map, fn, deadline)
  local ok, err, unanswered = session:renew(loop.now(), function() return M.root(ask, map) end, deadline)
  if not ok then return nil, err end
  session:walk(function()
    ok, err, unanswered = merkle_walk.below(requests, connection_id, map, fn, deadline)
    return ok
  end, deadline)
  if not ok then return nil, err, unanswered end
  return true
end

local function walk(listeners, node, connection_id, map, fn, deadline)
  local requests = listeners.requests
  if node.dialect ~= "v2" then return merkle_walk.each(requests, connection_id, map, fn, deadline) end
  local function ask(message, matches)
    local left = deadline and math.max(0, deadline - loop.now()) or math.huge
    return requests:request(connection_id, message, matches, math.min(left, merkle_walk.SILENCE))
  end
  local tree, err = M.of(listeners, connection_id, map, ask)
  if not tree then return nil, err end
  if not tree.sessions then return merkle_walk.each(requests, connection_id, map, fn, deadline) end
  local session
  session, err = M.session(tree, map, node)
  if not session then return nil, err end
  return each_listed(requests, connection_id, session, ask, map, fn, deadline or math.huge)
end

-- Whether the connection may have ended in place of an answer. That nothing can be sent any more may be known before why.
local function was_cut_short(listeners, node, ends_before)
  loop.wait_until(function() return listeners.closed or listeners:ends_of(node) > ends_before end, END_IS_KNOWN)
  local _, is_so = listeners:ends_of(node)
  return is_so and not listeners.closed
end

--- Visits every record that a node holds of a map, as merkle_walk.each, on its listening connection. Waits for that, too.
--- When the connection ends meanwhile, a leaf that is too large to be sent is looked for (wingman.cluster.listening.large_leaves).
---@param listeners wingman.listeners
---@param node wingman.node
---@param map string
---@param fn fun(key: string, record: table)
---@param deadline number|nil  of loop.now: "timeout" then; default: the walk may last, and the connection may take 30 s
---@return boolean|nil ok, string|wingman.error|nil err
function M.each(listeners, node, map, fn, deadline)
  local patience = deadline or loop.now() + merkle_walk.SILENCE
  local connection_id, problem = listeners:await(node, patience)
  if not connection_id then return nil, problem end
  local known = large_leaves.known_of(listeners, node, connection_id, map)
  if known then return nil, known end
  local ends_before = listeners:ends_of(node)
  local ok, err, unanswered = walk(listeners, node, connection_id, map, fn, deadline)
  if ok or not unanswered or not was_cut_short(listeners, node, ends_before) then return ok, err end
  return nil, large_leaves.among(listeners, node, map, unanswered, deadline or loop.now() + merkle_walk.SILENCE) or err
end

return M
