--- Writes ticks of 20 to an op log until it is killed: `run oplog_writer.lua PATH FIRST`.
--- A line "written T" says that tick T is in the file, "acknowledged T" that the file
--- knows it to be settled: all ticks but every third.
local core = require "wingman.core"
local wingman = require "wingman"

local path, tick = arg[1], tonumber(arg[2])

local function say(what)
  io.stdout:write(what, " ", ("%d"):format(tick), "\n")
  io.stdout:flush()
end

wingman.run(function()
  local client = assert(wingman.client {
    server = "ws://127.0.0.1:1", oplog = { path = path }, batch = { in_flight = 100000 },
  })
  repeat -- what earlier rounds left stays in flight
    local _, count = client.core:foreign_take()
  until count == 0
  local map = client:map "m"
  while true do
    tick = tick + 1
    for i = 1, 20 do assert(map:set(("%d-%d"):format(tick, i), { tick = tick, i = i })) end
    assert(client:sync())
    say "written"
    local message = client.core:foreign_take()
    if tick % 3 ~= 0 then
      local ops = core.decode(message).payload.ops
      assert(client.core:foreign_ack(ops[#ops].id) == 20)
      assert(client:sync())
      say "acknowledged"
    end
  end
end)
