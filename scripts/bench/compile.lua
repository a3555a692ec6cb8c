--- The parts of a benchmark that are written in C, compiled when it runs.
local process = require "wingman.loop.process"

--- Compiles `NAME.c` of this directory with optimization. Its path below build/bench-peer,
--- or nil and what the compiler said.
---@param directory string  of the benchmarks
---@param name string       "hash_loop"
---@param flags string[]    for the compiler
---@return string|nil, string|nil
return function(directory, name, flags)
  local out = ("%s/../../build/bench-peer/%s"):format(directory, name:match "[^/]*$")
  local args = { "-O2", "-o", out, ("%s/%s.c"):format(directory, name) }
  for _, flag in ipairs(flags) do args[#args + 1] = flag end
  local child = assert(process.spawn { file = "cc", args = args, stderr = true })
  local err = child:read_all(120, "stderr")
  local code = child:wait(120)
  child:close()
  if code ~= 0 then return nil, "cc failed:\n" .. err end
  return out
end
