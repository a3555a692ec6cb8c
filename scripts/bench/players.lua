--- usage: wingman run players.lua URLS TOKEN MAP
--- For scripts/bench/replica.lua: 50 players move at 20 Hz until the process is killed. Values have the time, `at`.
local core = require "wingman.core"
local loop = require "wingman.loop"
local wingman = require "wingman"

local HZ, PLAYERS = 20, 50

wingman.run(function()
  local urls = {}
  for url in arg[1]:gmatch "[^,]+" do urls[#urls + 1] = url end
  local client = wingman.client { cluster = { seeds = urls }, auth = { token = arg[2] } }
  assert(client:start())
  local map, round = client:map(arg[3]), 0
  print "ready"
  io.stdout:flush()
  local began = loop.now()
  while true do
    round = round + 1
    for i = 1, PLAYERS do assert(map:set("p" .. i, { x = round, y = i, at = core.wall_ms() })) end
    loop.sleep(began + round / HZ - loop.now())
  end
end)
