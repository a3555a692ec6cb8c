--- What many schedules come to, as numbers and as text.
local checker = require "chaos.checker"
local sorted = require "wingman.base.sorted"
local text_table = require "wingman.text.table"

local M = {}

--- Findings that are kept as texts.
local MOST_FINDINGS = 50

---@class chaos.summary
---@field schedules integer
---@field repaired integer     of them checked after repair, too
---@field not_whole integer    whose real nodes did not find each other again; then a new cluster was started
---@field failed integer[]     seeds with findings
---@field broken integer[]     seeds whose schedule could not be run to its end
---@field ops integer
---@field acknowledged integer
---@field duplicated integer   copies that nodes were sent, which change nothing
---@field resent integer       operations that went back to pending
---@field reported integer     errors that the caller was given
---@field refused integer      never recorded, with an error to the caller
---@field reads integer
---@field found integer        findings against the client, of any kind
---@field findings string[]    the first ones, in words
---@field lost_by_servers table<string, integer>
---@field faults table<string, integer>
local methods = {}
methods.__index = methods

---@return chaos.summary
function M.new()
  return setmetatable({
    schedules = 0, repaired = 0, not_whole = 0, failed = {}, broken = {}, ops = 0, acknowledged = 0, duplicated = 0, resent = 0, reported = 0, refused = 0,
    reads = 0, found = 0, lost_by_servers = {}, faults = {}, findings_by_kind = {}, findings = {},
  }, methods)
end

local function add_all(to, from)
  for name, count in pairs(from) do to[name] = (to[name] or 0) + count end
end

---@param result chaos.result
function methods:add(result)
  local report = result.report
  self.schedules = self.schedules + 1
  if result.repaired then self.repaired = self.repaired + 1 end
  if not result.whole then self.not_whole = self.not_whole + 1 end
  for _, name in ipairs { "ops", "acknowledged", "duplicated", "resent", "reported", "refused", "reads" } do
    self[name] = self[name] + (report.counts[name] or 0)
  end
  add_all(self.lost_by_servers, report.lost_by_servers)
  add_all(self.faults, result.injected)
  self.found = self.found + #report.findings
  for _, finding in ipairs(report.findings) do
    add_all(self.findings_by_kind, { [finding.kind] = 1 })
    if #self.findings < MOST_FINDINGS then
      table.insert(self.findings, ("seed %d: %s"):format(result.seed, checker.describe(finding)))
    end
  end
  if #report.findings > 0 then table.insert(self.failed, result.seed) end
end

--- A schedule that could not be run to its end.
function methods:broke(seed) table.insert(self.broken, seed) end

function methods:fault_count()
  local total = 0
  for _, count in pairs(self.faults) do total = total + count end
  return total
end

-- Findings of these kinds.
local function count_of(self, ...)
  local total = 0
  for _, kind in ipairs { ... } do total = total + (self.findings_by_kind[kind] or 0) end
  return total
end

---@return boolean
function methods:is_clean() return #self.failed == 0 and #self.broken == 0 end

local function rows_of(counts, words)
  local rows = {}
  for i, name in ipairs(sorted.keys(counts)) do rows[i] = { name, counts[name], words and words[name] or nil } end
  return rows
end

local function print_faults(self, about)
  local rows = rows_of(self.faults, about)
  table.insert(rows, 1, { "fault", "times", "what it is" })
  io.write("\nWhat went wrong, on purpose\n\n", text_table.format(rows, { heading = true, indent = "  " }))
end

--- Writes the end of a run.
---@param about table<string, string>  faults in words
function methods:print(about)
  local count = text_table.count
  print_faults(self, about)
  io.write("\nWhat became of the operations\n\n", text_table.format({
    { "written", self.ops, ("by the clients of %s schedules"):format(count(self.schedules)) },
    { "acknowledged", self.acknowledged, "" },
    { "reported", self.reported, "errors that the caller was given: a full log of the kind that drops" },
    { "refused", self.refused, "never recorded, with an error to the caller: a full log with when_full = 'fail'" },
    { "sent again", self.resent, "after a connection, an acknowledgement or a batch was lost" },
    { "duplicated", self.duplicated, "copies that nodes got, which changed nothing" },
    { "reads", self.reads, "each a value that was written, the writer's own last one" },
  }, { indent = "  " }))
  if next(self.lost_by_servers) then
    io.write("\nWhat servers had acknowledged, and no longer had\n\n",
      text_table.format(rows_of(self.lost_by_servers, checker.server_kinds), { indent = "  " }))
  end
  if next(self.findings_by_kind) then
    io.write("\nWhat the client did wrong\n\n",
      text_table.format(rows_of(self.findings_by_kind, checker.client_kinds), { indent = "  " }))
  end
  io.write(("\n%s schedules, %s faults, %s operations: %s findings against the client, among them %s operations lost, %s unacknowledged\n")
    :format(count(self.schedules), count(self:fault_count()), count(self.ops), count(self.found),
      count(count_of(self, "lost", "never_arrived")), count(count_of(self, "stuck", "vanished"))))
  io.write(("every acknowledged operation was verified at the nodes; in %s schedules every key's last value also after repair\n"):format(
    count(self.repaired)))
  if self.not_whole > 0 then
    io.write(("in %s the nodes did not find each other again, which is no client's doing\n"):format(count(self.not_whole)))
  end
  if #self.broken > 0 then io.write(("not run to their end: seeds %s\n"):format(table.concat(self.broken, " "))) end
end

--- As plain data.
function methods:data()
  return {
    schedules = self.schedules, repaired = self.repaired, not_whole = self.not_whole, operations = self.ops, acknowledged = self.acknowledged,
    reported = self.reported, refused = self.refused, resent = self.resent, duplicated = self.duplicated, reads = self.reads, found = self.found,
    found_by_kind = self.findings_by_kind, lost_by_servers = self.lost_by_servers, faults = self.faults, failed_seeds = self.failed,
    broken_seeds = self.broken, findings = self.findings,
  }
end

return M
