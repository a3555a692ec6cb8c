--- How busy the machine is: what takes a second on an idle one takes so many here.
local M = {}

--- Processes that run or wait for a processor, for each processor, while timeouts need no more than
--- their usual time: a schedule mostly waits.
local USUAL = 2

local function processors()
  local count = 0
  for line in io.lines "/proc/stat" do count = count + (line:find "^cpu%d" and 1 or 0) end
  return count
end

--- 1 or more; 1 where the kernel does not say it.
---@return number
function M.factor()
  local file = io.open "/proc/loadavg"
  if not file then return 1 end
  local minute, now = file:read "*a":match "^(%S+) %S+ %S+ (%d+)/"
  file:close()
  return math.max(1, math.max(tonumber(minute), tonumber(now)) / processors() / USUAL)
end

return M
