--- What a v2 server newer than 2.2.0 with disk storage lists of one map on one connection: the buckets that held
--- something when it answered the connection's last SYNC_INIT. It is silent about every other path. The
--- records of a listed leaf are the present ones.
---
--- So two rules hold for reads that share a connection. SYNC_INIT is not sent while another read is on its
--- way down, because a bucket that was listed may not be there afterwards. And a key is absent only if it is
--- not listed after a SYNC_INIT that was sent since the read began. One SYNC_INIT serves every read that waits.
local loop = require "wingman.loop"
local protected = require "wingman.base.protected"

local M = {}

---@class wingman.tree_session
---@field began number|false   of loop.now: when the SYNC_INIT was sent that the list is of
---@field is_empty boolean     the map held nothing then
---@field package walking integer   reads on their way down
---@field package renewing boolean  a SYNC_INIT waits for them, or for its answer
---@field package changed wingman.future
local methods = {}
methods.__index = methods

---@return wingman.tree_session
function M.new()
  return setmetatable({ began = false, is_empty = false, walking = 0, renewing = false, changed = loop.future() }, methods)
end

local function notify(self)
  local changed = self.changed
  self.changed = loop.future()
  changed:resolve(true)
end

local function await(self, is_so, deadline)
  while not is_so(self) do
    local left = deadline - loop.now()
    if left <= 0 then return nil, "timeout" end
    self.changed:wait(left)
  end
  return true
end

local function is_fixed(self) return not self.renewing end
local function is_unused(self) return self.walking == 0 end

--- Calls fn() while the list stays as it is. What fn returns; nil without a call when the map held nothing.
---@param fn fun(): any, any
---@param deadline number  of loop.now; after it: nil, "timeout"
---@return any, any
function methods:walk(fn, deadline)
  local ok, err = await(self, is_fixed, deadline)
  if not ok then return nil, err end
  if self.is_empty then return nil end
  self.walking = self.walking + 1
  local called, result, reason = protected.call_waiting(fn)
  self.walking = self.walking - 1
  notify(self)
  if not called then error(result, 0) end
  return result, reason
end

local function renew_once(self, ask_root, deadline)
  self.renewing = true
  local root, err = await(self, is_unused, deadline)
  local began = loop.now()
  local ok = true
  if root then ok, root, err = protected.call_waiting(ask_root) end
  if not ok then root, err = nil, root end
  self.renewing, self.began = false, root and began or false
  self.is_empty = root == 0
  notify(self)
  if not ok then error(err, 0) end
  return root, err
end

--- Makes the list one of a SYNC_INIT that was sent at `since` or later.
---@param since number     of loop.now
---@param ask_root fun(): integer|nil, any  sends SYNC_INIT: the map's root, 0 for one that holds nothing; nil, err
---@param deadline number  of loop.now
---@return boolean|nil ok, any err
function methods:renew(since, ask_root, deadline)
  while not (self.began and self.began >= since and is_fixed(self)) do
    local ok, err
    if self.renewing then ok, err = await(self, is_fixed, deadline) else ok, err = renew_once(self, ask_root, deadline) end
    if not ok then return nil, err end
  end
  return true
end

return M
