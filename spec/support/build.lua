--- How the executable under test was built.
local path = require("wingman.loop.process").wingman_path()

local M = {}

--- The folder of the build.
M.folder = path:match "^(.*)/"

--- With the sanitizers all work takes a multiple of its time, and programs that are
--- built without them cannot load the module.
M.is_sanitized = path:find "sanitized" ~= nil

return M
