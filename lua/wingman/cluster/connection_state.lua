--- The state of a client's connection to its cluster, with its history.
local loop = require "wingman.loop"

local M = {}

--- What each state means.
M.states = {
  DISCONNECTED = "nothing is connected and nothing is tried",
  CONNECTING = "sockets are being opened",
  AUTHENTICATING = "at least one socket is open, none is authenticated",
  SYNCING = "authenticated; node ids, partition map or hash are not known yet",
  CONNECTED = "operations flow",
  BACKOFF = "nothing is connected; a try is due later",
  ERROR = "given up: see the reason of the last change",
}

--- Changes that are remembered.
local HISTORY = 100

---@class wingman.connection_state
---@field current string
---@field history { from: string, to: string, reason: string|nil, at: number }[]  oldest first; `at` as loop.now()
local methods = {}
methods.__index = methods

---@param on_change fun(to: string, from: string, reason: string|nil)|nil
---@return wingman.connection_state
function M.new(on_change)
  return setmetatable({ current = "DISCONNECTED", history = {}, on_change = on_change }, methods)
end

--- The one place where the state changes. Staying is no change.
---@param to string
---@param reason string|nil
function methods:set(to, reason)
  assert(M.states[to], to)
  local from = self.current
  if from == to then return end
  self.current = to
  local history = self.history
  history[#history + 1] = { from = from, to = to, reason = reason, at = loop.now() }
  if #history > HISTORY then table.remove(history, 1) end
  if self.on_change then self.on_change(to, from, reason) end
end

return M
