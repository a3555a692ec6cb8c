--- Reading what one node holds of a map, by its Merkle tree: SYNC_INIT, then the
--- buckets that are not empty, down to the leaves. The number of requests in
--- flight is bounded, and so is the tree: what a node answers is not believed.
local core = require "wingman.core"
local loop = require "wingman.loop"
local merkle_answer = require "wingman.cluster.merkle_answer"
local protected = require "wingman.base.protected"
local requests_module = require "wingman.cluster.requests"
local sorted = require "wingman.base.sorted"

local M = {}

--- Seconds to wait for the answer about a root: a node that is well answers at once.
local ROOT_TIMEOUT = 2
--- The same for a path, each time that it is asked about. Between two of them the place above is asked about, as a v2
--- server is silent about a place that it holds nothing at: only a place that is listed above, and silent, is an error.
local PATH_TIMEOUTS = { 0.5, 1, 3 }
--- Seconds for which a node that is being read may say nothing at all: server 2.2.0 with an
--- overload behind it was silent for 10 on a machine that had much else to do.
M.SILENCE = 30
--- Requests in flight during a whole walk.
local IN_FLIGHT = 64
--- Paths of a whole walk: trees of three levels for each of 271 partitions are
--- 271 * 4369.
local PATHS_MAX = 2 ^ 21

