--- scripts/plugins/tick_plugin.lua for a busy machine: the host's ticks begin to count once the
--- first of them is acknowledged, and the end comes when all are.
local plugin = dofile "scripts/plugins/tick_plugin.lua"
local loop = require "wingman.loop"
local client = require("wingman.client.open_clients").list()[1]

local PATIENCE = 60

local has_begun = false

return {
  tick = function()
    plugin.tick()
    has_begun = has_begun or assert(loop.wait_until(function() return client:stats().ops_acked > 0 end, PATIENCE))
  end,
  stop = function()
    assert(client:drain(PATIENCE))
    plugin.stop()
  end,
}
