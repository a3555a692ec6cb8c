-- usage: wingman run players_writer.lua URLS TOKEN MAP PLAYERS ROUNDS
-- Players that move at 20 Hz, from a process of its own: writes "ready", and at the end "done", when all is
-- acknowledged. Keys p1 … , values { n = round, … }.
local loop = require "wingman.loop"
local wingman = require "wingman"

local HZ = 20

wingman.run(function()
  local urls = {}
  for url in arg[1]:gmatch "[^,]+" do urls[#urls + 1] = url end
  local client = wingman.client { cluster = { seeds = urls }, auth = { token = arg[2] } }
  assert(client:start())
  local map, players, rounds = client:map(arg[3]), tonumber(arg[4]), tonumber(arg[5])
  print "ready"
  io.stdout:flush()
  local began = loop.now()
  for round = 1, rounds do
    for i = 1, players do assert(map:set("p" .. i, { n = round, x = i, name = "player " .. i })) end
    loop.sleep(began + round / HZ - loop.now())
  end
  assert(client:drain(120))
  print "done"
  io.stdout:flush()
  client:close()
end)
