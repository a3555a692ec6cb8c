--- Wingman: a client host for TopGun clusters.
---
---   local wingman = require "wingman"
---   wingman.run(function()
---     local client = wingman.client { cluster = "sim://3" }
---     assert(client:start())
---     client:map "test":set("key-1", { v = 1 })
---     assert(client:drain(5))
---     client:close()
---   end)
local client = require "wingman.client"
local core = require "wingman.core"
local loop = require "wingman.loop"
local msgpack = require "wingman.base.msgpack"
local policies = require "wingman.policy.list"

require "wingman.client.node_report" -- topgun:// asks its nodes with it

local policy = {}
for kind, about in pairs(policies.kinds) do policy[kind] = about.module end

return {
  --- The version of Wingman, as `wingman --version` says it: "0.1.0".
  ---@type string
  _VERSION = core.version,
  --- Makes a client: see wingman.client and wingman.client.options.rules.
  client = client.new,
  --- Runs a function as a task, and the loop until it returns.
  run = loop.run,
  --- Waits for some seconds.
  sleep = loop.sleep,
  --- Runs one bounded turn of the loop, for a host with a loop of its own.
  step = loop.step,
  --- For hosts with a poll loop: descriptors that are readable when a step has work, and
  --- the seconds after which it has work in any case.
  fds = loop.fds,
  timeout = loop.timeout,
  --- Closes and forgets everything, so that the next require loads Wingman anew: see wingman.client.unload.
  unload = require "wingman.client.unload",
  spawn = loop.spawn,
  --- The rows of a query by key: { key = value }.
  by_key = require("wingman.client.query.rows").by_key,
  --- Marks for values: see wingman.base.msgpack.
  null = msgpack.null,
  array = msgpack.array,
  map = msgpack.map,
  bin = msgpack.bin,
  --- The policies that Wingman has, by kind: routing, reconnect, circuit, endpoint, refresh.
  policy = policy,
}
