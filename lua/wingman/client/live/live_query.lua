--- A live query: the rows of a query over a replica, kept in order while the replica changes; each change is an event.
---
--- Every value that matches is kept in a ranking. Without `limit` and `offset` each change of the ranking is reported as
--- it is made. With one of them a window of the ranking is shown: after the changes of a step the new window is compared
--- with the one that was reported. Own writes are noted by key and evaluated with the next step, or when somebody looks
--- before that.
local duration = require "wingman.base.duration"
local errors = require "wingman.base.error"
local filter = require "wingman.client.query.filter"
local loop = require "wingman.loop"
local plan_module = require "wingman.client.query.plan"
local ranking = require "wingman.client.live.ranking"
local rows_module = require "wingman.client.query.rows"
local row_events = require "wingman.client.live.row_events"

local M = {}

--- The events of a live query.
local EVENTS = { row = true, reset = true, state = true }
--- Rows that are reported one by one at most; above that the event "reset" says that they are others.
local MOST_REPORTED = 10000

---@class wingman.live_query
---@field package client wingman.client
---@field package map wingman.map
---@field package copy wingman.copy
---@field package plan wingman.query_plan
---@field package found table<string, wingman.row>  all rows that match
---@field package ranking wingman.ranking
---@field package own table<string, true>     keys that this client has written since they were evaluated
---@field package own_keys string[]           the same, in order
---@field package reported wingman.row[]|false    the window that was reported; false: it is all rows
---@field package is_silent boolean           nothing is reported until all is evaluated, and then the event "reset"
---@field package is_touched boolean          the window may have changed
---@field package is_reporting boolean
---@field package has_begun boolean           the core's replica is read
---@field package position integer|nil        where reading the replica goes on
---@field package recheck string[]|nil        keys that are evaluated behind it: rows that were there before; nil: all is read
---@field package turns any[]                 by which changes of nodes meanwhile are known
---@field package reported_all fun()|nil         called at the end of a step that leaves nothing to report
---@field closed boolean  live:close() was called, or the client was closed
local methods = {}
methods.__index = methods

-- Reporting -----------------------------------------------------------------------------

local function emit(self, change, row, index)
  if not self.events:has "row" then return end
  local value
  if change ~= "leave" then value = self.show(row.value) end
  self.events:emit("row", row.key, value, change, index)
end

-- Whether an update shows nothing new.
local function is_same_sight(self, old, row, from, index)
  return from == index and self.plan.select ~= nil and filter.is_equal(self.show(old.value), self.show(row.value))
end

local function last_of(self) return self.plan.offset + self.plan.limit end

-- A row has come, gone, or has another value.
local function note_change(self, old, row, from, index)
  if self.reported then
    self.is_touched = self.is_touched or math.min(from or index, index or from) <= last_of(self)
  elseif not self.is_silent then
    if not row then emit(self, "leave", old, from)
    elseif not old then emit(self, "enter", row, index)
    elseif not is_same_sight(self, old, row, from, index) then emit(self, "update", row, index) end
  end
end

local function row_of(self, key, value)
  if value ~= nil and self.plan.matches(value) then return { key = key, value = value } end
end

-- The value of a key may be another one.
local function evaluate(self, key, value)
  local old, row = self.found[key], row_of(self, key, value)
  if not old and not row then return end
  if old and row and filter.is_equal(old.value, row.value) then return end
  self.found[key] = row
  local from = old and self.ranking:remove(old)
  local index = row and self.ranking:add(row)
  note_change(self, old, row, from, index)
end

-- The window is larger than what is reported one by one.
local function replace_window(self, target)
  self.reported, self.is_touched = target, false
  self.events:emit "reset"
end

