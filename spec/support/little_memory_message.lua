--- A host hears a message of 2.5 MB while the core has memory for it once: for the spec. Says
--- "ready", steps until the message is there, and writes how many bytes it has.
local ffi = require "ffi"
local loop = require "wingman.loop"
local wingman = require "wingman"

ffi.cdef "void fail_allocations(size_t min, size_t max, unsigned long skip, unsigned long fail_count);"

local MIB = 2 ^ 20

local client = assert(wingman.client {
  cluster = os.getenv "SPEC_URLS", auth = { token = os.getenv "SPEC_TOKEN" }, log_to = function() end,
})
local bytes
client:on("message", function(message)
  if message.type ~= "LARGE" then return end
  bytes = 0
  for _, text in ipairs(message.payload.texts) do bytes = bytes + #text end
end)
loop.run(function() assert(client:start()) end)
ffi.C.fail_allocations(MIB, 1024 * MIB, 1, 1000)
print "ready"
io.stdout:flush()
local limit = loop.now() + 60
while not bytes and loop.now() < limit do client:step(1000) end
print(bytes or "nothing")
client:close(0)
