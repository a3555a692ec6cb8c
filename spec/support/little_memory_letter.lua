--- Memory is short when the core keeps a dead letter for the op log's file, once and at the first
--- try after that: for the spec. Writes what the client says of the file, one word a line; then
--- the process ends without a close.
local ffi = require "ffi"
local loop = require "wingman.loop"
local wingman = require "wingman"

ffi.cdef [[
void fail_allocations(size_t min, size_t max, unsigned long skip, unsigned long fail_count);
void _exit(int code);
]]

local client = assert(wingman.client {
  cluster = os.getenv "SPEC_URLS", auth = { token = os.getenv "SPEC_TOKEN" }, oplog = { path = os.getenv "SPEC_OPLOG" },
  log_to = function() end,
})
local reported = {}
client:on("oplog_error", function(err) reported[#reported + 1] = err.problem end)
client:on("oplog_recovered", function() reported[#reported + 1] = "recovered" end)
loop.run(function()
  -- A v2 server stores nothing in a map of this name, which is known once it has answered.
  assert(client:map("bad-name"):set("k", { text = ("x"):rep(100000) }))
  assert(client:sync())
  ffi.C.fail_allocations(100000, 110000, 1, 2) -- the letter itself is the first one
  assert(client:start())
  loop.wait_until(function() return #reported == 2 end, 20)
  print(table.concat(reported, " "), #client:rejected())
  io.stdout:flush()
  ffi.C._exit(0)
end)
