--- Keeps the processors from halting, by `wingman keep-awake` in a process of its own: see
--- there for what it is good for.
local process = require "wingman.loop.process"

local M = {}

--- Seconds for it to say that it has begun, and to end.
local PATIENCE = 10

---@class wingman.keep_awake
---@field processors integer  how many are kept awake
---@field package child wingman.process
local methods = {}
methods.__index = methods

--- Begins; it ends with this process at the latest.
---@return wingman.keep_awake|nil, string|nil err
function M.start()
  local child, err = process.spawn { file = process.wingman_path(), args = { "keep-awake" }, stdin = true, stderr = true, own_session = true }
  if not child then return nil, err end
  local processors = tonumber((child:read_line(PATIENCE) or ""):match "^(%d+) processors? kept awake$")
  if processors then return setmetatable({ processors = processors, child = child }, methods) end
  child:kill "SIGKILL"
  local said = child:read_all(PATIENCE, "stderr"):gsub("%s+$", "")
  child:wait(PATIENCE)
  child:close()
  return nil, said ~= "" and said or "wingman keep-awake said nothing"
end

--- The processors may halt again. Safe twice.
function methods:stop()
  local child = self.child
  self.child = nil
  if not child then return end
  child:close_stdin()
  if not child:wait(PATIENCE) then child:kill "SIGKILL" end
  child:close()
end

return M
