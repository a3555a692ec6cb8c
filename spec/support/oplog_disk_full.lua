--- An op log whose file may not grow for a while: `run oplog_disk_full.lua PATH WHEN_FULL`.
local file_limit = require "spec.support.file_limit"
local loop = require "wingman.loop"
local wingman = require "wingman"

local path = arg[1]
local text = ("x"):rep(1000)

local function open()
  return assert(wingman.client { server = "ws://127.0.0.1:1", oplog = { path = path, when_full = arg[2] } })
end

wingman.run(function()
  local client = open()
  local map, recorded, recovered = client:map "m", 0, false
  client:on("oplog_recovered", function() recovered = true end)
  file_limit.set(200 * 1024)
  local seq, err
  repeat
    seq, err = map:set("key-" .. recorded + 1, { text = text })
    if seq then recorded = recorded + 1 end
    if recorded % 20 == 0 then client:sync() end
  until not seq
  print(("full: %s %s"):format(err.code, err.message:match ": ([^:]*)$"))
  if client:stats().ops_dropped == 0 and client:pending_ops() == recorded and recorded < 1000 then print "everything recorded is pending" end
  file_limit.set(nil)
  assert(loop.wait_until(function() return recovered end, 5))
  assert(map:set("one more", true))
  print "recovered"
  assert(client:sync())
  client:close()
  client = open()
  if client:pending_ops() == recorded + 1 then print "everything is in the file" end
  client:close()
end)
