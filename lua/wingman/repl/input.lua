--- Standard input as a source of the loop: what comes is handed to a function.
local loop = require "wingman.loop"
local terminal = require "wingman.terminal"

local M = {}

---@class wingman.repl.input
---@field wanted boolean  while false, what comes waits in the terminal or the pipe
local methods = {}
methods.__index = methods

--- Part of the loop.
function methods:drain_events()
  if not self.wanted then return end
  local bytes, err = self.input:read()
  if bytes ~= "" then self.take(bytes, err) end
  if self.wanted and self.input then self.input:watch(true) end
end

--- Whether input is taken now.
---@param wanted boolean
function methods:want(wanted)
  self.wanted = wanted
  self.input:watch(wanted)
end

function methods:close()
  loop.remove_source(self)
  self.wanted = false
  self.input:close()
  self.input = nil
end

---@param take fun(bytes: string|nil, err: string|nil)  nil at the end of the input, with an error when it
---  cannot be read
---@return wingman.repl.input
function M.open(take)
  local self = setmetatable({ input = terminal.input(loop.handle()), take = take, wanted = false }, methods)
  loop.add_source(self)
  return self
end

return M
