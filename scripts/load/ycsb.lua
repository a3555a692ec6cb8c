--- The core workloads of YCSB (Cooper et al., 2010) on a map. A read is one from the owner of the key.
---   WORKLOAD=B RATE=2000 DURATION=30s build/wingman run scripts/load/ycsb.lua
---
---   A  update heavy       50 % reads, 50 % updates          zipf
---   B  read mostly        95 % reads,  5 % updates          zipf
---   C  read only         100 % reads                        zipf
---   D  read latest        95 % reads,  5 % inserts          latest, of those that are acknowledged
---   E  short scans        95 % scans,  5 % inserts          zipf, 1 to 100 records
---   F  read-modify-write  50 % reads, 50 % read, changed and written    zipf
---
--- A record has ten fields of 100 bytes, and is written whole: a map has no update of a field. The load phase writes
--- RECORDS (1000) of them and is not measured. PHASE=load measures it alone, PHASE=run is without it.
---
--- E is refused, because it would not be what its name says: no TopGun server reads a range of keys, so a query reads
--- the whole map for each scan. SCAN=query measures that, with the records that a scan returns.
local load = require "wingman.load"

local MAP, FIELDS, FIELD_BYTES, LONGEST_SCAN = "usertable", 10, 100, 100

local function choice(variable, default, expected, known)
  local value = os.getenv(variable) or default
  if known[value] then return value end
  error(("%s: %s is expected, got '%s'"):format(variable, expected, value), 0)
end

-- Percentages.
local workloads = {
  A = { read = 50, update = 50 }, B = { read = 95, update = 5 }, C = { read = 100 },
  D = { read = 95, insert = 5, distribution = "latest" }, E = { scan = 95, insert = 5 }, F = { read = 50, modify = 50 },
}
local name = choice("WORKLOAD", "A", "one of A B C D E F", workloads)
local phase = choice("PHASE", "both", "load, run or both", { load = true, run = true, both = true })
local mix = workloads[name]
local records = assert(tonumber(os.getenv "RECORDS" or 1000), "RECORDS is no number")
if mix.scan and os.getenv "SCAN" ~= "query" then
  error("WORKLOAD=E: short scans are not possible: no TopGun server reads a range of keys. SCAN=query measures a query that "
    .. "reads the whole map for each scan", 0)
end

-- One table for all writes: set encodes it at once and keeps nothing of it. Its key is what a scan looks for.
local record = {}
local function fill(key, text)
  record.key = key
  for i = 1, FIELDS do record["field" .. i] = text() end
  return record
end
local function new_record(vu, key) return fill(key, function() return vu:text(FIELD_BYTES) end) end

local steps = {}

function steps.read(vu, map) map:read(vu:key()) end

function steps.update(vu, map)
  local key = vu:key()
  map:set(key, new_record(vu, key))
end

function steps.insert(vu) vu:insert(MAP, function(key) return new_record(vu, key) end) end

local function has_right_rows(rows, start, count)
  local last = start
  for i, row in ipairs(rows) do
    if row.key < last or i > count then return false end
    last = row.key
  end
  return #rows > 0
end

function steps.scan(vu)
  local start, count = vu:key(), vu:random(1, LONGEST_SCAN)
  local rows = vu:query(MAP, { where = { key = { gte = start } }, limit = count })
  vu:check("a scan has records from its first key on", rows ~= nil and has_right_rows(rows, start, count))
end

local function read_modify_write(vu)
  local map, key = vu:map(MAP), vu:key()
  local value = map:read(key)
  if value == nil then return end -- counted in reads_failed or reads_absent
  value["field" .. vu:random(1, FIELDS)] = vu:text(FIELD_BYTES)
  vu:wait(map:set(key, value))
end

function steps.modify(vu) vu:group("read-modify-write", read_modify_write) end

local operations = load.counter "ycsb_operations"
local order, tags = { "read", "update", "insert", "scan", "modify" }, {}
for _, step in ipairs(order) do tags[step] = { step = step } end

local function choose(vu)
  local left = vu:random(1, 100)
  for _, step in ipairs(order) do
    left = left - (mix[step] or 0)
    if left <= 0 then return step end
  end
end

local function operate(vu)
  local step = choose(vu)
  operations:add(1, tags[step])
  steps[step](vu, vu:map(MAP))
end

local function keys(distribution) return { count = records, prefix = "user", distribution = distribution } end

local scenarios, thresholds = {}, { ops_unacknowledged = { "count==0" }, errors = { "count==0" } }
if phase == "load" then
  scenarios.load = {
    executor = "shared-iterations", iterations = records, vus = 32, keys = keys "sequential",
    exec = function(vu)
      local key = vu:key()
      vu:wait(vu:map(MAP):set(key, new_record(vu, key)))
    end,
  }
else
  scenarios.ycsb = {
    executor = "constant-arrival-rate", rate = assert(tonumber(os.getenv "RATE" or mix.scan and 20 or 1000), "RATE is no number"),
    duration = os.getenv "DURATION" or "10s", keys = keys(mix.distribution or "zipf"), exec = operate,
  }
  thresholds.iterations_dropped, thresholds.lateness = { "count==0" }, { "p(99)<1s" }
  if mix.read then thresholds.reads_absent, thresholds.read_latency = { "count==0" }, { "p(99)<1s" } end
end

-- Each shard writes all records, so that none begins before they are there.
local function load_records(map)
  local text = ("x"):rep(FIELD_BYTES)
  for i = 1, records do assert(map:set("user" .. i, fill("user" .. i, function() return text end))) end
end

local function set_up(hand)
  local map = hand:map(MAP)
  if phase == "both" then load_records(map) end
  map:read "user1" -- the first read of a client opens what it goes through
end

return load.test {
  name = "ycsb " .. name,
  cluster = os.getenv "WINGMAN_CLUSTER" or "sim://3",
  setup = phase ~= "load" and set_up or nil,
  scenarios = scenarios,
  thresholds = thresholds,
}
