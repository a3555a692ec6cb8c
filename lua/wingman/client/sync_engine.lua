--- The sync engine: hands what was recorded to the provider at the end of each
--- tick, and keeps what could not be sent. It does not know whether there is one
--- server or a cluster: it tests for `send_batch` and nothing else.
local loop = require "wingman.loop"
local operations_module = require "wingman.client.operations"
local sorted = require "wingman.base.sorted"

local M = {}

---@class wingman.sync_engine
---@field provider table
---@field private starting table<string, true>|nil  while the client starts: keys that wait for their first route
---@field private starting_count integer
local methods = {}
methods.__index = methods

--- Keys that one warning names at most.
local NAMED_KEYS = 20
--- Held keys of writes before the end of the start that are looked at when it ends.
local REMEMBERED_KEYS = 1000
--- Seconds between two warnings.
local WARNING_INTERVAL = 1

---@param core userdata   wingman.core.client
---@param provider table  a connection provider
---@param log_to fun(level: string, event: string, fields: table)
---@return wingman.sync_engine
function M.new(core, provider, log_to)
  local _, _, _, last = core:pending() -- what the op log's file brought leaves with the routes, unannounced
  local self = setmetatable({ core = core, provider = provider, log_to = log_to, flushed = last, failed = {} }, methods)
  -- A provider with a transport of its own says what became of a batch.
  provider:on("acknowledged", function(last_id) core:foreign_ack(last_id) end)
  provider:on("released", function() core:foreign_release() end)
  return self
end

-- One structured warning for all keys that failed since the last one.
local function warn(self)
  local keys = sorted.keys(self.failed)
  if #keys == 0 then return end
  self.failed = {}
  local count = #keys
  for i = count, NAMED_KEYS + 1, -1 do keys[i] = nil end
  self.log_to("warn", "send_batch_failed", { failed_keys = keys, count = count })
end

-- Remembers keys that were recorded before all routes can be there.
local function note_early(self, results)
  for key, sent in pairs(results) do
    if self.starting_count >= REMEMBERED_KEYS then return end
    if not sent and not self.starting[key] then
      self.starting[key], self.starting_count = true, self.starting_count + 1
    end
  end
end

-- The first failure is logged at once, further ones at most once a second.
local function note_failed(self, results)
  if self.starting then return note_early(self, results) end
  for key, sent in pairs(results) do
    if not sent then self.failed[key] = true end
  end
  if self.warn_timer or next(self.failed) == nil then return end
  warn(self)
  local function tell_the_rest()
    self.warn_timer = next(self.failed) and loop.timer(WARNING_INTERVAL, tell_the_rest) or nil
    warn(self)
  end
  self.warn_timer = loop.timer(WARNING_INTERVAL, tell_the_rest)
end

--- The client begins to start: that there are no routes yet, or not all, is nothing to warn of.
function methods:start_begins() self.starting, self.starting_count = {}, 0 end

--- The start has ended, and every node that can be reached has its routes: a key without a route is
--- now reported. Does nothing the second time.
function methods:start_is_over()
  local early, results = self.starting, {}
  if not early then return end
  self.starting = nil
  for key in pairs(early) do results[key] = self.provider:node_of(key) ~= nil end
  note_failed(self, results)
end

--- Whether something was recorded since the last flush.
function methods:has_work()
  local _, _, _, last = self.core:pending()
  return last ~= self.flushed
end

--- Hands over what was recorded since the last call. Once a tick.
function methods:flush()
  local _, _, _, last = self.core:pending()
  if last == self.flushed then return end
  local operations = operations_module.new(self.core, self.flushed, last)
  self.flushed = last
  local provider = self.provider
  if provider.send_batch then
    note_failed(self, provider:send_batch(operations))
  else
    provider:send(operations)
  end
end

--- Ends its timer.
function methods:close()
  if self.warn_timer then self.warn_timer:cancel() end
end

return M
