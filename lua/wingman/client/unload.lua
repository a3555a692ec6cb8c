--- The end of Wingman in a Lua state that goes on: for plugins that are reloaded.
local loop = require "wingman.loop"
local open_clients = require "wingman.client.open_clients"

--- Closes every client (calls that wait end with an error) and the loop with its timers and
--- sockets, and forgets the modules: the next require "wingman" loads them from their files.
--- Objects from before no longer work. All compiled code is flushed (jit.flush), as LuaJIT
--- cannot free a part of it: the host's own is compiled again. The C library stays until the
--- Lua state is closed.
return function()
  for _, one in ipairs(open_clients.list()) do one:close() end
  loop.close()
  for name in pairs(package.loaded) do
    local is_ours = name == "wingman" or name:sub(1, 8) == "wingman."
    if is_ours and name ~= "wingman.core" then package.loaded[name] = nil end
  end
  if jit then jit.flush() end
end
