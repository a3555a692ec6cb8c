--- Writes of users that another client's copy does not show yet. A write is known by its key and the hash of
--- its value; it has arrived when the copy shows it, or a later one of the same key.
local loop = require "wingman.loop"

local M = {}

---@class wingman.load.pending_write
---@field hash number|false   of the value; false: a removal
---@field us number           when it was due
---@field tag integer         of its scenario, or of the group in it
---@field package future wingman.future|nil  for those who wait

---@class wingman.load.pending
---@field count integer       writes
---@field package by_key table<string, wingman.load.pending_write[]>  the oldest first
---@field package known table<string, boolean>  keys that were written
local methods = {}
methods.__index = methods

---@return wingman.load.pending
function M.new() return setmetatable({ count = 0, by_key = {}, known = {} }, methods) end

--- Whether the key was written since the map has been followed.
---@param key string
---@return boolean
function methods:knows(key) return self.known[key] ~= nil end

---@param key string
---@param write wingman.load.pending_write
function methods:add(key, write)
  self.known[key] = true
  local list = self.by_key[key]
  if not list then
    list = {}
    self.by_key[key] = list
  end
  list[#list + 1] = write
  self.count = self.count + 1
end

--- A write that is not waited for.
---@param key string
function methods:pass(key) self.known[key] = true end

--- The writes of the key that are pending; nil: none.
---@param key string
---@return wingman.load.pending_write[]|nil
function methods:of(key) return self.by_key[key] end

--- Ends the `count` oldest writes of a key, and calls `fn` with each.
---@param key string
---@param count integer
---@param fn fun(write: wingman.load.pending_write)
function methods:finish(key, count, fn)
  local list, left = self.by_key[key], {}
  for i = count + 1, #list do left[i - count] = list[i] end
  self.by_key[key] = left[1] and left or nil
  self.count = self.count - count
  for i = 1, count do
    fn(list[i])
    if list[i].future then list[i].future:resolve(true) end
  end
end

--- The keys of pending writes.
---@return string[]
function methods:keys()
  local keys = {}
  for key in pairs(self.by_key) do keys[#keys + 1] = key end
  return keys
end

--- Waits until the newest write of the key has arrived; nil after the timeout.
---@param key string
---@param timeout number  seconds
---@return boolean|nil
function methods:wait(key, timeout)
  local list = self.by_key[key]
  if not list then return true end
  local write = list[#list]
  write.future = write.future or loop.future()
  return write.future:wait(timeout)
end

return M
