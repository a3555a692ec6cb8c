--- A virtual user: a coroutine that calls the scenario's `exec` again and again, and what
--- it is given there. An iteration that does not wait costs no switch of coroutines; a
--- user that waits goes on with its own tag and its own lateness.
local duration = require "wingman.base.duration"
local errors = require "wingman.base.error"
local loop = require "wingman.loop"
local native = require "wingman.load.executor.native"
local payload = require "wingman.load.input.payload"
local random = require "wingman.base.random"
local script_traceback = require "wingman.base.script_traceback"

local now_us, record, text = native.now_us, native.record, payload.text

local M = {}

--- Seconds that a user waits for an answer unless the script says otherwise.
local PATIENCE = 30

---@class wingman.load.vu
---@field id integer         from 1, in the whole test (shards share the numbers)
---@field iteration integer  of this user, from 1
---@field package scenario wingman.load.scenario
---@field package rng wingman.load.random
---@field client wingman.client  that all users share
---@field data any           what the test's set-up returned
---@field env table          of the scenario
---@field package busy boolean       within an iteration
---@field package sleeping boolean   within vu:sleep
---@field package late_us integer
---@field package tag integer
---@field package began_us number
local methods = {}

-- What runs in the coroutine ----------------------------------------------------

--- Takes iterations from the executor as long as it has some for this user. `now` is
--- read once per iteration: its end is the next one's beginning.
local function serve(vu)
  local scenario = vu.scenario
  local executor, exec, context = scenario.executor, scenario.exec, scenario.context
  local lateness, durations = executor.schedule and scenario.lateness, scenario.durations -- what has no schedule is never late
  local now = now_us()
  while true do
    local planned = executor:take(vu, now)
    if not planned then return end
    local late = now - planned
    if lateness then record(lateness, late) end
    vu.late_us, vu.began_us, vu.busy = late, now, true
    vu.iteration = vu.iteration + 1
    context.late_us, context.tag = late, vu.tag
    exec(vu)
    local ended = now_us()
    record(durations, ended - now)
    vu.busy = false
    scenario.iterations = scenario.iterations + 1
    now = ended
  end
end

-- The error that last left a group, and where it came from: a group passes it on, and the
-- levels below are gone by then.
local group_error, group_traceback

local function left_group(err)
  if err ~= group_error then group_error, group_traceback = err, script_traceback.of(tostring(err)) end
  return err
end

local function on_error(err)
  if type(err) == "table" and err.code then return err end
  return { traceback = err == group_error and group_traceback or script_traceback.of(tostring(err)) }
end

local function live(vu)
  while true do
    local ok, err = xpcall(serve, on_error, vu)
    if ok then
      vu.scenario.executor:idle(vu)
      loop.park()
    else
      vu.busy, vu.tag = false, vu.scenario.tag
      vu.scenario:failed(vu, err)
    end
  end
end

-- Called by the loop when the user goes on, and when it waits again.
local function enter(task)
  local vu = task.vu
  if vu.given_up then return false end
  local context = vu.context
  context.late_us, context.tag = vu.late_us, vu.tag
  return true
end

local function leave(task)
  local context = task.vu.context
  context.late_us, context.tag = 0, 0
end

-- What scripts call ---------------------------------------------------------------

--- A map of the cluster, by the user's client.
---@param name string
---@return wingman.map
function methods:map(name)
  local map = self.maps[name]
  if map then return map end
  map = self.client:map(name)
  self.maps[name] = map
  return map
end

--- Reads a map from every node, see client:query. In the metrics query_latency and query_rows.
---@param name string
---@param query wingman.query_options|nil
---@return wingman.rows|nil rows, wingman.error|nil
function methods:query(name, query) return self.client:query(name, query) end

-- The scenario's chooser of keys; raises where the script has called `what`.
local function keys_for(self, what)
  local keys = self.scenario.keys
  if not keys then error(("scenario '%s': vu:%s() needs keys = { count = … }"):format(self.scenario.name, what), 3) end
  return keys
end

--- The next key, by the scenario's option `keys`.
---@return string
function methods:key()
  local key = keys_for(self, "key").next(self)
  return key
end

--- A new key, one beyond the last. With the distribution "latest" vu:key chooses it from now on, written or not;
--- see vu:insert.
---@return string
function methods:new_key()
  local keys = keys_for(self, "new_key")
  local key, number = keys.reserve()
  keys.settle(number, true)
  return key
end

--- A random number as math.random gives it, from the user's own sequence.
---@param low integer|nil
---@param high integer|nil
---@return number
function methods:random(low, high)
  if not low then return self.rng:float() end
  if not high then return self.rng:int(1, low) end
  return self.rng:int(low, high)
