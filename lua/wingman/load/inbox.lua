--- The messages that came for a user while it did not wait for them, the oldest first. What does not fit displaces the
--- oldest. The inboxes of a process share a limit, too: thousands of users that never look must not fill its memory.
local M = {}

--- Messages of one user.
M.MOST = 1000
--- Messages of all users of a process.
M.MOST_OF_ALL = 100000

---@class wingman.load.inboxes
---@field count integer    messages in all inboxes
---@field dropped integer  that were displaced, or found no place
---@field private lists table<integer, any[]>
local methods = {}
methods.__index = methods

---@return wingman.load.inboxes
function M.new() return setmetatable({ count = 0, dropped = 0, lists = {} }, methods) end

local function take_out(self, list, i)
  self.count = self.count - 1
  return table.remove(list, i)
end

--- Adds a message. False when another one, or this one, was dropped for it.
---@param id integer  of the user
---@param message any
---@return boolean
function methods:add(id, message)
  local list = self.lists[id]
  if not list then
    list = {}
    self.lists[id] = list
  end
  local is_full = #list >= M.MOST or self.count >= M.MOST_OF_ALL
  if is_full then
    self.dropped = self.dropped + 1
    if #list == 0 then return false end
    take_out(self, list, 1)
  end
  list[#list + 1] = message
  self.count = self.count + 1
  return not is_full
end

--- Takes out the oldest message that is wanted; nil when there is none.
---@param id integer
---@param is_wanted fun(message: any): any
---@return any
function methods:take(id, is_wanted)
  local list = self.lists[id]
  for i = 1, list and #list or 0 do
    if is_wanted(list[i]) then return take_out(self, list, i) end
  end
end

--- Forgets the messages of a user.
---@param id integer
function methods:clear(id)
  local list = self.lists[id]
  if not list then return end
  self.count = self.count - #list
  self.lists[id] = nil
end

return M
