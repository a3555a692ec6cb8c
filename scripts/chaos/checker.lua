--- Says of a recorded history, and of the state that the nodes were left in, whether
--- a client has lost, damaged or invented anything. Pure: the same input gives the
--- same answer, with no cluster about.
local check_operations = require "chaos.check_operations"
local check_state = require "chaos.check_state"
local index_module = require "chaos.index"

local M = {}

--- What is wrong with the client, by kind.
M.client_kinds = {
  vanished = "recorded, and neither acknowledged, nor reported, nor in the log",
  never_arrived = "counted as acknowledged by a node that never took it",
  lost = "acknowledged, and missing or older with no server to blame",
  not_repaired = "not at its owner after repair",
  repair_failed = "repair came to no end",
  stale_map = "did not learn of the cluster's map",
  stuck = "still in the log long after all nodes were back",
  unknown_value = "a value that nobody wrote",
  misrouted = "sent to a node that no map of the client named as the owner",
  order = "came after a later write, over one connection",
  sent_twice = "sent twice over one connection of a v2 node",
  settled_twice = "a future settled twice",
  acked_and_pending = "acknowledged, and still in the log",
  refused_and_sent = "refused to the caller, and sent",
  counts_differ = "the client's counters do not add up",
  clock = "a stamp that is not later than the one before",
  time = "held with another time than it was written at",
  stale_read = "a client did not read its own write",
  replica_differs = "a replica is not what the nodes hold",
  replica_late = "a replica did not become equal to the nodes",
}

--- What servers did with acknowledged operations, by kind.
M.server_kinds = {
  node_ended = "lost with the memory of a node that ended",
  not_the_owner = "acknowledged and dropped by a 0.11 node that was not the owner",
  stamped_late = "overwritten by an older write that a v2 node applied late and stamped as new",
}

---@class chaos.finding
---@field kind string
---@field op string|nil
---@field key string|nil
---@field client string|nil
---@field text string

---@class chaos.report
---@field findings chaos.finding[]        what the client did wrong
---@field lost_by_servers table<string, integer>  operations by kind
---@field counts table<string, integer>
local report_methods = {}
report_methods.__index = report_methods

---@param about table  an operation, or what is known
function report_methods:client(kind, about, format, ...)
  assert(M.client_kinds[kind], kind)
  self.findings[#self.findings + 1] = {
    kind = kind, op = about.id, key = about.key, client = about.client, text = format:format(...),
  }
end

function report_methods:server(kind, op)
  assert(M.server_kinds[kind], kind)
  if self.blamed[op.id] then return end
  self.blamed[op.id] = kind
  self.lost_by_servers[kind] = (self.lost_by_servers[kind] or 0) + 1
end

function report_methods:count(name, by) self.counts[name] = (self.counts[name] or 0) + by end

--- Checks a history.
---@param history chaos.history
---@param state chaos.state  as the faults left it
---@return chaos.report
function M.check(history, state)
  local report = setmetatable({ findings = {}, lost_by_servers = {}, blamed = {}, counts = {} }, report_methods)
  local index = index_module.new(history)
  for _, op in ipairs(history.ops) do
    report:count("ops", 1)
    if op.acked then report:count("acknowledged", 1) end
  end
  report:count("reads", #history.reads)
  check_operations.run(index, report)
  check_state.run(index, state, report)
  return report
end

--- Checks the state after every client has repaired, too.
---@param history chaos.history
---@param repaired chaos.state
---@param report chaos.report
function M.check_repaired(history, repaired, report)
  check_state.run_repaired(index_module.new(history), repaired, report)
end

--- A finding as one line.
---@param finding chaos.finding
function M.describe(finding)
  return ("%s: %s%s: %s"):format(finding.kind, finding.op or finding.client or "?", finding.key and " of key " .. finding.key or "",
    finding.text)
end

return M
