--- Keeps a copy of a map in a file until it is killed: `run copy_keeper.lua FOLDER MAP TOKEN URL...`. A line "has N" says that the key
--- "round" has the value N, that each value of the form { v = NUMBER } is of that round or of a later one, and that they are in the
--- file, as ten times in turn it had nothing to write. With FULL=1 in the environment its files may not
--- grow beyond 100 KiB once the copy is synced; lines tell what is logged then.
local file_limit = require "spec.support.file_limit"
local loop = require "wingman.loop"
local wingman = require "wingman"

local folder, name, token = arg[1], arg[2], arg[3]
local seeds = { unpack(arg, 4) }

local function say(...)
  io.stdout:write(string.format(...), "\n")
  io.stdout:flush()
end

wingman.run(function()
  local client = assert(wingman.client {
    cluster = { seeds = seeds }, auth = { token = token }, copy = { path = folder },
    log_to = function(_, event, fields)
      if event:find "^copy_" then say("%s %s", event, fields.reason or "") end
    end,
  })
  assert(client:start())
  local map = client:map(name)
  local copy = assert(map:replicate { persist = true })
  assert(copy:synced(60))
  if os.getenv "FULL" then file_limit.set(100 * 1024) end
  say "synced"
  if os.getenv "FULL" then
    loop.wait_until(function() return map:get "grow" == false end, 60)
    file_limit.set(nil)
  end
  -- Nodes announce changes without an order among them.
  local function has_all(round)
    for _, value in map:each() do
      if type(value) == "table" and type(value.v) == "number" and value.v < round then return false end
    end
    return true
  end
  local last
  while true do
    local round = map:get "round"
    if round ~= last and has_all(round) then
      local bytes, still = copy:status().file.bytes, 0
      while still < 10 do
        loop.sleep(0.02) -- in which the copy is asked for what it has to write
        local now = copy:status().file.bytes
        bytes, still = now, now == bytes and still + 1 or 0
      end
      say("has %s", tostring(round))
      last = round
    end
    loop.sleep(0.01)
  end
end)
