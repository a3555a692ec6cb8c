--- Runs a script in LuaJIT's interpreter: memory checkers do not follow compiled traces.
--- usage: without_jit.lua SCRIPT [ARGS]
require("jit").off()
local script = table.remove(arg, 1)
arg[0] = script
return dofile(script)
