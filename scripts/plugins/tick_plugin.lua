-- A plugin for tick_host: counts ticks in a map of the cluster, and prints to standard
-- error what the others count.
--
--   WINGMAN_PREFIX   where `cmake --install` has put Wingman, unless that is /usr or /usr/local
--   WINGMAN_CLUSTER  ws:// URLs with commas between them
--   WINGMAN_TOKEN    a token that the cluster accepts
local prefix = os.getenv "WINGMAN_PREFIX"
if prefix then
  package.path = prefix .. "/share/lua/5.1/?.lua;" .. prefix .. "/share/lua/5.1/?/init.lua;" .. package.path
  package.cpath = prefix .. "/lib/lua/5.1/?.so;" .. package.cpath
end
local wingman = require "wingman"

local client = assert(wingman.client {
  cluster = assert(os.getenv "WINGMAN_CLUSTER", "WINGMAN_CLUSTER is not set"),
  auth = { token = os.getenv "WINGMAN_TOKEN" },
  oplog = { when_full = "fail" }, -- a tick must not wait
})
local map = client:map "tick_host"
local me, ticks, acknowledged = assert(client.options.client_id), 0, 0

map:watch(nil, function(key, value) -- a replica: nothing is missed while the connection is away
  if key ~= me and value then io.stderr:write(("another plugin has %d ticks\n"):format(value.ticks)) end
end)
wingman.spawn(function() -- start waits, so it gets a task; the ticks go on
  local ok, err = client:start()
  if not ok then io.stderr:write(tostring(err), "\n") end
end)

return {
  tick = function()
    ticks = ticks + 1
    map:set(me, { ticks = ticks }, { on_ack = function(ok) acknowledged = acknowledged + (ok and 1 or 0) end })
    client:step(1000)
  end,
  stop = function()
    client:close()
    io.stderr:write(("%d of %d ticks acknowledged\n"):format(acknowledged, ticks))
  end,
}
