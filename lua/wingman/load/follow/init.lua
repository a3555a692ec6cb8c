--- Maps that a test follows: the users' client has a copy of each, and so has another client of the same thread, the
--- observer, which writes nothing. How long a user's write takes to show there is how far behind any other client is.
--- Both clients use one clock and one loop, so that no clocks are compared; the loop's own lateness is in the time.
local followed_map = require "wingman.load.follow.followed_map"
local loop = require "wingman.loop"
local replicas = require "wingman.metrics.replicas"

local M = {}

---@class wingman.load.follow
---@field package run wingman.load.run
---@field package make_observer fun(): wingman.client|nil, wingman.error|nil
---@field package observer wingman.client|nil
---@field package maps table<string, wingman.load.followed_map>
local methods = {}
methods.__index = methods

---@param run wingman.load.run
---@param make_observer fun(): wingman.client|nil, wingman.error|nil  started; waits
---@return wingman.load.follow
function M.new(run, make_observer)
  return setmetatable({ run = run, make_observer = make_observer, metrics = replicas.new(run), maps = {} }, methods)
end

-- The observer is made once, by the first user that needs it; the others wait for that.
local function observer_of(self)
  if self.observer then return self.observer end
  if self.making then return self.making:wait() end
  local making = loop.future()
  self.making = making
  local made, err = self.make_observer()
  self.observer, self.making = made, nil
  if made then making:resolve(made) else making:reject(err) end
  return made, err
end

--- Lets both clients follow the map, and waits until both have it. True, or nil, err.
---@param name string
---@param timeout number  seconds
---@return boolean|nil, wingman.error|nil
function methods:follow(name, timeout)
  local map = self.maps[name]
  if map and map.is_ready then return true end
  local deadline = loop.now() + timeout
  local other, err = observer_of(self)
  if not other then return nil, err end
  map = self.maps[name]
  if not map then
    map = followed_map.new(self.run, self.metrics, self.run.client:map(name), other:map(name))
    self.maps[name] = map
  end
  return map:ready(math.max(0, deadline - loop.now()))
end

--- The followed map of this name; nil when it is not followed.
---@param name string
---@return wingman.load.followed_map|nil
function methods:map(name) return self.maps[name] end

--- Waits until the observer has shown all writes, or the time is over.
---@param timeout number  seconds
function methods:drain(timeout)
  loop.wait_until(function()
    for _, map in pairs(self.maps) do
      if map:pending() > 0 then return false end
    end
    return true
  end, timeout)
  for _, map in pairs(self.maps) do map:finish() end
end

--- Follows maps, and lets the observer run live queries; waits until both have what is there. True, or nil and why not.
---@param names string[]
---@param live table<string, wingman.live_query_options>  by map, which is followed, too
---@param timeout number  seconds, for each
---@return boolean|nil, string|nil
function methods:begin(names, live, timeout)
  for _, name in ipairs(names) do
    local ok, err = self:follow(name, timeout)
    if not ok then return nil, ("map '%s' cannot be followed: %s"):format(name, tostring(err)) end
  end
  for name, query in pairs(live) do
    local ok, err = self:follow(name, timeout)
    if ok then ok, err = self.maps[name]:show(query, timeout) end
    if not ok then return nil, ("the live query of map '%s' has no rows: %s"):format(name, tostring(err)) end
  end
  return true
end

--- Moves what was measured since the last call into a point of the series.
---@param point table
function methods:take_intervals(point) self.metrics:take_intervals(point) end

--- Brings the metrics up to date.
function methods:refresh()
  for name, map in pairs(self.maps) do self.metrics:copies(name, map:copies()) end
end

--- Ends the observer.
function methods:close()
  if self.observer then self.observer:close() end
end

return M
