--- A map that a test follows: its copy in the users' client and that of the observer, and the users' writes that the
--- observer was not seen to show yet.
local loop = require "wingman.loop"
local pending = require "wingman.load.follow.pending"

local M = {}

---@class wingman.load.followed_map
---@field is_ready boolean     both copies have been equal to the cluster
---@field package run wingman.load.run
---@field package metrics wingman.metrics.replicas
---@field package own wingman.map
---@field package other wingman.map
---@field package writes wingman.load.pending
---@field package live wingman.live_query|nil  of the observer
---@field package unreported table<string, wingman.load.pending_write>  by key: the last write that the observer's copy shows, and its live query has not reported
local methods = {}
methods.__index = methods

-- What is seen ----------------------------------------------------------------------

-- The place behind the last of these writes that a value may be of: the first that has it, so that a time
-- is never too short where values repeat.
local function shown_of(list, hash)
  for i = 1, #list do
    if list[i].hash == hash then return i end
  end
end

-- Whether the cluster has put another client's write after those of the key, and both copies show it.
local function is_overtaken(self, key, hash)
  local own = self.own.core_map
  local _, is_own = own:replica_where(key)
  return is_own == false and own:value_hash(key) == hash
end

-- Looks whether writes of the key are over; after each change of one of the copies.
local function look(self, key)
  local list = self.writes:of(key)
  if not list then return end
  local hash = self.other.core_map:value_hash(key)
  local last = shown_of(list, hash)
  if last then
    local now_us = loop.now() * 1e6
    if self.live then self.unreported[key] = list[last] end
    self.writes:finish(key, last, function(write) self.metrics:seen(self.own.name, write.tag, now_us - write.us) end)
  elseif is_overtaken(self, key, hash) then
    self.writes:finish(key, #list, function(write) self.metrics:untimed(self.own.name, write.tag) end)
  end
end

-- What a live query reports ----------------------------------------------------------

-- A row has come, changed or gone. The watch may not have looked at the key yet. What was written by others, or went for
-- another row's sake, is of no write.
local function take_row(self, key)
  look(self, key)
  local write = self.unreported[key]
  self.unreported[key] = nil
  if not write or write.hash ~= self.other.core_map:value_hash(key) then return end
  self.metrics:reported(self.own.name, write.tag, loop.now() * 1e6 - write.us)
end

-- What was evaluated by now and made no row is in none.
local function forget_others(self)
  if next(self.unreported) and self.live:status().behind == 0 then self.unreported = {} end
end

--- Lets the observer run a live query of the map; true once it has its rows, or nil, err.
---@param query wingman.live_query_options
---@param timeout number  seconds
---@return boolean|nil, wingman.error|nil
function methods:show(query, timeout)
  local live = self.other.client:live_query(self.other.name, query)
  live:on("row", function(key) take_row(self, key) end)
  live:on("reset", function() self.unreported = {} end)
  live.reported_all = function() forget_others(self) end
  self.live = live
  return live:synced(timeout)
end

-- What is written -------------------------------------------------------------------

-- Notes a write that was recorded, for which `began_us` is the time of the call.
local function note(self, key, began_us, late_us, tag)
  local hash = self.own.core_map:value_hash(key)
  if not self.writes:of(key) and self.other.core_map:value_hash(key) == hash then
    self.writes:pass(key) -- nobody can see it arrive
    return self.metrics:untimed(self.own.name, tag)
  end
  self.writes:add(key, { hash = hash, us = began_us - late_us, tag = tag })
end

-- In place of a method of this map that writes: maps that are not followed know nothing of it. With options a
-- method calls itself without them.
local function noting(self, write)
  local run = self.run
  return function(map, key, value, options)
    if options ~= nil then return write(map, key, value, options) end
    local context = run.context
    local began_us, late_us, tag = loop.now() * 1e6, context.late_us, context.tag
    local seq, err = write(map, key, value)
    if seq and run.scenario_of_tag[tag] then note(self, key, began_us, late_us, tag) end
    return seq, err
  end
end

local function watch_writes(self)
  local own, remove = self.own, self.own.remove
  local noting_remove = noting(self, function(map, key, _, options) return remove(map, key, options) end)
  own.set = noting(self, own.set)
  own.remove = function(map, key, options) return noting_remove(map, key, nil, options) end
end

-- The copies ------------------------------------------------------------------------

-- Times how long the copy takes for its snapshot, and after disconnections to catch up.
local function time_copy(self, copy)
  local name, metrics, began = self.own.name, self.metrics, nil
  copy:on("state", function(to, from)
    if to == "catching_up" then began = loop.now()
    elseif to == "live" and from == "catching_up" and began then metrics:caught_up(name, loop.now() - began)
    else began = nil end
  end)
  local function first(_, seconds)
    copy:off("synced", first)
    metrics:read_snapshot(name, seconds)
  end
  copy:on("synced", first)
end

-- Times what begins now: a map that was replicated before has its snapshot.
local function replicate(self, map)
  local is_new = map.copy == nil
  local copy = map:replicate()
  if is_new then time_copy(self, copy) end
  map:watch(nil, function(key) look(self, key) end, { initial = false })
  return copy
end

---@param run wingman.load.run
---@param metrics wingman.metrics.replicas
---@param own wingman.map    of the users' client
---@param other wingman.map  of the observer
---@return wingman.load.followed_map
function M.new(run, metrics, own, other)
  local self = setmetatable({ run = run, metrics = metrics, own = own, other = other, writes = pending.new(), unreported = {}, is_ready = false }, methods)
  self.own_copy, self.other_copy = replicate(self, own), replicate(self, other)
  return self
end

--- Waits until both copies have been equal to what the nodes hold. From then on writes are timed. True, or nil, err.
---@param timeout number  seconds
---@return boolean|nil, wingman.error|nil
function methods:ready(timeout)
  local deadline = loop.now() + timeout
  for _, copy in ipairs { self.own_copy, self.other_copy } do
    local ok, err = copy:synced(math.max(0, deadline - loop.now()))
    if not ok then return nil, err end
  end
  if not self.is_ready then
    self.is_ready = true
    watch_writes(self)
  end
  return true
end

--- How many writes of users the observer was not seen to show yet.
---@return integer
function methods:pending() return self.writes.count end

--- Whether a user has written the key since the map is followed.
---@param key string
---@return boolean
function methods:knows(key) return self.writes:knows(key) end

--- Waits until the observer's copy is as new as the last write of the key by the users' client; nil after the timeout.
---@param key string
---@param timeout number  seconds
---@return boolean|nil
function methods:wait_seen(key, timeout) return (self.writes:wait(key, timeout)) end

--- At the end: what was not seen is counted. A value that comes again may be shown without having been seen to come.
function methods:finish()
  for _, key in ipairs(self.writes:keys()) do
    local list = self.writes:of(key)
    local is_shown = list[#list].hash == self.other.core_map:value_hash(key)
    local method = is_shown and self.metrics.untimed or self.metrics.unseen
    self.writes:finish(key, #list, function(write) method(self.metrics, self.own.name, write.tag) end)
  end
end

--- How the copies stand.
---@return wingman.copy_figures[]
function methods:copies() return { self.own_copy:figures(), self.other_copy:figures() } end

return M