local function report_window(self, deadline)
  local target = self.ranking:slice(self.plan.offset + 1, last_of(self))
  if math.max(#target, #self.reported) > MOST_REPORTED then return replace_window(self, target) end
  local is_left = row_events.pass(self.reported, target, function(change, row, index, old, from)
    if not (old and is_same_sight(self, old, row, from, index)) then emit(self, change, row, index) end
    return self.closed or (deadline ~= nil and loop.now() >= deadline)
  end)
  self.is_touched = is_left
end

-- Evaluating ----------------------------------------------------------------------------

local function is_late(deadline) return deadline and loop.now() >= deadline end

local function evaluate_own(self, deadline)
  local keys = self.own_keys
  while keys[1] and not self.closed do
    local key = table.remove(keys)
    self.own[key] = nil
    evaluate(self, key, self.map.core_map:get(key))
    if is_late(deadline) then return end
  end
end

-- Counts that change when keys may have come to places that were read already.
local function turns_of(client) return { client.node_changes, client.core:replica_news() } end

local function begin_reading(self)
  self.position, self.recheck, self.turns = 0, {}, turns_of(self.client)
  for key in pairs(self.found) do self.recheck[#self.recheck + 1] = key end
  if self.map:size() > MOST_REPORTED then self.is_silent = true end
end

-- The next value of the replica; behind the last one, the next row that was there before.
local function read_next(self)
  if self.position then
    local position, key, value = self.map.core_map:next(self.position)
    self.position = position
    if position then return key, value end
  end
  local key = table.remove(self.recheck)
  return key, key and self.map.core_map:get(key)
end

-- True when the replica was read while its nodes stayed as they are.
local function read(self, deadline)
  while self.recheck and not self.closed do
    local key, value = read_next(self)
    if key then evaluate(self, key, value)
    else
      local now = turns_of(self.client)
      local is_same = now[1] == self.turns[1] and now[2] == self.turns[2]
      self.recheck = nil
      if not is_same then begin_reading(self) end
    end
    if is_late(deadline) then return end
  end
end

local function waits_of(self) return #self.own_keys + self.copy:figures().behind end

local function is_behind(self) return self.recheck ~= nil or waits_of(self) > 0 end

-- So much has been evaluated that the rest can be reported one by one.
local function ends_silence(self)
  if not self.is_silent or self.recheck or waits_of(self) > MOST_REPORTED / 2 then return end
  self.is_silent = false
  if not self.reported then self.events:emit "reset" end
end

--- Part of the copy's work, before changes are handed out.
function methods:begin_step()
  if self.copy.has_begun and not self.has_begun then
    self.has_begun = true
    begin_reading(self) -- the replica is shown from now on, and not what this client alone knew
  end
  if not self.is_silent and waits_of(self) > MOST_REPORTED then self.is_silent = true end
end

--- Part of the copy's work: a key of the replica has changed.
---@param key string
---@param value any
function methods:note(key, value)
  if not self.closed then evaluate(self, key, value) end
end

--- Part of the copy's work, after changes were handed out; with a deadline (of loop.now) one thing of each kind at least.
--- True when something is left.
---@param deadline number|nil
---@return boolean left
function methods:work(deadline)
  if self.closed or self.is_reporting then return false end
  self.is_reporting = true
  evaluate_own(self, deadline)
  read(self, deadline)
  if not self.closed then ends_silence(self) end
  if not self.closed and self.reported and self.is_touched and not self.is_silent then report_window(self, deadline) end
  self.is_reporting = false
  local left = not self.closed and (self.recheck ~= nil or self.own_keys[1] ~= nil or (self.reported and self.is_touched) or false)
  if not left and self.reported_all then self.reported_all() end
  return left
end

--- Internal: this client has written a key.
---@param key string
function methods:note_own(key)
  if self.own[key] then return end
  self.own[key] = true
  self.own_keys[#self.own_keys + 1] = key
end

-- Looking -------------------------------------------------------------------------------

-- The first `count` rows, with own writes that were not evaluated yet.
local function first_rows(self, count)
  local is_before, shown = self.plan.is_before, {}
  for _, row in ipairs(self.ranking:slice(1, count + #self.own_keys)) do
    if not self.own[row.key] then shown[#shown + 1] = row end
  end
  for _, key in ipairs(self.own_keys) do
    local row = row_of(self, key, self.map.core_map:get(key))
    if row then table.insert(shown, ranking.place_in(shown, row, is_before), row) end
  end
  return shown
end

-- The window as it is now; once it is closed, as it was.
local function window(self)
  local first, last = self.plan.offset + 1, last_of(self)
  if self.closed or not self.own_keys[1] then return self.ranking:slice(first, last) end
  local all, part = first_rows(self, last), {}
  for i = first, math.min(#all, last) do part[#part + 1] = all[i] end
  return part
end

--- The rows now, in order; those of client:query with the same query, over the copy. Own writes are in them at once.
--- Changing them changes nothing else. After `close` those that were there last.
---@return wingman.rows
function methods:rows()
  local rows = {}
  for i, row in ipairs(window(self)) do rows[i] = { key = row.key, value = self.show(row.value) } end
  return rows_module.of(rows)
end

--- How many rows there are.
---@return integer
function methods:size()
  local count = self.ranking.count
  for _, key in ipairs(self.closed and {} or self.own_keys) do
    local was, is = self.found[key] ~= nil, row_of(self, key, self.map.core_map:get(key)) ~= nil
    count = count + (is and 1 or 0) - (was and 1 or 0)
  end
  return math.max(0, math.min(count - self.plan.offset, self.plan.limit))
end

--- Waits until the copy was equal to what each node holds, at a moment after this call, and until the rows are those of
--- the copy and their changes were reported. In a function of the live query itself it raises, as that would wait for
--- itself: use wingman.spawn.
---@param timeout number|string|nil  a duration: seconds or "5s"; default: 5 s
---@return boolean|nil ok, wingman.error|nil err  TIMEOUT, CLOSED, COPY_FULL; UNSUPPORTED: as of map:read
function methods:synced(timeout)
  timeout = duration.limit(timeout, "live:synced", 2) or 5
  if self.is_reporting and not loop.is_task(coroutine.running()) then
    error("live:synced: it cannot end before the function of this live query that calls it has: use wingman.spawn", 2)
  end
  local deadline = loop.now() + timeout
  if self.closed then return nil, errors.new("CLOSED", "the live query is closed", { map = self.map.name }) end
  local ok, err = self.copy:synced(timeout)
  if not ok then return nil, err end
  loop.wait_until(function() return self.closed or self.has_begun and not is_behind(self) and not self.is_touched and not self.is_silent end,
    math.max(0, deadline - loop.now()))
  if self.closed then return nil, errors.new("CLOSED", "the live query was closed", { map = self.map.name }) end
  if not is_behind(self) and not self.is_touched then return true end
  return nil, errors.new("TIMEOUT", ("the rows of map '%s' were not all reported within %g s"):format(self.map.name, timeout),
    { map = self.map.name, retriable = true })
end

---@class wingman.live_status
---@field state "snapshot"|"live"|"catching_up"|"partial"|"stale"|"off"  of the copy: see copy:status
---@field since number  seconds for which it is so
---@field rows integer  those of the window
---@field matching integer  rows that match, without limit and offset
---@field behind integer   keys that were not evaluated yet

--- How things stand.
---@return wingman.live_status
function methods:status()
  local state, since = self.copy:standing()
  if self.closed then state = "off" end
  return { state = state, since = since, rows = self:size(), matching = self.ranking.count, behind = self.closed and 0 or waits_of(self) }
end

--- Calls `fn` at an event: "row" (key, value, change, index): a row came ("enter"), has another value ("update"), or went
--- ("leave", value is nil). Applied one after the other to a list they give the rows: leave removes at `index`; enter inserts
--- there; update removes the row with this key, and inserts it at `index`, which may be another one. "reset" (): the
--- rows are others, and more than 10,000: read them anew. "state" (to, from, why): of the copy.
---@param event "row"|"reset"|"state"
---@param fn function
function methods:on(event, fn) self.events:on(event, fn, "live:on", 3) end

--- Removes a listener.
---@param event "row"|"reset"|"state"
---@param fn function
function methods:off(event, fn) self.events:off(event, fn, "live:off", 3) end

--- Ends it. A replica that only live queries wanted ends with the last of them. Safe twice.
function methods:close()
  if self.closed then return end
  self.closed = true
  self.copy:off("state", self.on_state)
  self.copy:remove_live(self)
end

--- The rows of a query over a copy. Nothing is reported before the next iteration of the loop.
---@param client wingman.client
---@param map wingman.map
---@param copy wingman.copy
---@param plan wingman.query_plan
---@return wingman.live_query
function M.new(client, map, copy, plan)
  local has_window = plan.offset > 0 or plan.limit < math.huge
  local self = setmetatable({
    client = client, map = map, copy = copy, plan = plan, found = {}, ranking = ranking.new(plan.is_before), own = {}, own_keys = {},
    reported = has_window and {}, is_silent = false, is_touched = false, is_reporting = false, has_begun = false, closed = false,
    show = plan.select and function(value) return plan_module.copied(plan.select(value)) end or plan_module.copied,
    events = client:emitter(EVENTS, ("a live query of '%s'"):format(map.name)),
  }, methods)
  self.on_state = function(...) self.events:emit("state", ...) end
  copy:on("state", self.on_state)
  copy:add_live(self)
  begin_reading(self)
  return self
end

return M
