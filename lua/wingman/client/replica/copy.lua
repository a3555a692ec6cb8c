--- A replica of a map: the local copy follows what the nodes of the cluster hold. The core compares and reads
--- (core/replica); this connects it with the nodes, and says how things stand.
local core = require "wingman.core"
local errors = require "wingman.base.error"
local feed = require "wingman.client.replica.feed"
local kept_file = require "wingman.client.replica.kept_file"
local loop = require "wingman.loop"
local watches = require "wingman.client.replica.watches"
local wire_name = require "wingman.base.wire_name"

local M = {}

--- The events of a copy.
local EVENTS = { synced = true, state = true, lost = true, full = true }

---@class wingman.copy
---@field package client wingman.client
---@field package map wingman.map
---@field package options table
---@field package feeds table<wingman.node, wingman.feed>
---@field package known table<wingman.node, boolean>  those that were followed ever
---@field package ids table<integer, string>  of those that were followed ever, by node index
---@field package watches wingman.watches
---@field package state string
---@field package since number      of loop.now: when it became so
---@field package behind_since number  of loop.now: since when it has not been live
---@field package has_begun boolean the core has a replica
---@field package was_synced boolean
---@field package is_full boolean  as reported last
---@field package is_turned boolean  something may have changed about nodes
---@field package lives wingman.live_query[]
---@field package is_wanted boolean the script has asked for the replica, and not only for live queries
---@field package file wingman.kept_file|nil  with persist
local methods = {}
methods.__index = methods

-- Nodes ---------------------------------------------------------------------------------

-- Ids of the nodes that own partitions; nil where there is no partition map.
local function owner_ids(client)
  local map = client.provider and client.provider.map
  if not map then return nil end
  local ids = {}
  for _, id in ipairs(map.owners) do
    if id then ids[id] = true end
  end
  return ids
end

if jit then jit.off(owner_ids) end

-- What the core knows of a node.
local function sync_of(self, node)
  local state, is_new, equal_at, requests, compares, walks, refused, records, _, is_short = self.map.core_map:replica_node(node.index)
  return state and { state = state, is_new = is_new, equal_at = equal_at, requests = requests, compares = compares,
    walks = walks, refused = refused, records = records, is_short = is_short }
end

-- The nodes that are followed, by id; how many of them were not found equal yet on their connection, or since they were short of room; and the id
-- of a node that is not followed, and that owns partitions or had records of the map when it was last.
local function followed(self)
  local nodes, new, missing, owners = {}, 0, nil, owner_ids(self.client) or {}
  for node in pairs(self.known) do
    local id, sync = node.id or node.url, sync_of(self, node)
    if sync and sync.state ~= "off" then
      nodes[id] = sync
      new = new + ((sync.is_new or sync.is_short) and 1 or 0)
    elseif sync and sync.records > 0 then
      missing = id
    end
  end
  for id in pairs(owners) do
    if not nodes[id] then missing = id end
  end
  return nodes, new, missing
end

-- State ---------------------------------------------------------------------------------

-- COPY_FULL while there is no room for records that the copy lacks; else nil.
local function full_error(self)
  if not self.has_begun or self.closed or self.client.closed then return nil end
  local is_full = select(9, self.map.core_map:replica_figures())
  if not is_full then return nil end
  local limit = self.client.options.copy.max_records
  return errors.new("COPY_FULL", ("%s: records are missing, as the client's copies have copy.max_records: %d; raise it, or close other copies"):format(
    wire_name.shown(self.map.name), limit), { map = self.map.name, limit = limit, retriable = false })
end

-- UNSUPPORTED where a head node with disk storage never says anything of a map of this name; else nil.
local function name_error(self)
  local client, name = self.client, self.map.name
  if core.v2_stores_map(name) or client.closed or not client.options.check_map_names or client:release() ~= "head" then return nil end
  return errors.new("UNSUPPORTED", ("map %s: a v2 server newer than 2.2.0 with disk storage holds no map of this name; see the option check_map_names")
    :format(wire_name.shown(name)), { map = name })
end

-- What does not change by waiting.
local function lasting_error(self) return full_error(self) or name_error(self) end

-- The state, and why it is not "live".
local function state_now(self)
  if self.closed then return "off", "closed" end
  if not self.has_begun then return "snapshot", "the cluster is not known yet" end
  local nodes, new, missing = followed(self)
  local before = not self.was_synced and not self.was_restored and "snapshot" or nil
  if next(nodes) == nil then return before or "stale", "no node is connected" end
  if missing then return before or "partial", ("%s is not connected"):format(missing) end
  local full = full_error(self)
  if full then return "partial", tostring(full) end
  if new > 0 then return before or "catching_up", tostring(name_error(self) or ("%d of the nodes were not compared yet"):format(new)) end
  return "live", "equal"
