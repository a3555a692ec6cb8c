--- A process that ends while its connections are in every state between nothing and an
--- answer: `odd_states.lua URL FILE [unload]`. It ends once the file is gone; with "unload"
--- Wingman ends before, and is loaded once more.
local url, file, unload = arg[1], arg[2], arg[3] == "unload"
local CLIENTS = 20

-- Looked for seldom: all descriptors but the standard ones are to be sockets.
local rounds = 0
local function goes_on()
  rounds = rounds + 1
  if rounds % 20 ~= 0 then return true end
  local opened = io.open(file)
  if opened then opened:close() end
  return opened ~= nil
end

local function connect(wingman)
  for _ = 1, CLIENTS do
    local client = wingman.client {
      server = url, auth = { token = "x" }, circuit = "never", connect_timeout = 0.05, log_to = function() end,
      reconnect = function() return 0.01 end,
    }
    wingman.spawn(function() client:start() end)
  end
end

local wingman = require "wingman"
if unload then
  connect(wingman)
  while goes_on() do wingman.step(1000) end
  wingman.unload()
  assert(require "wingman" ~= wingman, "it was not unloaded")
else
  wingman.run(function()
    connect(wingman)
    while goes_on() do wingman.sleep(0.005) end
  end)
end
print "whole"
