--- Histories made by hand, for specs of the checker.
package.path = "scripts/?.lua;" .. package.path
local history_module = require "chaos.history"

local M = {}

local NODES = { "node-1", "node-2", "node-3" }

---@class spec.chaos.story
---@field history chaos.history
---@field state chaos.state
local methods = {}
methods.__index = methods

--- A story of a cluster in which node-1 owns everything and all clients know that.
---@param dialect "v2"|"0.11"|nil
function M.story(dialect)
  local self = setmetatable({
    history = history_module.new(dialect or "v2", NODES),
    state = { nodes = { ["node-1"] = {}, ["node-2"] = {}, ["node-3"] = {} }, owners = setmetatable({}, { __index = function() return "node-1" end }) },
    now = 0, sessions = {},
  }, methods)
  self.history.arrivals = {}
  return self
end

function methods:tick()
  self.now = self.now + 1
  return self.now
end

--- A client that is connected to every node.
function methods:client(name)
  local client = self.history:client_started(name, self:tick())
  client.maps[1] = { at = self.now, owners = setmetatable({}, { __index = function() return "node-1" end }) }
  client.pending, client.counts = {}, nil
  for _, node in ipairs(NODES) do self:connect(name, node) end
  return client
end

function methods:connect(name, node)
  table.insert(self.history.clients[name].connections, { at = self:tick(), node = node })
  self.sessions[name .. node] = (self.sessions[name .. node] or 0) + (#name * 100 + tonumber(node:match "%d") * 1000)
end

--- A write that the client accepted.
function methods:write(name, key, kind)
  local op = self.history:invoke(name, key, kind or "set", self:tick())
  op.partition = 0
  self.history:recorded(op, history_module.time(self.now, 0, name), self:tick())
  return op
end

--- It comes to a node; `options`: session (default: the connection), foreign, refused.
function methods:arrive(op, node, options)
  options = options or {}
  if not self.history.arrivals then return end
  table.insert(self.history.arrivals, {
    node = node, key = op.key, time = op.time, session = options.session or self.sessions[op.client .. node],
    foreign = options.foreign or false, refused = options.refused or false,
  })
end

--- What a node holds of the key now.
function methods:hold(op, node)
  local is_v2_removal = self.history.dialect == "v2" and op.kind == "remove"
  self.state.nodes[node][op.key] = not is_v2_removal
    and { op = op.kind == "set" and op.id or nil, removed = op.kind == "remove", time = op.time } or nil
end

function methods:ack(op, node)
  self.history:acked(op, node, self:tick())
end

--- The whole way of a write.
function methods:written(name, key, kind, node)
  node = node or "node-1"
  local op = self:write(name, key, kind)
  self:arrive(op, node)
  self:hold(op, node)
  self:ack(op, node)
  return op
end

--- The node loses its memory and starts again.
function methods:restart(node)
  self.history:node_ended(node, self:tick())
  self.state.nodes[node] = {}
  self.history:node_started(node, self:tick())
end

return M
