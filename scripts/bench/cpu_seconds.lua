--- CPU time that a process has used so far, of the user and of the kernel on its behalf.

--- USER_HZ, in which Linux counts it there, on all architectures that Wingman runs on.
local TICKS_PER_SECOND = 100

---@param pid integer
---@return number seconds  in steps of 10 ms (proc_pid_stat(5): utime and stime)
return function(pid)
  local file = assert(io.open(("/proc/%d/stat"):format(pid)))
  local fields = file:read("*a"):match ".*%) (.*)" -- behind the name, which may hold anything
  file:close()
  local list = {}
  for field in fields:gmatch "%S+" do list[#list + 1] = tonumber(field) or field end
  return (list[12] + list[13]) / TICKS_PER_SECOND
end
