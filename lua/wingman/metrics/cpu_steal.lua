--- CPU steal: processor time that a virtual machine wanted and that the hypervisor gave to others.
--- It makes a generator late that has done nothing wrong.
local M = {}

--- The share from which on it is reported.
M.WORTH_TELLING = 0.01

-- The times of all processors since the start: stolen, and in all (proc(5): user nice
-- system idle iowait irq softirq steal; what follows is part of the first two).
local function read(path)
  local file = io.open(path)
  if not file then return end
  local line = file:read "*l" or ""
  file:close()
  local steal, all, n = 0, 0, 0
  for word in (line:match "^cpu%s+(.*)" or ""):gmatch "%d+" do
    n = n + 1
    if n > 8 then break end
    all = all + tonumber(word)
    steal = tonumber(word)
  end
  if n >= 8 then return steal, all end
end

--- A function that gives the share of this machine's processor time, 0 to 1, that was stolen
--- since now; nil where the system has no such number.
---@param path string|nil  what is read, for specs; default: /proc/stat
---@return fun(): number|nil
function M.since_now(path)
  path = path or "/proc/stat"
  local steal_before, all_before = read(path)
  return function()
    local steal, all = read(path)
    if not steal or not steal_before or all <= all_before then return nil end
    return math.max(0, steal - steal_before) / (all - all_before)
  end
end

return M
