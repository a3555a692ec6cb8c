--- Runs busted in this LuaJIT, so that the module under test and the runner are
--- one process: `build/wingman run spec/run.lua [FILES]`.
-- Loaded before busted puts the paths of .busted in front, which name build/: this
-- executable may be another build, with sanitizers for one.
require "wingman.core"
-- One loop for all files: busted would have each load its own.
require "wingman.loop"
if #arg == 0 then arg[1] = "spec" end
table.insert(arg, 1, "--ignore-lua")
table.insert(arg, 2, "--output=spec.support.output")
-- Where specs failed, busted raises nil; what it printed has said it all.
local ok, err = pcall(require "busted.runner", { standalone = false })
io.stdout:flush() -- a sanitizer that reports at the end would lose it
if ok then return 0 end
if err ~= nil then error(err, 0) end
return 1