end

-- The keys of one loss.
local function keys_lost(core_map, first, last)
  local keys = {}
  local position, key = core_map:replica_next_lost(first)
  while position and position < last do
    keys[#keys + 1] = key
    position, key = core_map:replica_next_lost(position)
  end
  return keys
end

-- A listener may close the copy, or the client.
local function tell_losses(self)
  while self.has_begun and not self.closed and not self.client.closed do
    local index, first, last = self.map.core_map:replica_next_loss()
    if not index then return end
    local id, keys = self.ids[index] or "a node of an earlier process", keys_lost(self.map.core_map, first, last)
    if #keys > 0 then
      self.client.log_seldom("warn", "replica_lost", { map = self.map.name, node = id, keys = #keys }, "replica_lost " .. self.map.name .. id)
      self.events:emit("lost", id, keys)
    end
  end
end

-- What each node holds, as far as this process or an earlier one knows: index of the node, or nil for one that was not connected in
-- this process; id; seconds since it was last equal, or nil; records.
local function kept(self)
  local list, i = {}, 0
  local index, id, age, records = self.map.core_map:replica_kept(i)
  while index do
    list[#list + 1] = { index = index >= 0 and index or nil, id = id, age = age, records = records }
    i = i + 1
    index, id, age, records = self.map.core_map:replica_kept(i)
  end
  return list
end

-- Whether an earlier process found equal all that is shown before any node was compared.
local function is_restored(self)
  local restored = false
  for _, one in ipairs(kept(self)) do
    if one.records > 0 and not one.age then return false end
    restored = restored or one.age ~= nil
  end
  return restored
end

-- Reports once that a copy is full, and once more if it was whole in between.
local function report_full(self)
  local full = full_error(self)
  if not full then self.is_full = self.is_full and self:figures().full end
  if not full or self.is_full then return end
  self.is_full = true
  self.client.options.log_to("warn", "copy_full", { map = self.map.name, limit = full.limit })
  self.events:emit("full", full)
end

-- Looks how things stand; after each turn of the core's replicas, and of the connections.
local function look(self)
  if self.file and not self.closed then
    self.file:look()
    self.was_restored = self.was_restored and self.file.dropped == ""
  end
  tell_losses(self)
  report_full(self)
  local state, why = state_now(self)
  if state == "live" and self.has_begun and not self.closed then self.map.core_map:replica_drop_restored() end -- of nodes that are no more
  if state == self.state then return end
  local from, seconds = self.state, loop.now() - self.behind_since
  if from == "live" then self.behind_since = loop.now() end
  self.state, self.since = state, loop.now()
  if state == "live" then self.was_synced = true end
  self.events:emit("state", state, from, why)
  if state == "live" and not self.closed then self.events:emit("synced", self.map:size(), seconds) end
end

-- Following -----------------------------------------------------------------------------

-- The core needs to know the cluster's family and hash.
local function begin(self)
  if self.has_begun or self.closed then return end
  local ok, reason = self.map.core_map:replicate(self.options.check * 1e6, self.options.on_loss == "drop")
  if not ok then
    if reason == core.statuses.EINVAL.text then return end
    error(("map:replicate: %s"):format(reason), 0)
  end
  self.has_begun = true
  self.was_restored = self.file ~= nil and is_restored(self)
  if self.watches:is_used() or self.lives[1] or self.map.events:has "change" then
    self.map.core_map:replica_watch(self.watches:wants_own())
  end
end

-- A cluster does without a node that is away and has no partitions. On 0.11 the backups of its records were made owners;
-- on v2 its records are lost, until it comes back with them.
local function forsake(self)
  local owners = owner_ids(self.client)
  for node in pairs(self.known) do
    local sync = sync_of(self, node)
    if self.client.provider.connections.by_index[node.index] ~= node then self.known[node] = nil
    elseif owners and sync and sync.state == "off" and not owners[node.id] then self.map.core_map:replica_forsake(node.index) end
  end
end

-- Follows the nodes that can be followed and are not yet, and forgets the others.
local function follow(self)
  begin(self)
  if not self.has_begun or self.closed or not self.map.core_map:replica_can_follow() then return end -- a kept copy begins before
  for node, one in pairs(self.feeds) do
    if not feed.is_open(one) then self.feeds[node] = nil end
  end
  forsake(self)
  for node, connection_id in pairs(feed.possible(self.client)) do
    if not self.feeds[node] then
      self.feeds[node] = feed.open(self.client, self.map, node, connection_id)
      self.known[node] = true
      self.ids[node.index] = node.id or node.url
    end
  end
  feed.choose_one(self.feeds)
  feed.subscribe_late(self.feeds)
end

--- Part of each iteration of the loop: follows nodes that have come, reports states, and calls watches. True when something is left, as the deadline (of loop.now) has come.
---@param deadline number|nil
---@return boolean left
function methods:work(deadline)
  if self.is_turned then
    self.is_turned = false
    follow(self)
    look(self)
  end
  local lives, left = self.lives, false
  for _, live in ipairs(lives) do live:begin_step() end
  if self.has_begun and not self.closed then left = self.watches:work(deadline) end
  for _, live in ipairs(lives) do left = live:work(deadline) or left end
  return left
end

-- Interface -----------------------------------------------------------------------------

-- Why a node is not followed.
local function problem_of(self, id)
  for _, node in ipairs(self.client.provider:nodes()) do
    if node.id == id then return ("%s: %s"):format(id, self.client.listeners:problem_of(node)) end
  end
  return id .. " is not connected"
end

local function why_not_synced(self, since)
  local nodes, _, missing = followed(self)
  if missing then return problem_of(self, missing) end
  for id, sync in pairs(nodes) do
    if not sync.equal_at or sync.equal_at < since then return ("%s was not found equal"):format(id) end
  end
  return next(nodes) == nil and "no node is connected" or nil
end

--- Waits until the copy was equal to what each node holds, at a moment after this call.
---@param timeout number  seconds
---@return boolean|nil ok
---@return wingman.error|nil err  TIMEOUT, CLOSED, COPY_FULL; UNSUPPORTED: as of map:read
function methods:synced(timeout)
  local since = loop.now()
  local function hurry()
    for node in pairs(self.feeds) do self.map.core_map:replica_hurry(node.index) end
  end
  if self.has_begun and not self.closed then hurry() end
  local what = ("map %s"):format(wire_name.shown(self.map.name))
  local function is_over() return self.closed or self.client.closed or (self.has_begun and not why_not_synced(self, since)) or lasting_error(self) end
  loop.wait_until(is_over, timeout)
  if self.closed or self.client.closed then return nil, errors.new("CLOSED", what .. ": the copy was closed", { map = self.map.name }) end
  local why = not self.has_begun and "no node is connected" or why_not_synced(self, since)
  if not why then
    look(self)
    return true
  end
  local lasting = lasting_error(self)
  if lasting then return nil, lasting end
  return nil, errors.new("TIMEOUT", ("%s: not equal to the nodes within %g s: %s"):format(what, timeout, why), { map = self.map.name, retriable = true })
end

---@class wingman.copy_figures
---@field events integer    changes that nodes have announced
---@field repairs integer   records that comparisons found to differ, and that were read
---@field dropped integer|nil  repairs of records whose event a v2 node dropped, or sent after the comparison. A lower bound:
---  a record that was written again before the comparison is not counted. nil on 0.11, whose nodes announce only that
---  something has changed
---@field lost integer      records that a node came up without, and that are still shown
---@field behind integer    keys whose change the watches do not have yet, at most; 0: they have every change
---@field full boolean     records are missing for want of room: the client option copy.max_records

---@class wingman.copy_status: wingman.copy_figures
---@field unread integer    bytes that the client has received and not read yet, for all its maps
---@field state "snapshot"|"live"|"catching_up"|"partial"|"stale"|"off"  see copy:status
---@field since number      seconds for which it has had this state
---@field why string|nil     why it is not live
---@field records integer   keys with a value
---@field equal_at table<string, number>  by node id: seconds since the copy was known to be equal to what the node holds; with persist
---  also of nodes that an earlier process was connected to
---@field age number|nil    seconds since the copy was known to be equal to what the nodes hold, of the node for which that is longest; nil: for
---  one of them it never was
---@field requests integer  sent for the copy
---@field file { path: string, bytes: integer, dropped: string|nil, problem: string|nil }|nil  with persist. dropped: why
---  its former content was not used; problem: why it cannot be written

--- Internal: the counters of a status. Nothing in it takes longer for a larger map.
---@return wingman.copy_figures
function methods:figures()
  if not self.has_begun or self.closed or self.client.closed then return { events = 0, repairs = 0, lost = 0, behind = 0, full = false } end
  local core_map = self.map.core_map
  local events, repairs, lost, gone, _, _, missed, short_of = core_map:replica_figures()
  return { events = events, repairs = repairs, dropped = self.client:dialect() == "v2" and missed or nil, lost = lost + gone,
    behind = core_map:replica_behind(), full = short_of > 0 }
end

local function add_ages(self, status)
  local is_known, owners = true, owner_ids(self.client) or {}
  for _, one in ipairs(kept(self)) do
    is_known = is_known and (one.age ~= nil or one.records == 0)
    local id = one.index and self.ids[one.index] or one.id
    if not one.index or owners[id] then status.equal_at[id] = one.age end -- others that are away do not count any more
    if one.age then status.age = math.max(status.age or 0, one.age) end
  end
  if not is_known then status.age = nil end
end

--- How things stand. `snapshot`: not everything was read yet. `live`: equal to each node, and following. `catching_up`:
--- a node was away, and is being compared. `partial`: a node that owns
--- partitions, or that had records, is not connected, or there is no room for records of a node (COPY_FULL). `stale`: no node is; with persist also at once after a restart.
--- `off`: closed.
---@return wingman.copy_status
function methods:status()
  local status = self:figures()
  local state, why = state_now(self)
  status.state, status.why, status.since, status.equal_at, status.requests = state, state ~= "live" and why or nil, loop.now() - self.since, {}, 0
  status.records, status.unread = self.client.closed and 0 or self.map:size(), self.client.closed and 0 or self.client.core:unread()
  if self.file and not self.closed then status.file = self.file:status() end
  if not self.has_begun or self.closed then return status end
  add_ages(self, status)
  for id, sync in pairs((followed(self))) do
    if sync.equal_at then status.equal_at[id] = loop.now() - sync.equal_at end
    status.requests = status.requests + sync.requests
  end
  return status
end

--- Internal: from now on the listeners of map:on "change" get what watches get.
function methods:tell_changes()
  if self.has_begun then self.map.core_map:replica_watch() end
end

--- Internal: see map:watch.
---@return wingman.watch
function methods:watch(key, fn, options) return self.watches:add(key, fn, options) end

--- Internal: the state that was reported last, and for how many seconds it has been so.
---@return string state, number since
function methods:standing() return self.state, loop.now() - self.since end

-- Live queries --------------------------------------------------------------------------

-- A new list: work may be under way. Own writes are only noted where somebody wants to know of them.
local function set_lives(self, lives)
  self.lives = lives
  self.watches.lives = lives
  self.map:note_writes_for(lives[1] and self)
end

--- Internal: a live query that is to hear of every change.
---@param live wingman.live_query
function methods:add_live(live)
  local lives = { unpack(self.lives) }
  lives[#lives + 1] = live
  set_lives(self, lives)
  self:tell_changes()
end

--- Internal: it was closed.
---@param live wingman.live_query
function methods:remove_live(live)
  local lives = {}
  for _, other in ipairs(self.lives) do
    if other ~= live then lives[#lives + 1] = other end
  end
  set_lives(self, lives)
  if not lives[1] and not self.is_wanted then self:close() end
end

--- Internal: this client has written a key.
---@param key string
function methods:note_own(key)
  for _, live in ipairs(self.lives) do live:note_own(key) end
end

--- Calls `fn` at an event. "state" (to, from, why). "synced" (records, seconds): the copy has become live, that long after
--- map:replicate, or after it was live last. "lost" (node, keys): a node came up without records that it had held; its id,
--- and the keys that no other node has. With on_loss = "drop" watches are called instead. "full" (err): there is no room
--- for records of a node, COPY_FULL.
---@param event "state"|"synced"|"lost"|"full"
---@param fn function
function methods:on(event, fn) self.events:on(event, fn, "copy:on", 3) end

--- Removes a listener.
---@param event "state"|"synced"|"lost"|"full"
---@param fn function
function methods:off(event, fn) self.events:off(event, fn, "copy:off", 3) end

--- Ends the replica and its watches. The local copy has this client's own writes again, and nothing else. Safe twice.
function methods:close()
  if self.closed then return end
  self.closed = true
  self.watches:close()
  for _, one in pairs(self.feeds) do feed.close(one) end
  self.feeds = {}
  self.client.copies[self.map.name], self.map.copy = nil, nil
  if not self.client.closed or self.file then self.map.core_map:replica_end() end -- which writes the rest of the file
  look(self)
  for _, live in ipairs(self.lives) do live:close() end
end

---@param client wingman.client
---@param map wingman.map
---@param options { check: number, on_loss: "keep"|"drop", persist: boolean }  checked
---@return wingman.copy|nil
---@return wingman.error|nil err  with persist: BUSY, COPY
function M.new(client, map, options)
  local file, err
  if options.persist then
    file, err = kept_file.open(client, map)
    if not file then return nil, err end
  end
  local self = setmetatable({
    client = client, map = map, options = options, feeds = {}, known = {}, ids = {}, state = "snapshot", behind_since = loop.now(), since = loop.now(),
    has_begun = false, was_synced = false, was_restored = false, lives = {}, is_wanted = false, is_full = false, file = file, closed = false,
    is_turned = true,
    events = client:emitter(EVENTS, ("the copy of '%s'"):format(map.name)),
  }, methods)
  self.watches = watches.new(client, map)
  self.watches.is_open = function() return not self.closed and not client.closed end
  self.watches.has_begun = function() return self.has_begun end
  if file then file:look() end
  follow(self)
  return self
end

return M
