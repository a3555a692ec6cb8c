--- Connections that send messages of the protocol and keep everything that comes back, for
--- specs of what servers do: on the simulated cluster and on the real server alike.
local core = require "wingman.core"
local eventually = require "spec.support.eventually"
local loop = require "wingman.loop"
local sessions = require "wingman.load.sessions"

local M = {}

--- Round trips after which an answer that is still missing will not come: a v2 server works
--- on several messages of a connection at once, so that one answer may overtake another.
local ROUND_TRIPS = 5

---@class spec.raw_connection
---@field heard table[]  every message that came, in the order of arrival
local methods = {}
methods.__index = methods

---@param message table
function methods:send(message) assert(self.own:send(self.id, message)) end

--- Waits for a message, also one that has come already.
---@param description string
---@param wanted fun(message: table): any
---@return table message
function methods:await(description, wanted)
  return eventually(description, function()
    for _, message in ipairs(self.heard) do
      if wanted(message) then return message end
    end
    return false, self.heard[#self.heard]
  end)
end

--- Waits until what the server has to say about everything sent before has come.
function methods:settle()
  for _ = 1, ROUND_TRIPS do
    self.pings = self.pings + 1
    local stamp = self.pings
    self:send { type = "PING", timestamp = stamp }
    self:await("PONG " .. stamp, function(message) return message.type == "PONG" and message.timestamp == stamp end)
  end
end

--- The payloads of the messages of a type that came.
---@param type string
---@return table[]
function methods:of_type(type)
  local found = {}
  for _, message in ipairs(self.heard) do
    if message.type == type then found[#found + 1] = message.payload end
  end
  return found
end

--- The payloads of all messages of a type, once so many came and no further one seems to.
---@param count integer
---@param type string
---@return table[]
function methods:expect(count, type)
  eventually(("%d messages %s"):format(count, type), function()
    local found = #self:of_type(type)
    return found >= count, found
  end)
  self:settle()
  return self:of_type(type)
end

--- Sends a batch of operations and waits for its acknowledgement.
---@param ops table[]
function methods:write(ops)
  self:send { type = "OP_BATCH", payload = { ops = ops } }
  local last = ops[#ops].id
  self:await("the acknowledgement of " .. last, function(message)
    return message.type == "OP_ACK" and message.payload.lastId == last
  end)
end

--- The root of a map at this node.
---@param map string
---@return integer
function methods:root(map)
  local before = #self.heard
  self:send { type = "SYNC_INIT", mapName = map }
  return eventually("the root of " .. map, function()
    for i = before + 1, #self.heard do
      local message = self.heard[i]
      if message.type == "SYNC_RESP_ROOT" and message.payload.mapName == map then return message.payload.rootHash end
    end
  end)
end

--- What this node holds of a key: { key, record }; nil for a key alone in its leaf that is not there.
---@param map string
---@param key string
---@return table|nil
function methods:leaf(map, key)
  local path = ("%08x"):format(core.hash_fnv1a(key)):sub(1, 3)
  self:send { type = "MERKLE_REQ_BUCKET", payload = { mapName = map, path = path } }
  self:settle()
  for i = #self.heard, 1, -1 do
    local message = self.heard[i]
    local is_it = message.type == "SYNC_RESP_LEAF" and message.payload.mapName == map and message.payload.path == path
    for _, entry in ipairs(is_it and message.payload.records or {}) do
      if entry.key == key then return entry end
    end
  end
end

--- Subscribes to a map and waits for the answer.
---@param map string
---@param query table
---@return table answer  the payload of QUERY_RESP
function methods:subscribe(map, query)
  M.ids = (M.ids or 0) + 1
  local id = "raw-" .. M.ids
  self:send { type = "QUERY_SUB", payload = { queryId = id, mapName = map, query = query } }
  return self:await("the answer to " .. id, function(message)
    return message.type == "QUERY_RESP" and message.payload.queryId == id
  end).payload
end

-- Operations --------------------------------------------------------------------

local function operation(type, map, key, value)
  M.ids = (M.ids or 0) + 1
  local timestamp = { millis = core.wall_ms(), counter = M.ids, nodeId = "raw" }
  return { id = "raw-op-" .. M.ids, mapName = map, key = key, opType = type, record = { value = value, timestamp = timestamp } }
end

function M.put(map, key, value) return operation("PUT", map, key, value) end

function M.remove(map, key) return operation("REMOVE", map, key, core.null) end

-- Opening -----------------------------------------------------------------------

-- A receiver that wants no message sees all of them, until its connection ends.
local function record(connection)
  local function keep(message)
    connection.heard[#connection.heard + 1] = message
    return false
  end
  loop.spawn(function() connection.own:receive(connection.id, keep) end)
end

--- Connections of one user to the first node of a cluster; they end with the test.
---@param shared spec.shared_cluster
---@param count integer
---@return spec.raw_connection ...
function M.open(shared, count)
  local own = assert(sessions.new {
    urls = { shared.cluster.urls[1] }, token = shared.cluster.token, capacity = count, metrics = core.op_metrics(),
    lost = function() end,
  })
  shared.clients[#shared.clients + 1] = own
  local opened = {}
  for id = 1, count do
    assert(own:connect(id))
    opened[id] = setmetatable({ own = own, id = id, heard = {}, pings = 0 }, methods)
    record(opened[id])
  end
  loop.sleep(0) -- their receivers begin
  return unpack(opened)
end

return M
