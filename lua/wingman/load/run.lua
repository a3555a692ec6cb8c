--- A run of a load test, or of one shard of it: connects, sets up, lets the scenarios run,
--- keeps the plan of faults, measures, tears down.
local checks = require "wingman.metrics.checks"
local core = require "wingman.core"
local data = require "wingman.load.input.data"
local follow = require "wingman.load.follow"
local histogram = require "wingman.base.histogram"
local inbox = require "wingman.load.inbox"
local log_levels = require "wingman.loop.log_levels"
local loop = require "wingman.loop"
local builtin_metrics = require "wingman.metrics.builtin"
local metrics = require "wingman.metrics.registry"
local native = require "wingman.load.executor.native"
local nemesis = require "wingman.load.control.planned_faults"
local options_module = require "wingman.load.options"
local random = require "wingman.base.random"
local reads = require "wingman.metrics.reads"
local scenario_module = require "wingman.load.scenario"
local script_traceback = require "wingman.base.script_traceback"
local sessions = require "wingman.load.sessions"
local series = require "wingman.metrics.series"
local steering = require "wingman.load.control.steering"
local threshold = require "wingman.metrics.threshold"
local wingman = require "wingman"

local M = {}

--- Seconds for the owners of partitions to be connected before the test begins. Writes for one
--- that is not would wait, and their wait would be measured.
local OWNERS_WAIT = 5
--- Seconds for the maps of the option `follow` to be there.
local FOLLOW_WAIT = 60
--- Faults and failovers that are kept; a run with more of them says how many there were.
local MOST_FAULTS = 1000
--- Seconds between two looks at how late the loop is.
local LATENESS_INTERVAL = 0.05

---@class wingman.load.run
---@field options table         checked, see wingman.load.options
---@field seed integer
---@field shard { index: integer, count: integer }
---@field scenarios wingman.load.scenario[]
---@field client wingman.client
---@field registry wingman.load.registry
---@field state "starting"|"setup"|"running"|"draining"|"ended"
---@field outcome string|nil    once it is known
---@field reason string|nil
local methods = {}
methods.__index = methods

-- A code that a threshold asks for counts from 0: that nothing of it happened is a fact.
local function expect_codes(self)
  for _, one in ipairs(self.options.thresholds) do
    local code = one.name == "errors" and one.tags.code
    if code then
      self.errors[code] = 0
      for _, scenario in ipairs(self.scenarios) do scenario.errors[code] = 0 end
    end
  end
end

