-- Wingman on the loop of a luv host (Debian: lua-luv), which waits for its own things
-- and for ours: a step when our descriptor is readable, or when our timeout is over.
-- Settings as in tick_plugin.lua.
--
--   luajit scripts/plugins/luv_plugin.lua
local prefix = os.getenv "WINGMAN_PREFIX"
if prefix then
  package.path = prefix .. "/share/lua/5.1/?.lua;" .. prefix .. "/share/lua/5.1/?/init.lua;" .. package.path
  package.cpath = prefix .. "/lib/lua/5.1/?.so;" .. package.cpath
end
local uv = require "luv"
local wingman = require "wingman"

local client = wingman.client { cluster = assert(os.getenv "WINGMAN_CLUSTER", "WINGMAN_CLUSTER is not set"), auth = { token = os.getenv "WINGMAN_TOKEN" } }

local ours = uv.new_poll(client:fds()[1])
local alarm = uv.new_timer()
local function step()
  client:step(1000)
  if client.closed then return end
  local seconds = client:timeout()
  if seconds then alarm:start(math.ceil(seconds * 1000), 0, step) else alarm:stop() end
end
ours:start("r", step)

wingman.spawn(function()
  assert(client:start())
  assert(client:map "luv":set("hello", { from = "luv" }))
  assert(client:drain(5))
  print("acknowledged: " .. client:map "luv":get "hello".from)
  client:close()
  ours:stop()
  alarm:stop()
end)
step()
uv.run()
