--- Memory is short when the core gives operations their partitions by another hash: for the spec.
--- Writes what becomes of the writes meanwhile, and afterwards.
local ffi = require "ffi"
local loop = require "wingman.loop"
local wingman = require "wingman"

ffi.cdef "void fail_allocations(size_t min, size_t max, unsigned long skip, unsigned long fail_count);"

local client = assert(wingman.client {
  cluster = os.getenv "SPEC_URLS", auth = { token = os.getenv "SPEC_TOKEN" }, hash = "xxh64", log_to = function() end,
})
loop.run(function()
  assert(client:start())
  local map = client:map "m"
  assert(map:set("first", 1))
  assert(client:drain(20))
  ffi.C.fail_allocations(0, 2 ^ 30, 0, 1)
  print(client.core:set_hash "fnv1a")
  for i = 1, 50 do assert(map:set("key-" .. i, i)) end
  print("held", client:backlog().held)
  print("acknowledged", loop.wait_until(function() return client:pending_ops() == 0 end, 20))
  client:close()
end)
