--- Leaves that a v2 server cannot send, as they are of more than 512 KiB: it closes the connection instead, without a
--- code and without a word. A question during which the connection ends twice, the second time as the only one and in this
--- way, is about such a leaf. It is not asked again for a while, as other readers need the connection.
local errors = require "wingman.base.error"
local loop = require "wingman.loop"
local merkle_answer = require "wingman.cluster.merkle_answer"
local requests_module = require "wingman.cluster.requests"
local wire_name = require "wingman.base.wire_name"

local M = {}

--- Seconds for which a leaf counts as too large without a new question. Afterwards it may be smaller.
local KNOWN = 10
--- With more known leaves than these, those whose time is up are forgotten.
local MOST_KNOWN = 1000

---@class wingman.large_leaf
---@field connection_id integer
---@field map string
---@field path string
---@field ends number  of loop.now: until when it is known

local function name_of(connection_id, map, path) return ("%d/%s/%s"):format(connection_id, path, map) end

local function error_of(node, map, path)
  return errors.new("TOO_LARGE", ("map %s: %s holds records of more than 512 KiB together at path '%s' of its tree, and a v2 server closes the connection in place of sending so much")
    :format(wire_name.shown(map), node.id or node.url, path), { map = map, node = node.id, path = path, retriable = false })
end

--- The error when a leaf was found to be too large lately; else nil.
---@param listeners wingman.listeners
---@param node wingman.node
---@param connection_id integer
---@param map string
---@param path string
---@return wingman.error|nil
function M.known(listeners, node, connection_id, map, path)
  if next(listeners.large) == nil then return nil end
  local leaf = listeners.large[name_of(connection_id, map, path)]
  if leaf and loop.now() < leaf.ends then return error_of(node, map, path) end
end

--- The same for any leaf of a map.
---@param listeners wingman.listeners
---@param node wingman.node
---@param connection_id integer
---@param map string
---@return wingman.error|nil
function M.known_of(listeners, node, connection_id, map)
  for _, leaf in pairs(listeners.large) do
    if leaf.connection_id == connection_id and leaf.map == map and loop.now() < leaf.ends then return error_of(node, map, leaf.path) end
  end
end

local function forget_old(listeners)
  local count = 0
  for name, leaf in pairs(listeners.large) do
    if loop.now() < leaf.ends then count = count + 1 else listeners.large[name] = nil end
  end
  if count >= MOST_KNOWN then listeners.large = {} end
end

-- Notes that a leaf is too large; the error.
local function found(listeners, node, connection_id, map, path)
  forget_old(listeners)
  listeners.large[name_of(connection_id, map, path)] = { connection_id = connection_id, map = map, path = path, ends = loop.now() + KNOWN }
  return error_of(node, map, path)
end

--- Whether a wait ended as it does when an answer is too large.
---@param reason any
---@return boolean
function M.is_suspect(reason) return reason == requests_module.CUT_SHORT or reason == requests_module.CUT_SHORT_ALONE end

--- What the end of a question about a path says that was cut short before: the error when it is about a leaf that is too
--- large; else the reason.
---@param listeners wingman.listeners
---@param node wingman.node
---@param connection_id integer
---@param map string
---@param path string
---@param reason any
---@return any
function M.verdict(listeners, node, connection_id, map, path, reason)
  if reason ~= requests_module.CUT_SHORT_ALONE then return reason end
  return found(listeners, node, connection_id, map, path)
end

-- The listening connection of a node, as soon as it is ready; nil when it is in vain to wait.
local function ready(listeners, node, deadline)
  local function is_over() return listeners:of(node) or not node.usable or listeners.closed end
  loop.wait_until(is_over, math.max(0, deadline - loop.now()))
  return listeners:of(node)
end

-- Asks about one path, as the only one. False when it is in vain to ask about others; the error when it is a leaf that is too
-- large; else nil.
local function examine(listeners, node, map, path, deadline)
  local connection_id = ready(listeners, node, deadline)
  if not connection_id or listeners.closed then return false end
  local known = M.known(listeners, node, connection_id, map, path)
  if known then return known end
  local question = { type = "MERKLE_REQ_BUCKET", payload = { mapName = map, path = path } }
  local left = math.max(0, deadline - loop.now())
  local answer, reason = listeners.requests:request(connection_id, question, merkle_answer.matches(map, path), left)
  if answer then return nil end
  local verdict = M.verdict(listeners, node, connection_id, map, path, reason)
  return type(verdict) == "table" and verdict or nil
end

--- Asks about paths once more, one after the other: the error when one of them is a leaf that is too large; else nil. Waits.
---@param listeners wingman.listeners
---@param node wingman.node
---@param map string
---@param paths string[]
---@param deadline number  of loop.now
---@return wingman.error|nil
function M.among(listeners, node, map, paths, deadline)
  for _, path in ipairs(paths) do
    local err = listeners:alone(node, deadline, function() return examine(listeners, node, map, path, deadline) end)
    if err ~= nil then return err or nil end
  end
end

return M
