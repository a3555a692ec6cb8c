--- Schedules side by side: each has a cluster of its own, and waits most of the time.
local loop = require "wingman.loop"

local M = {}

---@class chaos.pool
---@field package results table<integer, chaos.result|string>  by seed; a text: the machinery failed
local methods = {}
methods.__index = methods

local function work(self)
  while true do
    local seed = self.next_seed()
    if not seed then return end
    local ok, result = pcall(self.run, seed)
    self.results[seed] = result
    self.finished(seed, ok and result or nil, not ok and result or nil)
  end
end

--- Starts `jobs` tasks that each take the next seed until there is none.
---@param jobs integer
---@param next_seed fun(): integer|nil
---@param run fun(seed: integer): chaos.result
---@param finished fun(seed: integer, result: chaos.result|nil, err: string|nil)|nil
---@return chaos.pool
function M.start(jobs, next_seed, run, finished)
  local self = setmetatable({ next_seed = next_seed, run = run, finished = finished or function() end, results = {} }, methods)
  self.tasks = {}
  for i = 1, jobs do self.tasks[i] = loop.spawn(work, self) end
  return self
end

--- The result of a seed, or nil, err. Waits.
---@param seed integer
---@return chaos.result|nil, string|nil
function methods:result(seed)
  loop.wait_until(function() return self.results[seed] end)
  local result = self.results[seed]
  if type(result) == "table" then return result end
  return nil, result
end

--- Waits for all tasks.
function methods:join()
  for _, task in ipairs(self.tasks) do task:wait() end
end

return M
