--- Checks of what the nodes hold at the end against what clients were answered. What is
--- missing or older is traced to the server that lost it; where nothing that servers
--- do explains it, the client has lost it.
local workload = require "chaos.workload"

local M = {}

---@class chaos.record
---@field op string|nil   which operation's value it is; nil for a removal and for nonsense
---@field removed boolean
---@field time string
---@field raw string|nil  a value that nobody wrote, as text

---@class chaos.state
---@field nodes table<string, table<string, chaos.record>>  node -> key -> record
---@field owners table<string, string>                      key -> node

-- No key has a value that nobody wrote, or that was written to another key.
local function values(index, state, report, is_repaired)
  for node, records in pairs(state.nodes) do
    for key, record in pairs(records) do
      local op = record.op and index.history.by_id[record.op]
      local name = { key = key, node = node }
      if record.raw then
        report:client("unknown_value", name, "%s holds what nobody wrote: %s", node, record.raw)
      elseif record.op and not op then
        report:client("unknown_value", name, "%s holds %s, which is no operation", node, record.op)
      elseif op and (op.key ~= key or op.kind ~= "set" or op.refused) then
        report:client("unknown_value", name, "%s holds %s, which was not written to it", node, record.op)
      elseif op and op.time and index.history.dialect == "0.11" and record.time ~= op.time and not is_repaired then
        report:client("time", op, "%s holds it with the time %s, not %s", node, record.time, op.time)
      end
    end
  end
end

-- The operation whose effect a record, or its absence, is: nil when it may be that
-- of any removal, or of none.
local function effect(index, record)
  if record and record.op then return index.history.by_id[record.op] end
  if record and index.history.dialect == "0.11" then return index.history.by_time[record.time] end
end

-- Whether the record that a node holds of a key may stand where `acked` was
-- acknowledged: it is that one, a later one, or one beside it.
local function may_stand(index, ops, record, acked)
  local held = effect(index, record)
  if held then return held == acked or not index:is_before(held, acked) end
  for _, op in ipairs(ops) do
    if op.kind == "remove" and (op == acked or not index:is_before(op, acked)) then return true end
  end
  return false
end

-- Which operation came late, after `acked` was applied, and stands now.
local function late_comer(index, ops, record, acked, node)
  local held = effect(index, record)
  for _, op in ipairs(ops) do
    local is_candidate = held and op == held or (not held and op.kind == "remove")
    if is_candidate and index:came_late(op, acked, node) then return op end
  end
end

-- Whether no operation that was acknowledged has surely replaced this one: only then
-- is anything gone when it is gone.
local function is_newest(index, ops, op)
  for _, other in ipairs(ops) do
    if other.acked and index:is_before(op, other) then return false end
  end
  return true
end

local function describe(record)
  if not record then return "nothing" end
  return record.op or "a removal"
end

-- v2: a record lives where it was acknowledged, as long as that node's memory.
local function v2_key(index, state, key, ops, report)
  for _, acked in ipairs(ops) do
    if acked.acked and acked.node then
      local records = state.nodes[acked.node]
      if not index:is_in_memory(acked) then
        if is_newest(index, ops, acked) then report:server("node_ended", acked) end
      elseif records and not may_stand(index, ops, records[key], acked) then
        local late = late_comer(index, ops, records[key], acked, acked.node)
        if late then report:server("stamped_late", acked)
        else
          report:client("lost", acked, "%s acknowledged it, has not ended since, and holds %s", acked.node, describe(records[key]))
        end
      end
    end
  end
end

local function only_foreign(index, op)
  local list = index.arrivals_of[op.id]
  if not list then return false end
  for _, arrival in ipairs(list) do
    if not arrival.foreign and not arrival.refused then return false end
  end
  return true
end

-- 0.11: the owner has what is newest by the clients' clocks, unless a node dropped it
-- because it was not the owner, or those that had it ended.
local function v0_11_key(index, state, key, ops, report)
  local record = (state.nodes[state.owners[key]] or {})[key]
  for _, acked in ipairs(ops) do
    if acked.acked and not may_stand(index, ops, record, acked) and is_newest(index, ops, acked) then
      if only_foreign(index, acked) then report:server("not_the_owner", acked)
      elseif index:a_node_ended_after(acked.invoked) then report:server("node_ended", acked)
      else
        report:client("lost", acked, "%s acknowledged it, no node has ended since, and the owner %s holds %s",
          tostring(acked.node), tostring(state.owners[key]), describe(record))
      end
    end
  end
end

--- Checks the state that the faults left.
---@param index chaos.index
---@param state chaos.state
---@param report chaos.report
function M.run(index, state, report)
  values(index, state, report)
  local check_key = index.history.dialect == "v2" and v2_key or v0_11_key
  for key, ops in pairs(index.by_key) do check_key(index, state, key, ops, report) end
end

-- The last operation of a key that one client alone writes, if that client can know
-- what it wrote: it was not killed since, and the operation was not given up.
local function last_known(index, ops)
  local last = ops[#ops]
  for _, op in ipairs(ops) do
    if op.client ~= last.client then return nil end
  end
  local starts = index.history.clients[last.client].starts
  return #starts == 1 and last.recorded and not last.failed and last or nil
end

--- Checks the state after every client has repaired: each key that one client writes
--- has its last value at its owner. Keys of the map that all write are not repaired, though by
--- chance only one client wrote one.
---@param index chaos.index
---@param state chaos.state
---@param report chaos.report
function M.run_repaired(index, state, report)
  values(index, state, report, true)
  for key, ops in pairs(index.by_key) do
    local last = not workload.is_shared(key) and last_known(index, ops) or nil
    local record = (state.nodes[state.owners[key]] or {})[key]
    local held = record and record.op
    local expected = last and last.kind == "set" and last.id or nil
    if last and held ~= expected then
      report:client("not_repaired", last, "after repair its owner %s holds %s", tostring(state.owners[key]), describe(record))
    end
  end
end

return M
