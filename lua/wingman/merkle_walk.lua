--- Reading what one node holds of a map, by its Merkle tree: SYNC_INIT, then the
--- buckets that are not empty, down to the leaves. The number of requests in
--- flight is bounded.
local loop = require "wingman.loop"

local M = {}

--- Seconds to wait for each answer: a v2 server answers an unknown path never.
local ANSWER_TIMEOUT = 2
--- Requests in flight during a whole walk.
local IN_FLIGHT = 64

local function is_answer(map_name, path)
  return function(message)
    local payload = message.payload
    return (message.type == "SYNC_RESP_BUCKETS" or message.type == "SYNC_RESP_LEAF")
      and payload.mapName == map_name and payload.path == path
  end
end

local function bucket(replies, lane, map_name, path)
  return replies:request(lane, { type = "MERKLE_REQ_BUCKET", payload = { mapName = map_name, path = path } },
    is_answer(map_name, path), ANSWER_TIMEOUT)
end

--- Asks a node for the root of a map. The answer's payload holds rootHash and
--- timestamp, whose nodeId is the node's id.
---@param replies wingman.replies
---@param lane integer
---@param map_name string
---@param timeout number|nil  seconds
---@return table|nil payload, string|nil err
function M.root(replies, lane, map_name, timeout)
  local answer, err = replies:request(lane, { type = "SYNC_INIT", mapName = map_name, lastSyncTimestamp = 0 },
    function(message)
      return (message.type == "SYNC_RESP_ROOT" or message.type == "SYNC_RESET_REQUIRED")
        and message.payload and message.payload.mapName == map_name
    end, timeout or ANSWER_TIMEOUT)
  if not answer then return nil, err end
  return answer.payload
end

-- Paths of the children that hold something; a key may already be a whole path.
local function children(path, buckets)
  local paths = {}
  for digit, hash in pairs(buckets) do
    if hash ~= 0 then paths[#paths + 1] = #digit > 1 and digit or path .. digit end
  end
  table.sort(paths)
  return paths
end

--- The records of the first leaf that has any: nil when the map is empty there.
---@return table[]|nil records, string|nil path_or_err
function M.first_leaf(replies, lane, map_name)
  local path = ""
  for _ = 0, 8 do
    local answer, err = bucket(replies, lane, map_name, path)
    if not answer then return nil, err end
    if answer.type == "SYNC_RESP_LEAF" then
      if #answer.payload.records > 0 then return answer.payload.records, path end
      return nil, "empty"
    end
    path = children(path, answer.payload.buckets)[1]
    if not path then return nil, "empty" end
  end
  return nil, "the tree is deeper than it can be"
end

--- Every record that a node holds of a map, as { key = record }; tombstones
--- included (record.value is null).
---@return table<string, table>|nil records, string|nil err
function M.records(replies, lane, map_name)
  local found, queue, failure = {}, { "" }, nil
  local running = 0
  local wake = loop.future()
  local function visit(path)
    local answer, err = bucket(replies, lane, map_name, path)
    if not answer then
      failure = failure or ("path '" .. path .. "': " .. tostring(err))
    elseif answer.type == "SYNC_RESP_LEAF" then
      for _, entry in ipairs(answer.payload.records) do found[entry.key] = entry.record end
    else
      for _, child in ipairs(children(path, answer.payload.buckets)) do queue[#queue + 1] = child end
    end
    running = running - 1
    wake:resolve()
  end
  local root, err = M.root(replies, lane, map_name)
  if not root then return nil, err end
  if root.rootHash == 0 then return found end
  while not failure and (running > 0 or #queue > 0) do
    while running < IN_FLIGHT and #queue > 0 do
      running = running + 1
      loop.spawn(visit, table.remove(queue))
    end
    wake:wait()
    wake = loop.future()
  end
  if failure then return nil, failure end
  return found
end

return M