-- Paths of the children that hold something, sorted. nil and what is wrong.
local function children(path, buckets)
  local paths, hashes = merkle_answer.children(path, buckets)
  if not paths then return nil, hashes end
  local held = {}
  for _, child in ipairs(paths) do
    if hashes[child] ~= 0 then held[#held + 1] = child end
  end
  return held
end

local ask

-- Whether the node still has something at a path, by what it says of the place above. nil, err.
local function is_listed(requests, connection_id, map_name, path)
  if path == "" then
    local root, err = M.root(requests, connection_id, map_name, M.SILENCE)
    if not root then return nil, err end
    return root.rootHash ~= 0
  end
  local above = path:sub(1, -2)
  local answer, err = ask(requests, connection_id, map_name, above)
  if not answer then return answer, err end
  if answer.type ~= "SYNC_RESP_BUCKETS" then return false end
  local paths, wrong = children(above, answer.payload.buckets)
  if not paths then return nil, wrong end
  for _, child in ipairs(paths) do
    if child == path then return true end
  end
  return false
end

-- The answer about a path; false: the node has nothing there any more. nil and why there is no answer.
function ask(requests, connection_id, map_name, path)
  local question = { type = "MERKLE_REQ_BUCKET", payload = { mapName = map_name, path = path } }
  for _, timeout in ipairs(PATH_TIMEOUTS) do
    local answer, err = requests:request(connection_id, question, merkle_answer.matches(map_name, path), timeout)
    if answer or err ~= "timeout" then return answer, err end
    local is_there
    is_there, err = is_listed(requests, connection_id, map_name, path)
    if not is_there then return is_there, err end
  end
  return nil, "timeout"
end

-- One step down: the records of a leaf, or the paths below. nil, nil and what is
-- wrong.
local function bucket(requests, connection_id, map_name, path)
  local answer, err = ask(requests, connection_id, map_name, path)
  if answer == false then return {} end -- it was emptied since it was listed
  if not answer then return nil, nil, err end
  if answer.type == "SYNC_RESP_BUCKETS" then
    local paths, wrong = children(path, answer.payload.buckets)
    return nil, paths, wrong
  end
  local records, wrong = merkle_answer.records(answer.payload.records)
  return records, nil, wrong
end

--- Asks a node for the root of a map. The answer's payload holds rootHash and
--- timestamp, whose nodeId is the node's id; neither is checked here.
---@param requests wingman.requests
---@param connection_id integer
---@param map_name string
---@param timeout number|nil  seconds
---@return table|nil payload, string|nil err
function M.root(requests, connection_id, map_name, timeout)
  local answer, err = requests:request(connection_id, { type = "SYNC_INIT", mapName = map_name, lastSyncTimestamp = 0 },
    function(message)
      return (message.type == "SYNC_RESP_ROOT" or message.type == "SYNC_RESET_REQUIRED")
        and type(message.payload) == "table" and message.payload.mapName == map_name
    end, timeout or ROOT_TIMEOUT)
  if not answer then return nil, err end
  return answer.payload
end

--- The id of the node at the other end of a connection, which is never guessed from a URL: the answer about a root
--- has it. nil, err.
---@param requests wingman.requests
---@param connection_id integer
---@param map_name string
---@return string|nil id, string|wingman.error|nil err
function M.node_id(requests, connection_id, map_name)
  local root, err = M.root(requests, connection_id, map_name)
  if not root then return nil, err end
  local id = type(root.timestamp) == "table" and root.timestamp.nodeId
  if type(id) == "string" and id ~= "" then return id end
  return nil, "the answer has no node id"
end

--- The map whose root is asked for on a connection: one of the script's, to which it has the
--- rights. Of a v2 server not one whose name it does not store: the newest is silent about it.
---@param client_core userdata  wingman.core.client
---@param connection_id integer
---@param names string[]  the script's maps
---@param otherwise string
---@return string
function M.askable_map(client_core, connection_id, names, otherwise)
  local is_v2 = client_core:connection_info(connection_id).dialect == "v2"
  for _, name in ipairs(names) do
    if not is_v2 or core.v2_stores_map(name) then return name end
  end
  return otherwise
end

--- The records of the leaf at a path: { key, record } each. nil, err when no leaf
--- is there.
---@param requests wingman.requests
---@param connection_id integer
---@param map_name string
---@param path string
---@return table[]|nil records, string|nil err
function M.leaf(requests, connection_id, map_name, path)
  local records, _, err = bucket(requests, connection_id, map_name, path)
  return records, not records and (err or "no leaf is there") or nil
end

--- The records of the first leaf that has any: nil when the map is empty there.
---@return table[]|nil records, string|nil path_or_err
function M.first_leaf(requests, connection_id, map_name)
  local path = ""
  while true do
    local records, paths, err = bucket(requests, connection_id, map_name, path)
    if records and records[1] then return records, path end
    path = paths and paths[1]
    if not path then return nil, err or "empty" end
  end
end

-- Whether the connection has ended.
local function is_loss(err) return type(err) == "string" and err:find(requests_module.LOST, 1, true) == 1 end

-- Goes on when a path has been visited. False at the deadline.
local function await_visit(walk, deadline)
  local wake = loop.future()
  walk.wake = wake
  local left = deadline and deadline - loop.now()
  if left and left <= 0 then return false end
  local _, err = wake:wait(left)
  return err ~= "timeout"
end

local function give(records, fn)
  for _, entry in ipairs(records) do fn(entry.key, entry.record) end
end

--- As `each`, when the node has just answered about the root.
---@param requests wingman.requests
---@param connection_id integer
---@param map_name string
---@param fn fun(key: string, record: table)  does not wait; what it raises ends the visits, and is raised here
---@param deadline number|nil  of loop.now: "timeout" then
---@return boolean|nil ok, string|wingman.error|nil err, string[]|nil paths  that were asked about when the connection ended
function M.below(requests, connection_id, map_name, fn, deadline)
  local queue, failure, running, known = { "" }, nil, 0, 1
  local walk, asked = { wake = nil }, {}
  local function visit(path)
    asked[path] = true
    local records, paths, err = bucket(requests, connection_id, map_name, path)
    if is_loss(err) then walk.unanswered = walk.unanswered or sorted.keys(asked) end
    asked[path] = nil
    running = running - 1
    if walk.is_over then return end
    if err then failure = failure or type(err) == "table" and err or ("path '" .. path .. "': " .. tostring(err)) end
    local called, raised = protected.call(give, records or {}, fn)
    if not called then walk.raised, failure = raised, failure or "raised" end
    for _, child in ipairs(paths or {}) do queue[#queue + 1] = child end
    known = known + #(paths or {})
    if known > PATHS_MAX then failure = failure or "the tree is larger than one can be" end
    walk.wake:resolve()
  end
  while not failure and (running > 0 or #queue > 0) do
    while running < IN_FLIGHT and #queue > 0 do
      running = running + 1
      loop.spawn(visit, table.remove(queue))
    end
    if not await_visit(walk, deadline) then failure = failure or "timeout" end
  end
  walk.is_over = true
  if walk.raised then error(walk.raised, 0) end
  if failure then return nil, failure, walk.unanswered end
  return true
end

--- Visits every record that a node holds of a map, in no order; tombstones included (record.value is
--- null). On an error, visits made before do not count.
---@param requests wingman.requests
---@param connection_id integer
---@param map_name string
---@param fn fun(key: string, record: table)
---@param deadline number|nil  of loop.now: "timeout" then
---@return boolean|nil ok, string|wingman.error|nil err, string[]|nil paths  that were asked about when the connection ended
function M.each(requests, connection_id, map_name, fn, deadline)
  local left = deadline and math.max(deadline - loop.now(), 0) or M.SILENCE
  local root, err = M.root(requests, connection_id, map_name, math.min(left, M.SILENCE))
  if not root then return nil, err end
  if root.rootHash == 0 then return true end
  return M.below(requests, connection_id, map_name, fn, deadline)
end

return M