---@param options table   checked
---@param given { seed: integer|nil, shard: table|nil, custom: table|nil, policy: table|nil, listener: table|nil, cluster: table|nil, has_read: boolean|nil }
---  `has_read`: the set-up, which was another thread's, has read: what its client went through is opened here, too
---@return wingman.load.run
function M.new(options, given)
  local self = setmetatable({
    options = options,
    seed = given.seed or options.seed or 1,
    shard = given.shard or { index = 0, count = 1 },
    given = given,
    listener = given.listener or {},
    registry = metrics.registry(),
    op_metrics = core.op_metrics(),
    now = loop.now,
    maps = {},
    scenarios = {},
    errors = {},
    seen_errors = setmetatable({}, { __mode = "k" }),
    scenario_of_tag = {},
    group_of_tag = {},   -- names
    waiting_for_log = 0, -- users, in the op log
    faults = {},
    lost_nodes = {},
    reconnects = 0,
    map_versions = 0,
    last_vu = 0,
    loop_lateness = histogram.new(3600e6, 3),
    log_level = "warn",
    state = "starting",
  }, methods)
  self.rng = random.new(self.seed, 0)
  self.share = function(n)
    local whole = math.floor(n / self.shard.count)
    return whole + (self.shard.index < n - whole * self.shard.count and 1 or 0)
  end
  self.context = native.context(self.op_metrics)
  self.checks = checks.new(self.registry)
  self.reads = reads.new(self)
  self.steering = steering.new(self)
  data.split(self.shard)
  self.planned_s = 0
  for _, one in ipairs(options.scenarios) do
    self.scenarios[#self.scenarios + 1] = scenario_module.new(self, one.name, one.options)
    self.planned_s = math.max(self.planned_s, one.options.start_time + one.options.seconds)
  end
  expect_codes(self)
  return self
end

local function emit(self, event, ...)
  local fn = self.listener[event]
  if fn then fn(...) end
end

function methods:__tostring()
  return ("<run %s, %s, %.0f of %.0f s>"):format(self.options.name, self.state, self:elapsed(), self.planned_s)
end

--- Seconds since the scenarios began; 0 before.
function methods:elapsed() return self.start_us and (native.now_us() - self.start_us) / 1e6 or 0 end

--- The next user's number: shards share the numbers.
function methods:next_vu_id()
  self.last_vu = self.last_vu + 1
  return (self.last_vu - 1) * self.shard.count + self.shard.index + 1
end

local function count(counts, code) counts[code] = (counts[code] or 0) + 1 end

--- Counts an error by its code, and for a scenario when it is one of its users'.
---@param code string
---@param scenario wingman.load.scenario|nil
function methods:count_error(code, scenario)
  code = tostring(code) -- a script's own may be a number
  count(self.errors, code)
  if scenario then count(scenario.errors, code) end
end

--- Counts an error that several may see: the client that reports it, and the user that raises
--- it. It counts once, and for the scenario once that is known.
---@param err wingman.error
---@param scenario wingman.load.scenario|nil
function methods:saw_error(err, scenario)
  local code, seen = tostring(err.code), self.seen_errors[err]
  if not seen then count(self.errors, code) end
  if scenario and seen ~= scenario then count(scenario.errors, code) end
  self.seen_errors[err] = scenario or seen or true
end

--- Handles an error of the script: the first one is shown, and the run has failed.
function methods:script_failed(scenario, _, traceback)
  self:count_error("SCRIPT", scenario)
  if not self.script_error then
    self.script_error = traceback
    emit(self, "script_error", scenario.name, traceback)
  end
end

function methods:saw_loop_lateness(us)
  if us < 0 then us = 0 end
  self.loop_lateness:record(us)
  if self.series then self.series:saw_lateness(us) end
end

function methods:fault(fault)
  if #self.faults < MOST_FAULTS then self.faults[#self.faults + 1] = fault end
end

function methods:fault_done(fault)
  if not fault.ok then
    self:count_error "NEMESIS"
    self.fault_failed = self.fault_failed
      or ("the planned fault '%s %s' did not take place: %s"):format(fault.action, fault.target, tostring(fault.detail))
  end
  emit(self, "fault", fault)
end

-- Connecting --------------------------------------------------------------------

local function client_options(self)
  local options, given = self.options, self.given
  local result = {}
  for name, value in pairs(options.client or {}) do result[name] = value end
  result.cluster, result.server, result.auth = options.cluster, options.server, options.auth or result.auth
  if given.cluster then
    result.cluster, result.server = { seeds = given.cluster.urls }, nil
    result.auth = result.auth or { token = given.cluster.token }
  end
  for name, value in pairs(given.policy or {}) do result[name] = value end
  result.log_to = function(level, event, fields)
    if log_levels.rank[level] >= log_levels.rank[self.log_level] then emit(self, "log", level, event, fields) end
  end
  return result
end

local function listen(self)
  local client = self.client
  client:on("node_lost", function(node)
    self.lost_nodes[node.id or node.url] = true
    self:count_error("NODE_LOST")
    emit(self, "node", "lost", node)
  end)
  client:on("node_connected", function(node)
    if self.lost_nodes[node.id or node.url] then
      self.lost_nodes[node.id or node.url] = nil
      self.reconnects = self.reconnects + 1
      emit(self, "node", "connected", node)
    end
  end)
  client:on("map_changed", function() self.map_versions = self.map_versions + 1 end)
  for _, event in ipairs { "op_rejected", "op_dropped" } do client:on(event, function(err) self:saw_error(err) end) end
  client:on("op_dropped", function() self.was_full = true end)
  -- What a server refused or was late for in the set-up was sent again: the set-up ends when everything is acknowledged.
  client:on("server_error", function(err) if self.state ~= "setup" then self:saw_error(err) end end)
  client:on("ack_timeout", function() if self.state ~= "setup" then self:count_error "ACK_TIMEOUT" end end)
end

-- The place in the script that a call into Wingman comes from: "script.lua:3: ".
local function place_in_script()
  local level = 2
  while true do
    local info = debug.getinfo(level, "Sl")
    if not info then return "" end
    if info.currentline > 0 and not script_traceback.is_own(info.source) then
      return ("%s:%d: "):format(info.short_src, info.currentline)
    end
    level = level + 1
  end
end

-- A write that the client did not record, or a query or read that it has no answer to. That a value
-- has no MessagePack form is a mistake in the script, which a test that does not look at what
-- `set` returns would never see.
local function refused(self, err)
  if err.code == "NOT_ENCODABLE" then error(place_in_script() .. err.message, 0) end
  if err.code == "LOG_FULL" then self.was_full = true end
  self:saw_error(err, self.scenario_of_tag[self.context.tag])
end

local function measure(self)
  local client, context, own_reads = self.client, self.context, self.reads
  client.core:measure(self.op_metrics)
  client.measured = {
    since = function(seconds) context.since_us = seconds * 1e6 end,
    waiting_for_log = function(change)
      self.was_full = true
      self.waiting_for_log = self.waiting_for_log + change
    end,
    refused = function(err) refused(self, err) end,
    read = function(map, keys, seconds, value, err)
      own_reads:read(map, keys, seconds * 1e6, value, err)
      if err then refused(self, err) end
    end,
    query = function(map, seconds, rows, err)
      own_reads:query(map, seconds * 1e6, rows, err)
      if err then refused(self, err) end
    end,
  }
end

-- Whether each owner of a partition can be used. A client that is given one seed has started
-- before it is connected to the others.
local function has_all_owners(client)
  local map = client:partition_map()
  if not map then return true end
  local connected = {}
  for _, id in ipairs(client:connected_nodes()) do connected[id] = true end
  for _, owner in ipairs(map.owners) do
    if not connected[owner] then return false end
  end
  return true
end

-- What the client reads through, to each node that is connected.
local function open_listening(client)
  local listeners = client.listeners
  listeners:open()
  loop.wait_until(function()
    if client.closed then return true end
    for _, node in ipairs(client.provider:nodes()) do
      if not listeners:of(node) then return false end
    end
    return true
  end, OWNERS_WAIT)
end

--- Connects, to all nodes that own something or for some seconds. True, or nil, err. Waits.
---@return boolean|nil, wingman.error|nil
function methods:connect()
  local ok, client, err = pcall(wingman.client, client_options(self))
  if not ok then return nil, require("wingman.base.error").new("USAGE", tostring(client)) end
  if not client then return nil, err end
  self.client = client
  listen(self)
  measure(self)
  local started, why = client:start()
  if not started then return nil, why end
  loop.wait_until(function() return client.closed or has_all_owners(client) end, OWNERS_WAIT)
  if self.given.has_read and not client.closed then open_listening(client) end
  return true
end

-- Room for the connections of all users of this shard.
local function make_sessions(self)
  local capacity = 0
  for _, scenario in ipairs(self.scenarios) do
    capacity = capacity + math.ceil(scenario.options.module.users(scenario.options))
  end
  local urls = {}
  for _, node in ipairs(self.client.provider.connections.nodes) do urls[#urls + 1] = node.whole_url end
  local auth = self.client.options.auth
  local made, err = sessions.new {
    urls = urls, token = auth and auth.token, capacity = capacity, metrics = self.op_metrics, client = self.options.client,
    lost = function() self:count_error "SESSION_LOST" end,
    inbox_full = function()
      emit(self, "log", "warn", "inbox_full", { messages = inbox.MOST, of_all_users = inbox.MOST_OF_ALL })
    end,
  }
  if not made then error("connections = \"per-vu\": " .. tostring(err), 0) end
  return made
end

--- The connections of single users; raises when the test has none.
---@return wingman.load.sessions
function methods:own_sessions()
  if self.sessions then return self.sessions end
  if self.options.connections ~= "per-vu" then
    error("a user's own connection (vu:connect, vu:send, …) needs connections = \"per-vu\" in the test", 3)
  end
  self.sessions = make_sessions(self)
  return self.sessions
end

-- A second client of the same cluster, which only follows what the users' client writes: the run counts
-- neither its events nor its op log.
local function make_observer(self)
  local options, cluster = client_options(self), self.client:cluster()
  options.oplog, options.client_id = nil, nil
  if cluster then
    options.cluster, options.server = { seeds = cluster.urls }, nil
    options.auth = { token = cluster.token }
  end
  local client, err = wingman.client(options)
  if not client then return nil, err end
  local ok, why = client:start()
  if ok then return client end
  client:close()
  return nil, why
end

--- What the test follows; raises when users have connections of their own.
---@return wingman.load.follow
function methods:own_follows()
  if self.options.connections == "per-vu" then
    error("vu:follow: " .. options_module.NO_FOLLOWING, 3)
  end
  self.follows = self.follows or follow.new(self, function() return make_observer(self) end)
  return self.follows
end

-- Ending ------------------------------------------------------------------------

--- Ends the run before its time; what is under way has `grace` seconds. The first reason
--- counts.
---@param outcome "aborted"|"interrupted"|"error"
---@param reason string
---@param grace number|nil
function methods:abort(outcome, reason, grace)
  if not self.outcome then self.outcome, self.reason = outcome, reason end
  if self.state == "starting" and self.client then self.client:close() end
  for _, scenario in ipairs(self.scenarios) do
    if scenario.state == "waiting" then
      scenario.state = "ended"
      scenario.ended:resolve(true)
    end
    scenario:stop(grace or 1)
  end
end

-- Looks at the thresholds that end a run; once a second.
local function check_aborting(self)
  local elapsed = self:elapsed()
  local any = false
  for _, one in ipairs(self.options.thresholds) do any = any or one.abort end
  if not any or self.outcome then return end
  builtin_metrics.refresh(self)
  for _, one in ipairs(self.options.thresholds) do
    if one.abort and elapsed >= one.delay then
      local metric = self:metric(one)
      local value = metric and threshold.value(metric, one, elapsed)
      if value and not threshold.passes(one, value) then
        one.aborted = true
        return self:abort("aborted", ("threshold %s on %s was crossed after %.1f s"):format(one.expression, one.metric, elapsed))
      end
    end
  end
end

--- What a threshold looks at, several metrics as one; nil while nothing of it has been seen.
---@param one wingman.load.threshold
---@return table|nil
function methods:metric(one) return threshold.total(one, threshold.select(self.registry.list, one)) end

local function sample_each_second(self)
  local function again()
    self.sampler = loop.timer(math.max(0, 1 - (loop.now() - self.sampled_at)), function()
      self.sampled_at = self.sampled_at + 1
      local point = self.series:take(self.seconds)
      self.seconds = self.seconds + 1
      emit(self, "point", point)
      check_aborting(self)
      again()
    end)
  end
  self.sampled_at, self.seconds = loop.now(), 0
  again()
end

-- Looks often how late the loop is, so that one moment of many seconds is not all of it.
local function sample_loop_lateness(self)
  local wanted = loop.now() + LATENESS_INTERVAL
  self.lateness_sampler = loop.timer(LATENESS_INTERVAL, function()
    self:saw_loop_lateness((loop.now() - wanted) * 1e6)
    sample_loop_lateness(self)
  end)
end

-- Phases ------------------------------------------------------------------------

local function scripted(self, what, fn, ...)
  local ok, result = xpcall(fn, script_traceback.of, ...)
  if ok then return true, result end
  self.script_error = self.script_error or tostring(result)
  self:abort("error", what .. " raised an error")
  emit(self, "script_error", what, tostring(result))
  return false
end

-- What set-up and teardown are given.
---@class wingman.load.hand
---@field client wingman.client
---@field data any            what the set-up returned; nil in the set-up
---@field shard { index: integer, count: integer }
---@field seed integer
---@field map fun(self: wingman.load.hand, name: string): wingman.map

-- What set-up and teardown are given.
---@return wingman.load.hand
local function hand_of(self)
  return {
    client = self.client, data = self.data, shard = self.shard, seed = self.seed,
    map = function(_, name) return self.client:map(name) end,
  }
end

local function set_up(self)
  self.state = "setup"
  if self.given.data ~= nil then self.data = self.given.data end
  if not self.options.setup or self.given.data ~= nil then return true end
  local ok, made = scripted(self, "setup", self.options.setup, hand_of(self))
  if not ok then return false end
  self.data = made
  local drained, err = self.client:drain(self.options.drain)
  if drained then return true end
  self:abort("error", "what setup wrote was not acknowledged: " .. tostring(err))
  return false
end

-- Before the test, so that no iteration waits for it.
local function follow_all(self)
  local names, live = self.options.follow, self.options.live
  if #names == 0 and next(live) == nil then return true end
  local ok, err = self:own_follows():begin(names, live, FOLLOW_WAIT)
  if not ok then self:abort("error", err) end
  return ok
end

local function start_scenarios(self)
  for _, scenario in ipairs(self.scenarios) do
    local wait = scenario.options.start_time
    if wait <= 0 then
      scenario:start(self.start_us)
    else
      loop.timer(wait, function()
        if scenario.state == "waiting" then scenario:start(self.start_us + wait * 1e6) end
      end)
    end
  end
end

-- Everything recorded is acknowledged, or was given its time.
local function drain(self)
  self.state = "draining"
  if self.client.closed then return end
  local grace = self.outcome == "interrupted" and 1 or self.options.drain
  local deadline = loop.now() + grace
  self.client:drain(grace)
  self.ops_unacknowledged = self.client:pending_ops()
  if self.follows then self.follows:drain(math.max(0, deadline - loop.now())) end
end

-- Shards with the same start time begin together, as far as their clocks agree.
local function wait_for_start(self)
  local at = self.given.start_at -- Unix seconds, or a future of them
  if type(at) == "table" then at = at:wait() end
  if not at then return end
  local left = at - core.wall_ms() / 1000
  if left <= 0 then return emit(self, "late_start", -left) end
  if left > 1 then emit(self, "waiting", left) end
  loop.wait_until(function() return self.outcome or core.wall_ms() / 1000 >= at - 0.01 end)
  left = at - core.wall_ms() / 1000
  if left > 0 and not self.outcome then loop.sleep(left) end
end

--- Connects and sets up. False when the run cannot begin: `outcome` and `reason` say why.
---@return boolean
function methods:prepare()
  local connected, err = self:connect()
  if self.outcome then return false end -- it was interrupted
  if not connected then
    self.outcome, self.reason, self.connect_error = "error", tostring(err), err
    return false
  end
  if not set_up(self) or not follow_all(self) then return false end
  builtin_metrics.baseline(self)
  self.was_full = nil -- by what the set-up wrote
  self.series = series.new(self)
  self.started_at = core.wall_ms() / 1000
  emit(self, "ready", self)
  return true
end

--- The time of the run begins, and the plan of faults.
function methods:begin()
  wait_for_start(self)
  self.started_at, self.start_us = core.wall_ms() / 1000, native.now_us()
  self.state = "running"
  self.end_nemesis = nemesis.start(self)
end

function methods:tear_down()
  if self.options.teardown then scripted(self, "teardown", self.options.teardown, hand_of(self)) end
end

--- The whole run, from the connection to the teardown; in a task. False when it could
--- not begin.
---@return boolean ran
function methods:execute()
  if not self:prepare() then return false end
  self:begin()
  sample_each_second(self)
  sample_loop_lateness(self)
  if self.outcome then self:abort(self.outcome, self.reason) else start_scenarios(self) end
  for _, scenario in ipairs(self.scenarios) do scenario.ended:wait() end
  self.duration_s = self:elapsed()
  self.end_nemesis()
  drain(self)
  self.sampler:cancel()
  self.lateness_sampler:cancel()
  self.series:take(self.seconds)
  self:tear_down()
  builtin_metrics.refresh(self)
  builtin_metrics.metric(self, "ops_unacknowledged").count = self.ops_unacknowledged
  self.state = "ended"
  return true
end

--- How long the run has lasted, without the draining.
function methods:duration() return self.duration_s or self:elapsed() end

--- Losses of nodes since the scenarios began; at_s from then.
function methods:failovers()
  local list = {}
  for _, one in ipairs(self.client:failovers()) do
    local at = one.detected_at - (self.start_us or 0) / 1e6
    if self.start_us and at >= 0 then
      list[#list + 1] = {
        at_s = at, node = one.node or one.url, reason = one.reason, map_asked_s = one.map_asked, map_received_s = one.map_received,
        rerouted_s = one.rerouted, first_ack_s = one.first_ack, drained_s = one.drained,
      }
    end
  end
  return list
end

--- Ends the client and the cluster that it started.
function methods:close()
  if self.sessions then self.sessions:close() end
  if self.follows then self.follows:close() end
  if self.client then self.client:close() end
end

return M
