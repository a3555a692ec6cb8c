--- What the sync engine gives to a provider: the operations recorded since the last
--- time. A view: nothing is copied before it is read.
local M = {}

---@class wingman.operation
---@field key string        the routing key
---@field id string
---@field seq integer
---@field partition integer
---@field routed boolean    it has a route now
---@field in_flight boolean  sent and not yet acknowledged
---@field bytes string      the operation's MessagePack map

---@class wingman.operations
---@field is_operations true
---@field first integer  seq of the first
---@field last integer   seq of the last
local methods = {}
methods.__index = methods
methods.is_operations = true

---@param core userdata  wingman.core.client
---@param after integer   seq after which they were recorded
---@param last integer
---@return wingman.operations
function M.new(core, after, last)
  return setmetatable({ core = core, first = after + 1, last = last }, methods)
end

--- The operations that are still in the log, each with its key. Costs a table per
--- operation: for providers that are not built on the core, and for tests.
---@return wingman.operation[]
function methods:list() return self.core:operations(self.first - 1) end

--- The keys of the operations that lost their route since the last call, 1,000 at most.
---@return table<string, false>
function methods:newly_held() return self.core:newly_held(self.first - 1) end

--- Everything pending as one OP_BATCH message, for a provider with a transport of
--- its own. The operations count as sent until the engine is given `acknowledged` or
--- `released` from it; nil when there is nothing to send.
---@return string|nil message
---@return integer count
function methods:op_batch() return self.core:foreign_take() end

return M