end

-- Counts an error of the scenario, for a script that does not look; gives on what it is given.
local function counted(self, result, err)
  if not result and err then self.scenario.run:saw_error(err, self.scenario) end
  return result, err
end

--- Opens the user's own connection (in a test with `connections = "per-vu"`) and waits until it is
--- authenticated. True, or nil, err, which counts as an error of the scenario. The time is in connect_time
--- and auth_time.
---@param timeout number|string|nil  a duration
---@return boolean|nil, wingman.error|nil
function methods:connect(timeout)
  timeout = duration.limit(timeout, "vu:connect", 2)
  return counted(self, self.scenario.run:own_sessions():connect(self.id, timeout))
end

--- Closes the user's own connection.
function methods:disconnect() self.scenario.run:own_sessions():disconnect(self.id) end
--- Whether the user's own connection is open and authenticated.
---@return boolean
function methods:is_connected() return self.scenario.run:own_sessions():is_connected(self.id) end

local function check_message(message, what)
  if type(message) ~= "table" then error(("%s: a message is a table, got %s"):format(what, type(message)), 3) end
end

--- Sends a message of the protocol on the user's own connection. True, or nil, err, which
--- counts as an error of the scenario.
---@param message table
---@return boolean|nil, wingman.error|nil
function methods:send(message)
  check_message(message, "vu:send")
  return counted(self, self.scenario.run:own_sessions():send(self.id, message))
end

local function check_wanted(wanted, what)
  if type(wanted) == "string" or type(wanted) == "function" then return end
  error(what .. ": the type of a message is expected, or a function of one, got " .. type(wanted), 3)
end

--- The next message on the user's own connection that has this type, or for which the function returns true: the
--- oldest that was not received yet, else one that it waits for. Other messages stay in the user's inbox, which
--- has 1,000; what is displaced is counted in messages_dropped. The message, or nil, err, which does not count as an error.
---@param wanted string|fun(message: table): any
---@param timeout number|string|nil  a duration; default 30 s
---@return table|nil, wingman.error|nil
function methods:receive(wanted, timeout)
  check_wanted(wanted, "vu:receive")
  timeout = duration.limit(timeout or PATIENCE, "vu:receive", 2)
  return self.scenario.run:own_sessions():receive(self.id, wanted, timeout)
end

--- Sends a message on the user's own connection and waits for the answer, which is one that comes after it. An
--- answer that does not come counts as an error of the scenario.
---@param message table
---@param wanted string|fun(message: table): any
---@param timeout number|string|nil  a duration; default 30 s
---@return table|nil, wingman.error|nil
function methods:request(message, wanted, timeout)
  check_wanted(wanted, "vu:request")
  timeout = duration.limit(timeout or PATIENCE, "vu:request", 2)
  check_message(message, "vu:request")
  return counted(self, self.scenario.run:own_sessions():request(self.id, message, wanted, timeout))
end

--- A text of `n` letters and digits.
---@param n integer
---@return string
function methods:text(n) return text(self.rng, n) end

--- Waits: the user's think time.
---@param time number|string  a duration: seconds or "100ms"; less than 0 is 0
function methods:sleep(time)
  if type(time) ~= "number" or time ~= time then time = duration.check(time, "vu:sleep", 2) end
  self.sleeping = true
  loop.sleep(time)
  self.sleeping = false
end

--- Waits until a write is acknowledged: a closed model does that after every write. Waiting longer than
--- `timeout` counts as an error TIMEOUT of the scenario.
---@param seq number|nil      what map:set returned
---@param err wingman.error|nil
---@param timeout number|string|nil  a duration; default 30 s
---@return boolean|nil ok, wingman.error|nil
function methods:wait(seq, err, timeout)
  timeout = duration.limit(timeout or PATIENCE, "vu:wait", 2)
  if not seq then return nil, err end
  local ok, why = self.client:wait(seq, timeout)
  if ok or why.code ~= "TIMEOUT" then return ok, why end -- the client reports others
  return counted(self, nil, why)
end

--- Follows a map: the users' client has a replica of it from now on, and so has another client that the test makes, the
--- observer. Waits until both have the map. From then on each write of a user to it is timed until the observer's copy
--- shows it, whether anybody waits for that or not: replica_lag. The values that are written to a key have to differ, or
--- nobody can see that one arrives. What an iteration waits here is in iteration_duration alone; maps in the test's option
--- `follow` are there before it begins. Refused with `connections = "per-vu"`. A failure counts as an error of the scenario.
---@param map string
---@param timeout number|string|nil  a duration; default 30 s
---@return wingman.copy|nil copy  of the users' client
---@return wingman.error|nil err
function methods:follow(map, timeout)
  timeout = duration.limit(timeout or PATIENCE, "vu:follow", 2)
  local ok, err = counted(self, self.scenario.run:own_follows():follow(map, timeout))
  if not ok then return nil, err end
  return self:map(map).copy
