-- Writes to a simulated cluster and reads it back: prints the version and 1. For trying an
-- installation, in `wingman run` and in a plain luajit.
local wingman = require "wingman"

wingman.run(function()
  local client = wingman.client { cluster = "sim://3" }
  assert(client:start())
  local map = client:map "installed"
  assert(map:set("a", { x = 1 }))
  assert(client:drain(60))
  print(wingman._VERSION .. " " .. map:get "a".x)
  client:close()
end)
