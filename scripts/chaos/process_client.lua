--- A client in a process of its own with a durable op log: it can be killed, and
--- comes back with the same file. Its side is writer.lua; what it does comes here
--- line by line and is written into the history.
local cjson = require "cjson"
local loop = require "wingman.loop"
local process = require "wingman.loop.process"

local now = loop.now

local M = {}

local SCRIPT = debug.getinfo(1, "S").source:match "^@(.*)process_client%.lua$" .. "writer.lua"
--- Seconds for the process to say its next word.
local WORD_TIMEOUT = 30

---@class chaos.process_client
---@field name string
---@field client nil
---@field kills integer
local methods = {}
methods.__index = methods

local handlers = {}

-- By its id, or by "@" and its time: of a removal that was loaded no more is known.
local function named(self, id) return self.history.by_id[id] or self.history.by_time[id:sub(2)] end

function handlers.intent(self, e)
  local op = self.history:invoke(self.name, e.key, e.kind, e.at)
  assert(op.id == e.id, "the client process counts differently")
end

function handlers.recorded(self, e)
  local op = self.history.by_id[e.id]
  op.partition = e.partition
  self.history:recorded(op, e.time, e.at)
end

-- A removal that an earlier process did not come to tell: the first one of the key.
local function untold_removal(self, key)
  for _, op in ipairs(self.history.ops) do
    if op.client == self.name and op.key == key and op.kind == "remove" and not op.recorded then return op end
  end
end

-- What an earlier process left in the file: also what was acknowledged just before
-- that ended, and is sent once more. Each process has its own future of it.
function handlers.loaded(self, e)
  local op = e.id and self.history.by_id[e.id] or self.history.by_time[e.time] or untold_removal(self, e.key)
  op.partition = e.partition
  if not op.recorded then self.history:recorded(op, e.time, e.at) end
  op.kept, op.settled = op.kept or e.at, 0
end

function handlers.refused(self, e) self.history.by_id[e.id].refused = e.code end
function handlers.kept(self, e)
  for _, id in ipairs(e.ids) do self.history.by_id[id].kept = e.at end
end
function handlers.acked(self, e) self.history:acked(named(self, e.id), e.node, e.at) end
function handlers.failed(self, e) self.history:failed(named(self, e.id), e.code, e.at) end
function handlers.map(self, e) table.insert(self.record.maps, { at = e.at, owners = e.owners }) end
function handlers.connected(self, e) table.insert(self.record.connections, { at = e.at, node = e.node }) end
function handlers.lost(self, e) table.insert(self.record.losses, { at = e.at, node = e.node, reason = e.reason }) end
function handlers.done(self, e)
  self.record.pending, self.record.counts = {}, e.counts
  for _, id in ipairs(e.pending) do self.record.pending[named(self, id).id] = true end
  self.is_done = true
end

-- A process that is killed may leave half a line.
local function listen(self, child)
  while true do
    local line = child:read_line(WORD_TIMEOUT)
    if not line then return end
    local ok, event = pcall(cjson.decode, line)
    if ok then handlers[event.e](self, event) end
  end
end

local function begin(self)
  self.record = self.history:client_started(self.name, now())
  local target = self.target
  local job = {
    name = self.name, path = self.path, urls = target.urls, proxies = target.proxies ~= nil, work = self.job,
    seed = self.seed + self.kills, order = self.record.order, patience = self.patience,
  }
  local child, err = process.spawn {
    file = process.wingman_path(), args = { "run", SCRIPT },
    env = { WINGMAN_CHAOS_JOB = cjson.encode(job), WINGMAN_CHAOS_SECRET = target.cluster.secret },
  }
  assert(child, err)
  self.child = child
  self.listener = loop.spawn(listen, self, child)
end

local function end_process(self)
  self.child:kill "SIGKILL"
  self.listener:wait()
  self.child:wait(WORD_TIMEOUT)
  self.child:close()
end

--- Starts the process; it works until `settle`.
---@param history chaos.history
---@param name string
---@param options { target: chaos.target, work: chaos.work, seed: integer, patience: number }
---@return chaos.process_client
function M.start(history, name, options)
  local path = os.tmpname()
  os.remove(path)
  local self = setmetatable({
    name = name, history = history, path = path, target = options.target, job = options.work, seed = options.seed,
    patience = options.patience, kills = 0,
  }, methods)
  begin(self)
  return self
end

--- SIGKILL, and a new process with the same file.
function methods:kill()
  if self.is_done or self.is_ending then return end
  end_process(self)
  self.kills = self.kills + 1
  begin(self)
end

--- The process works by itself.
function methods:work(_, _, is_over)
  while not is_over() do loop.sleep(0.02) end
end

--- Tells the process to end once everything is settled, and waits for that.
---@return boolean
function methods:settle(_, timeout)
  self.is_ending = true
  io.open(self.path .. ".stop", "w"):close()
  local done = loop.wait_until(function() return self.is_done end, timeout + 5)
  return done == true
end

--- `settle` has written everything down.
function methods:finish() assert(self.is_done, "the client process did not come to its end") end

--- Ends the process and removes its files.
function methods:close()
  end_process(self)
  os.remove(self.path)
  os.remove(self.path .. ".stop")
end

return M
