-- usage: luajit reload_host.lua PREFIX URLS TOKEN COUNT
-- Loads Wingman, writes, unloads it, COUNT times; prints what is left after every 25: descriptors and
-- resident kilobytes.
local prefix, urls, token, count = arg[1], {}, arg[3], tonumber(arg[4])
package.path = prefix .. "/share/lua/5.1/?.lua;" .. prefix .. "/share/lua/5.1/?/init.lua;" .. package.path
package.cpath = prefix .. "/lib/lua/5.1/?.so;" .. package.cpath
for url in arg[2]:gmatch "[^,]+" do urls[#urls + 1] = url end

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  return text
end

local function descriptors()
  -- After a moment: popen has closed the other end of its pipe then.
  local list, n = io.popen "sleep 0.2; ls /proc/$PPID/fd", 0
  for _ in list:lines() do n = n + 1 end
  list:close()
  return n
end

local function print_state()
  jit.flush() -- traces are LuaJIT's: how many there are depends on how fast the machine is
  collectgarbage()
  collectgarbage()
  print("left", descriptors(), read "/proc/self/status":match "VmRSS:%s+(%d+)")
end

local globals, loaded = {}, {}
for name in pairs(_G) do globals[name] = true end
for name in pairs(package.loaded) do loaded[name] = true end

for i = 1, count do
  local wingman = require "wingman"
  local client = wingman.client { cluster = { seeds = urls }, auth = { token = token } }
  assert(client:start())
  local map = client:map "reload"
  map:on("change", function() end, { replicate = false })
  assert(map:set("a", { n = i }))
  assert(client:drain(60))
  wingman.spawn(function() client:drain() end) -- somebody waits
  map:set("b", { n = i }, { on_ack = function() end })
  wingman.unload()
  if i % 25 == 0 then
    print_state()
    io.stdout:flush() -- the spec sees that it goes on
  end
end
for name in pairs(_G) do assert(globals[name], "a global is left: " .. name) end
for name in pairs(package.loaded) do
  assert(loaded[name] or name == "wingman.core" or not name:find "^wingman", "a module is left: " .. name)
end
