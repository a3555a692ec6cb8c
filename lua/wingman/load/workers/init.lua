--- The coordinator of `--workers N`: starts the cluster and the workers, keeps the plan of
--- faults, steers, shows, and merges the workers' reports into that of one run.
local frames = require "wingman.load.workers.frames"
local histogram = require "wingman.base.histogram"
local loop = require "wingman.loop"
local merge = require "wingman.report.merge"
local merge_metrics = require "wingman.report.merge.metrics"
local stream = require "wingman.loop.stream"
local work = require "wingman.metrics.work"

local M = {}

--- Seconds for a worker to connect to its coordinator, and for all to connect to the cluster.
local PATIENCE = 60
--- From the moment when all are ready to their common start (seconds).
local HEAD_START = 0.2

---@class wingman.load.workers
---@field count integer
---@field failure string|nil        why a worker could not do its part
---@field no_connection boolean|nil
local methods = {}
methods.__index = methods

local function scratch_path()
  local path = os.tmpname()
  os.remove(path)
  return path .. ".wingman"
end

-- The connections of `count` threads; nil, err when one does not come.
local function start_threads(self, listener, path)
  local threads = require "wingman.workers"
  for i = 1, self.count do
    local thread, err = threads.start("wingman.load.workers.worker", path)
    if not thread then return nil, ("worker %d could not be started: %s"):format(i, err) end
    self.threads[i] = thread
  end
  local conns = {}
  for i = 1, self.count do
    local conn, err = listener:accept(PATIENCE)
    if not conn then return nil, ("%d of %d workers did not start: %s"):format(self.count - i + 1, self.count, err or "no answer") end
    conns[i] = conn
  end
  return conns
end

--- Starts `count` threads, each as a shard of `outer`, and waits until all are ready: together, as a worker
--- may have to wait for its nodes (1.5 s for a lone server, which does not answer all that it is asked).
---@param given { count: integer, task: table, outer: { index: integer, count: integer }, listener: table }
---@return wingman.load.workers|nil, string|nil err
function M.start(given)
  local path = scratch_path()
  local listener, err = stream.listen { path = path }
  if not listener then return nil, err end
  local self = setmetatable({
    count = given.count, listener = given.listener, peers = {}, threads = {}, ready = 0, all_ready = loop.future(), reports = {},
    done = loop.future(), ended = 0, points = {}, answers = {}, numbers = 0,
  }, methods)
  local conns
  conns, err = start_threads(self, listener, path)
  listener:close()
  if not conns then return nil, err end
  for i, conn in ipairs(conns) do
    local peer = frames.new(conn)
    self.peers[i] = peer
    local task = {}
    for name, value in pairs(given.task) do task[name] = value end
    task.shard = { index = given.outer.index + (i - 1) * given.outer.count, count = given.outer.count * given.count }
    peer:send(task)
    loop.spawn(function() self:hear(i, peer) end)
  end
  loop.wait_until(function() return self.ready == self.count or self.failure end, PATIENCE)
  return self
end

local function fail(self, message, no_connection)
  self.failure = self.failure or message
  self.no_connection = self.no_connection or no_connection
  self.all_ready:resolve(false)
end

-- The points of one second, of all workers, as one.
local function add_point(self, point)
  local list = self.points[point.t_s] or {}
  self.points[point.t_s] = list
  list[#list + 1] = point
  if #list < self.count then return end
  self.points[point.t_s] = nil
  local sum = { t_s = point.t_s, counters = {}, gauges = {}, lateness_max_s = 0, nodes = {} }
  for _, kind in ipairs(work) do sum[kind.series] = histogram.new(3600e6, 2) end
  local nodes = {}
  for _, one in ipairs(list) do
    for _, kind in ipairs { "counters", "gauges" } do
      for name, value in pairs(one[kind]) do sum[kind][name] = (sum[kind][name] or 0) + value end
    end
    for _, node in ipairs(one.nodes) do
      local into = nodes[node.id]
      if not into then
        into = { id = node.id, acked = 0, usable = false }
        nodes[node.id], sum.nodes[#sum.nodes + 1] = into, into
      end
      into.acked, into.usable = into.acked + node.acked, into.usable or node.usable
    end
    sum.gauges.rss_bytes = one.gauges.rss_bytes -- of the process, which is one
    for _, kind in ipairs(work) do
      local exported = one[kind.series]
      if exported then sum[kind.series]:merge((assert(histogram.import(exported)))) end
    end
    sum.lateness_max_s = math.max(sum.lateness_max_s, one.lateness_max_s)
  end
  self.on_point(sum)
end

--- Takes what a worker sends until it ends.
function methods:hear(index, peer)
  while true do
    local message = peer:receive()
    if not message then break end
    if message.ready then
      self.ready = self.ready + 1
      if self.ready == self.count then self.all_ready:resolve(true) end
    elseif message.point then add_point(self, message.point)
    elseif message.report then self.reports[#self.reports + 1] = message.report
    elseif message.unheard then loop.add_unheard_errors(message.unheard)
    elseif message.failed then fail(self, ("worker %d: %s"):format(index, message.failed), message.no_connection)
    elseif message.log then self.listener.log(unpack(message.log))
    elseif message.script_error then self.listener.script_error(unpack(message.script_error))
    elseif message.number then
      local waiting = self.answers[message.number]
      if waiting then
        waiting.list[#waiting.list + 1] = message.answer or message.partial
        if #waiting.list == self.count then waiting.future:resolve(waiting.list) end
      end
    end
  end
  self.ended = self.ended + 1
  if self.ended == self.count then self.done:resolve(true) end
end

local function broadcast(self, message)
  for _, peer in ipairs(self.peers) do peer:send(message) end
end

local function ask_all(self, fields)
  self.numbers = self.numbers + 1
  local number = self.numbers
  local waiting = { list = {}, future = loop.future() }
  self.answers[number] = waiting
  for name, value in pairs(fields) do fields[name] = value == true and number or value end
  fields.number = fields.number or number
  broadcast(self, fields)
  local list = waiting.future:wait(10)
  self.answers[number] = nil
  return list
end

--- Gives an order in the words of wingman.load.control.socket to all; the answers, or nil.
---@param text string
function methods:order(text) return ask_all(self, { order = text }) end

--- The reports so far, merged.
---@return table|nil, string|nil err
function methods:partial()
  local list = ask_all(self, { report = true })
  if not list then return nil, "a worker did not answer" end
  return merge.merge(list)
end

--- Some metrics so far, merged: less work for the workers than all of a report.
---@param names table<string, true>
---@return table[]|nil, string|nil err
function methods:metrics(names)
  local list = ask_all(self, { metrics = names })
  if not list then return nil, "a worker did not answer" end
  return merge_metrics.merge(list)
end

--- They begin together.
function methods:begin(start_at) broadcast(self, { start_at = start_at }) end

--- Waits for the ends of all and merges what they report.
---@return table|nil document, string|nil err
function methods:finish()
  self.done:wait()
  for _, thread in ipairs(self.threads) do thread:join() end
  if #self.reports < self.count then return nil, self.failure or "a worker ended without a report" end
  return merge.merge(self.reports)
end

M.HEAD_START = HEAD_START

return M
