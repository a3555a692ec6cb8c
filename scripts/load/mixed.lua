--- The workloads of YCSB, A to F, on maps: WORKLOAD=A (update heavy) B (read mostly)
--- C (read only) D (read latest) E (short scans, as queries) F (read-modify-write).
local load = require "wingman.load"

local workloads = {
  A = { read = 50, update = 50 }, B = { read = 95, update = 5 }, C = { read = 100 },
  D = { read = 95, insert = 5, distribution = "latest" }, E = { scan = 95, insert = 5 }, F = { read = 50, modify = 50 },
}
local name = (os.getenv "WORKLOAD" or "A"):upper()
local mix = assert(workloads[name], "WORKLOAD is one of A B C D E F")
local RECORDS = 1000

local steps = {}
function steps.read(vu, map) vu:check("read", map:get(vu:key()) ~= nil) end
function steps.update(vu, map) map:set(vu:key(), { field0 = vu:text(100) }) end
function steps.insert(vu, map) map:set(vu:new_key(), { field0 = vu:text(100) }) end
function steps.scan(vu) vu:check("scan", vu.client:query("usertable", { limit = vu:random(1, 20) }) ~= nil) end
function steps.modify(vu, map)
  local key = vu:key()
  local record = map:get(key)
  record.field0 = vu:text(100)
  map:set(key, record)
end

local order = { "read", "update", "insert", "scan", "modify" }
local function choose(vu)
  local left = vu:random(1, 100)
  for _, step in ipairs(order) do
    left = left - (mix[step] or 0)
    if left <= 0 then return step end
  end
end

return load.test {
  name = "mixed " .. name,
  cluster = os.getenv "WINGMAN_CLUSTER" or "sim://3",
  setup = function(hand)
    for i = 1, RECORDS do assert(hand:map "usertable":set("user" .. i, { field0 = ("x"):rep(100) })) end
  end,
  scenarios = {
    ycsb = {
      executor = "constant-arrival-rate", rate = tonumber(os.getenv "RATE") or (mix.scan and 50 or 1000), duration = os.getenv "DURATION" or "10s",
      keys = { count = RECORDS, prefix = "user", distribution = mix.distribution or "zipf" },
      exec = function(vu) steps[choose(vu)](vu, vu:map "usertable") end,
    },
  },
  thresholds = { ops_unacknowledged = { "count==0" }, iterations_dropped = { "count==0" }, lateness = { "p(99)<1s" } },
}
