--- The sync engine: hands what was recorded to the provider at the end of each
--- tick, and keeps what could not be sent. It does not know whether there is one
--- server or a cluster: it tests for `send_batch` and nothing else.
local operations_module = require "wingman.operations"

local M = {}

---@class wingman.sync_engine
---@field provider table
local methods = {}
methods.__index = methods

--- Keys that one warning names at most.
local NAMED_KEYS = 20

---@param core userdata   wingman.core.client
---@param provider table  a connection provider
---@param log_to fun(level: string, event: string, fields: table)
---@return wingman.sync_engine
function M.new(core, provider, log_to)
  local self = setmetatable({ core = core, provider = provider, log_to = log_to, flushed = 0 }, methods)
  -- A provider with a transport of its own says what became of a batch.
  provider:on("acknowledged", function(last_id) core:foreign_ack(last_id) end)
  provider:on("released", function() core:foreign_release() end)
  return self
end

-- One structured warning for all keys that could not be sent; they stay pending.
local function warn_failed(self, results)
  local keys, count = {}, 0
  for key, sent in pairs(results) do
    if not sent then
      count = count + 1
      if count <= NAMED_KEYS then keys[count] = key end
    end
  end
  if count == 0 then return end
  table.sort(keys)
  self.log_to("warn", "send_batch_failed", { failed_keys = keys, count = count })
end

--- Hands over what was recorded since the last call. Once a tick.
function methods:flush()
  local _, _, _, last = self.core:pending()
  if last == self.flushed then return end
  local operations = operations_module.new(self.core, self.flushed, last)
  self.flushed = last
  local provider = self.provider
  if provider.send_batch then
    warn_failed(self, provider:send_batch(operations))
  else
    provider:send(operations)
  end
end

return M
