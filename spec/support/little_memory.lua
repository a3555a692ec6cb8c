--- A client's life in short, for the spec that lets each allocation fail: writes that are
--- acknowledged, reads, a query, a change. Ends with 0, or with 1 and an error.
local loop = require "wingman.loop"
local merkle_walk = require "wingman.cluster.merkle_walk"
local wingman = require "wingman"

-- A question whose answer could not be kept is waited for no longer than this (seconds).
merkle_walk.SILENCE = 1

local function must(ok, err)
  if ok == nil or ok == false then
    io.stderr:write("failed: ", tostring(err), "\n")
    os.exit(1)
  end
  return ok
end

local client = must(wingman.client {
  cluster = os.getenv "SPEC_URLS", auth = { token = os.getenv "SPEC_TOKEN" }, oplog = { path = os.getenv "SPEC_OPLOG" },
  reconnect = function() return 0.01 end, start_timeout = tonumber(os.getenv "SPEC_PATIENCE"), log_to = function() end,
  batch = { ack_timeout = 0.3 }, auth_timeout = 0.5,
})
loop.run(function()
  must(client:start())
  local map = client:map "little"
  map:on("change", function() end, { replicate = false })
  for i = 1, 40 do must(map:set("key-" .. i, { n = i, text = ("x"):rep(i * 20) })) end
  must(map:remove "key-40")
  must(client:drain(tonumber(os.getenv "SPEC_PATIENCE")))
  for i = 1, 39 do
    local value = map:get("key-" .. i)
    if type(value) ~= "table" or value.n ~= i then must(nil, "a value is another one") end
  end
  must(client:query("little", { limit = 5, sort = { n = "asc" } }))
  client:close()
end)
