-- usage: wingman run burst_writer.lua URLS TOKEN MAP COUNT [RATE]
-- Writes COUNT keys to a map, as fast as it can or RATE a second, from a process of its
-- own.
local wingman = require "wingman"

local urls = {}
for url in arg[1]:gmatch "[^,]+" do urls[#urls + 1] = url end
local client = wingman.client { cluster = { seeds = urls }, auth = { token = arg[2] } }
assert(client:start())
local map = client:map(arg[3])
local rate = tonumber(arg[5])
for i = 1, tonumber(arg[4]) do
  assert(map:set("key-" .. i, { n = i }))
  if rate and i % math.ceil(rate / 100) == 0 then wingman.sleep(0.01) end
end
assert(client:drain(60))
client:close()