end

--- Waits until the observer's copy of a followed map is as new as the last write of the key by the users' client: it
--- shows its value, a later one, or one of another client that the cluster has put after it. Waiting longer than
--- `timeout` counts as an error TIMEOUT of the scenario. Raises for a key that no user has written since vu:follow.
---@param map string
---@param key string
---@param timeout number|string|nil  a duration; default 30 s
---@return boolean|nil ok, wingman.error|nil err
function methods:wait_seen(map, key, timeout)
  timeout = duration.limit(timeout or PATIENCE, "vu:wait_seen", 2)
  local followed = self.scenario.run:own_follows():map(map)
  if not followed then error(("vu:wait_seen: map '%s' is not followed; vu:follow does that"):format(tostring(map)), 2) end
  if not followed:knows(key) then error(("vu:wait_seen: no user has written '%s' since vu:follow"):format(tostring(key)), 2) end
  if followed:wait_seen(key, timeout) then return true end
  return counted(self, nil, errors.new("TIMEOUT", ("map %s, key %s: no other client saw the write within %g s"):format(map, key, timeout),
    { map = map, key = key, retriable = true }))
end

--- Writes a value under a new key, one beyond the last, and waits for the acknowledgement. From then on vu:key chooses
--- the key, with the distribution "latest". A key whose write failed is used again.
---@param map string
---@param value any  or a function of the key that returns the value
---@param timeout number|string|nil  a duration; default 30 s
---@return string|nil key, wingman.error|nil
function methods:insert(map, value, timeout)
  local keys = keys_for(self, "insert")
  local key, number = keys.reserve()
  if type(value) == "function" then value = value(key) end
  local seq, err = self:map(map):set(key, value)
  local ok, why = self:wait(seq, err, timeout)
  keys.settle(number, ok == true)
  if ok then return key end
  return nil, why
end

--- Counts whether a condition holds: check("name", condition), or check(value, { name =
--- function(value) return condition end }). True when all conditions hold.
---@param subject any
---@param conditions any
---@return boolean
function methods:check(subject, conditions)
  local scenario = self.scenario
  local checks = scenario.run.checks
  if type(conditions) ~= "table" then
    if type(subject) ~= "string" then error("vu:check: a name and a condition are expected", 2) end
    return checks:add(scenario, subject, conditions and true or false)
  end
  local all = true
  for name, condition in pairs(conditions) do
    all = checks:add(scenario, tostring(name), condition(subject) and true or false) and all
  end
  return all
end

--- Calls fn(vu) and returns what it returns. Operations in it have the tag `group`. An error in it ends
--- the group and is raised.
---@param name string
---@param fn fun(vu: wingman.load.vu): any
---@return any ...
function methods:group(name, fn)
  local before = self.tag
  self.tag = self.scenario:group_tag(name)
  self.context.tag = self.tag
  local began = now_us()
  local function finish(ok, ...)
    self.tag = before
    self.context.tag = before
    if not ok then error((...), 0) end
    self.scenario:group_ended(name, now_us() - began)
    return ...
  end
  return finish(xpcall(fn, left_group, self))
end

-- What all users of a scenario share is in one table, with the methods: thousands of idle
-- ones are to be small.
local function metatable_of(scenario)
  local run = scenario.run
  local shared = {
    scenario = scenario, client = run.client, data = run.data, env = scenario.env, context = scenario.context, maps = run.maps,
  }
  for name, fn in pairs(methods) do shared[name] = fn end
  return { __index = shared }
end

--- A user that has not begun: wingman.loop.wake(vu.task) makes it take iterations.
---@param scenario wingman.load.scenario
---@param id integer
---@return wingman.load.vu
function M.new(scenario, id)
  scenario.user_metatable = scenario.user_metatable or metatable_of(scenario)
  local self = setmetatable({
    id = id, iteration = 0, rng = random.new(scenario.run.seed, id), tag = scenario.tag, late_us = 0, began_us = 0,
    busy = false, sleeping = false,
  }, scenario.user_metatable)
  local task = loop.task(live, self)
  task.vu, task.enter, task.leave = self, enter, leave
  self.task = task
  return self
end

return M
