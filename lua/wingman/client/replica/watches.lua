--- The functions that a script wants to be called with the values of a replicated map: what is there first,
--- and what becomes of it. Final values: for a key that changes often before the loop gets to it they are called once.
local loop = require "wingman.loop"

local M = {}

---@class wingman.watch
---@field package list wingman.watches
---@field package key string|nil     nil: every key
---@field package fn function
---@field package wants_first boolean  what was there already
---@field package wants_own boolean    what this client writes
---@field package position integer|nil  where the calls for what was there go on; nil: they are over
local watch_methods = {}
watch_methods.__index = watch_methods

---@class wingman.watches
---@field package all wingman.watch[]
---@field is_open fun(): boolean    the copy and its client are
---@field has_begun fun(): boolean  the core has a replica
---@field lives wingman.live_query[]  they get every change, before the watches
local methods = {}
methods.__index = methods

---@param client wingman.client
---@param map wingman.map
---@return wingman.watches
function M.new(client, map) return setmetatable({ client = client, map = map, all = {}, lives = {}, what = ("watch of map '%s'"):format(map.name) }, methods) end

--- Ends the calls of the watch's function. Safe twice.
function watch_methods:close()
  local left = {}
  for _, watch in ipairs(self.list.all) do
    if watch ~= self then left[#left + 1] = watch end
  end
  self.list.all, self.is_closed = left, true
end

local function call(self, watch, key, value, origin)
  if watch.is_closed or (watch.key and watch.key ~= key) then return end
  if (origin == "snapshot" and not watch.wants_first) or (origin == "local" and not watch.wants_own) then return end
  self.client:call_back(self.what, function() watch.fn(key, value, origin) end)
end

---@param key string|nil
---@param fn fun(key: string, value: any, origin: string)
---@param options { initial: boolean, own: boolean }  whether it is called for what is there, and for what this client writes
---@return wingman.watch
function methods:add(key, fn, options)
  local watch = setmetatable({
    list = self, key = key, fn = fn, wants_first = options.initial, wants_own = options.own, position = options.initial and 0 or nil,
  }, watch_methods)
  local all = { unpack(self.all) } -- a new list: calls may be under way
  all[#all + 1] = watch
  self.all = all
  if self.has_begun() then self.map.core_map:replica_watch(options.own) end
  return watch
end

-- Calls the watch with the next value that was there when it began.
local function call_first(self, watch)
  local core_map = self.map.core_map
  if watch.key then
    watch.position = nil
    local value = core_map:get(watch.key)
    if value ~= nil then call(self, watch, watch.key, value, "snapshot") end
    return
  end
  local position, key, value = core_map:next(watch.position)
  watch.position = position
  if position then call(self, watch, key, value, "snapshot") end
end

local function is_late(deadline) return deadline and loop.now() >= deadline end

--- Makes the calls that are due; with a deadline (of loop.now) one at least, and none after it. True when some are
--- left.
---@param deadline number|nil
---@return boolean
function methods:work(deadline)
  local core_map = self.map.core_map
  for _, watch in ipairs(self.all) do
    while watch.position and not watch.is_closed and self.is_open() do
      call_first(self, watch)
      if is_late(deadline) then return true end
    end
  end
  while self.is_open() and core_map:replica_changes() > 0 do
    local key, origin, value = core_map:replica_next_change()
    if not key then break end -- the changes that were left had been reported
    for _, live in ipairs(self.lives) do live:note(key, value) end
    for _, watch in ipairs(self.all) do call(self, watch, key, value, origin) end
    if origin ~= "snapshot" and origin ~= "local" then self.map.events:emit("change", key, value, origin) end
    if is_late(deadline) then return true end
  end
  return false
end

--- Whether a watch is called for what this client writes.
---@return boolean
function methods:wants_own()
  for _, watch in ipairs(self.all) do
    if watch.wants_own then return true end
  end
  return false
end

--- Whether somebody watches.
---@return boolean
function methods:is_used() return self.all[1] ~= nil end

--- Ends all watches.
function methods:close()
  for _, watch in ipairs(self.all) do watch.is_closed = true end
  self.all = {}
end

return M
