--- What the op log's file costs: the same writes with the log in memory and in a
--- file, in one run.
local directory = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = directory .. "/?.lua;" .. package.path

local cjson = require "cjson"
local median = require "median"
local read_options = require "options"
local wingman = require "wingman"
local loop = require "wingman.loop"
local text_table = require "wingman.text.table"

local USAGE = [[
usage: wingman run scripts/bench/oplog.lua [--rounds N] [--json]

Writes of three fields in ticks of 100: recorded, the log written (where it has a
file), taken as one batch, acknowledged. In rounds that alternate between

  memory  the op log in memory only
  file    the op log in a file: what is pending outlives the process (SIGKILL)
  disk    the same with sync = true: each tick waits for the disk

The ratios say how many times longer than with memory alone a write takes: the
median over the rounds of one run.

  --rounds N  rounds (default 7)
  --json      one JSON object as the last line, ratios under "ratios"
]]

local KEYS, BATCH = 10000, 100
local OPERATIONS = { memory = 200000, file = 200000, disk = 2000 }
local NAMES = { "memory", "file", "disk" }

local keys, names = {}, {}
for i = 1, KEYS do
  keys[i], names[i] = ("player:%05d"):format(i), "name " .. i
end

local ID = "\162id\181" -- the start of an operation: its id of 21 bytes follows

local function last_id(message)
  local at, last = math.max(1, #message - 400), nil
  repeat
    at = message:find(ID, at, true)
    if at then last, at = at, at + 4 end
  until not at
  return message:sub(last + 4, last + 24)
end

-- Nanoseconds per operation. The client is never started: its batches are taken out
-- here, as a provider with a transport of its own would take them.
local function measure(client, operations)
  local core, map = client.core, client:map "players"
  local began = loop.now()
  for i = 0, operations - 1 do
    local at = i % KEYS + 1
    assert(map:set(keys[at], { name = names[at], score = i, active = true }))
    if i % BATCH == BATCH - 1 then
      assert(client:sync())
      local message = core:foreign_take()
      assert(core:foreign_ack(last_id(message)) == BATCH)
    end
  end
  assert(client:sync())
  return (loop.now() - began) / operations * 1e9
end

local function bench(options)
  local clients, paths = {}, {}
  for _, name in ipairs(NAMES) do
    local oplog
    if name ~= "memory" then
      paths[name] = os.tmpname()
      os.remove(paths[name]) -- an empty file is a damaged one
      oplog = { path = paths[name], sync = name == "disk" }
    end
    clients[name] = assert(wingman.client { server = "ws://127.0.0.1:1", oplog = oplog })
  end
  local times = { memory = {}, file = {}, disk = {} }
  local ratios = { file = {}, disk = {} }
  for round = 0, options.rounds do -- round 0 warms up
    local took = {}
    for _, name in ipairs(NAMES) do took[name] = measure(clients[name], OPERATIONS[name]) end
    if round > 0 then
      for _, name in ipairs(NAMES) do table.insert(times[name], took[name]) end
      for name, values in pairs(ratios) do table.insert(values, took[name] / took.memory) end
    end
  end
  for _, name in ipairs(NAMES) do clients[name]:close() end
  for _, path in pairs(paths) do os.remove(path) end
  local result = { rounds = options.rounds, batch = BATCH, ratios = {}, ns = {} }
  for name, values in pairs(ratios) do result.ratios[name] = median(values) end
  for name, values in pairs(times) do result.ns[name] = median(values) end
  return result
end

wingman.run(function()
  local options = read_options(USAGE, { rounds = 7 })
  local result = bench(options)
  local rows = { { "per write, ticks of 100", "time", "times memory" } }
  local titles = { memory = "in memory", file = "in a file", disk = "in a file, sync = true" }
  for _, name in ipairs(NAMES) do
    rows[#rows + 1] = { titles[name], ("%.0f ns"):format(result.ns[name]),
      ("%.2f"):format(result.ratios[name] or 1) }
  end
  io.write(text_table.format(rows, { heading = true, indent = "  " }))
  if options.json then io.write(cjson.encode(result), "\n") end
end)
