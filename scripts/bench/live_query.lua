--- What a change costs with a live query: 100,000 rows, of which the first ten are shown.
local directory = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = directory .. "/?.lua;" .. package.path

local cjson = require "cjson"
local median = require "median"
local plan_module = require "wingman.client.query.plan"
local read_options = require "options"
local wingman = require "wingman"
local text_table = require "wingman.text.table"

local USAGE = [[
usage: wingman run scripts/bench/live_query.lua [--rounds N] [--json]

100,000 records, and 10,000 changes of them, each written and then evaluated. In rounds that alternate between

  none     no live query: what a write costs alone
  apart    one of the ten highest scores of a team; the changes are of another team
  ten      one of the ten highest scores; every score is changed
  all      one of all records by score; every score is changed

and, for comparison, the rows by sorting all records once.

  --rounds N  rounds (default 3)
  --json      one JSON object as the last line, microseconds under "us"
]]

local RECORDS, CHANGES, STEP = 100000, 10000, 100
local QUERIES = {
  none = false,
  apart = { where = { team = "red" }, sort = "score desc", limit = 10 },
  ten = { sort = "score desc", limit = 10 },
  all = { sort = "score desc" },
}
local NAMES = { "none", "apart", "ten", "all" }

local function key_of(i) return ("player:%06d"):format(i) end

-- The client is never started: what is measured is its own work.
local function filled()
  local client = assert(wingman.client { server = "ws://127.0.0.1:1", oplog = { max_ops = 4 * RECORDS } })
  local map = client:map "players"
  for i = 1, RECORDS do assert(map:set(key_of(i), { team = i % 2 == 0 and "blue" or "red", score = (i * 7919) % RECORDS })) end
  return client, map
end

-- Microseconds of CPU time for one change; rows that were told.
local function measure(name)
  local client, map = filled()
  local query, told = QUERIES[name], 0
  local live = query and client:live_query("players", query)
  if live then live:on("row", function() told = told + 1 end) end
  client:drain_events()
  collectgarbage()
  local before, began = told, os.clock()
  for i = 1, CHANGES do
    assert(map:set(key_of((i * 104729) % (RECORDS / 2) * 2 + 2), { team = "blue", score = (i * 31) % RECORDS }))
    if i % STEP == 0 then client:drain_events() end
  end
  local seconds = os.clock() - began
  client:close()
  return seconds / CHANGES * 1e6, told - before
end

-- Microseconds for the rows by sorting all of them.
local function sorting()
  local client, map = filled()
  local plan, rows, began = plan_module.of { sort = "score desc", limit = 10, offset = 0 }, {}, os.clock()
  for key, value in map:each() do rows[#rows + 1] = { key = key, value = value } end
  plan_module.arrange(plan, rows)
  local seconds = os.clock() - began
  client:close()
  return seconds * 1e6
end

-- KB of Lua memory that a live query of all records takes.
local function memory()
  local client = filled()
  collectgarbage()
  local before = collectgarbage "count"
  local live = client:live_query("players", QUERIES.ten)
  client:drain_events()
  collectgarbage()
  local kilobytes = collectgarbage "count" - before
  live:close()
  client:close()
  return kilobytes
end

wingman.run(function()
  local options = read_options(USAGE, { rounds = 3 })
  local times, told, sorts = { none = {}, apart = {}, ten = {}, all = {} }, {}, {}
  for _ = 1, options.rounds do
    for _, name in ipairs(NAMES) do
      local us
      us, told[name] = measure(name)
      table.insert(times[name], us)
    end
    table.insert(sorts, sorting())
  end
  local result = { rounds = options.rounds, us = { sort = median(sorts) }, kilobytes = memory() }
  local rows = { { "per change, 100,000 records", "time", "rows told" } }
  for _, name in ipairs(NAMES) do
    result.us[name] = median(times[name])
    rows[#rows + 1] = { name, ("%.1f us"):format(result.us[name]), tostring(told[name]) }
  end
  rows[#rows + 1] = { "sorting once", ("%.0f us"):format(result.us.sort), "" }
  io.write(text_table.format(rows, { heading = true, indent = "  " }), ("  %.0f MB of Lua memory\n"):format(result.kilobytes / 1024))
  if options.json then io.write(cjson.encode(result), "\n") end
end)
