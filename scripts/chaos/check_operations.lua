--- Checks of what became of each operation, without a look at the cluster's state.
local index_module = require "chaos.index"

local M = {}

---@param report chaos.report
local function settlements(index, report)
  for _, op in ipairs(index.history.ops) do
    local client = index.history.clients[op.client]
    local in_log = client.pending and client.pending[op.id]
    if op.settled > 1 then report:client("settled_twice", op, "its future was settled %d times", op.settled) end
    if op.acked and in_log then report:client("acked_and_pending", op, "acknowledged by %s, and still in the log", op.node) end
    if op.refused and op.settled > 0 then report:client("settled_twice", op, "refused with %s, and settled", op.refused) end
    -- What a process had in its hands when it was killed may be settled and untold;
    -- only what it had not yet written to its file may be gone.
    local was_killed = op.invoked < client.starts[#client.starts]
    local arrived = index.history.arrivals == nil or index.arrivals_of[op.id]
    local is_known = op.acked or op.failed or in_log or (was_killed and (not op.kept or arrived))
    if op.recorded and not is_known then
      report:client("vanished", op, "recorded, and then neither acknowledged, nor reported, nor in the log")
    end
    if in_log then report:client("stuck", op, "still in the log after all nodes were back") end
    if op.failed then report:count("reported", 1) end
    if op.refused then report:count("refused", 1) end
  end
end

local function counts(index, report)
  for name, client in pairs(index.history.clients) do
    local c = client.counts
    if c then
      local ended = c.ops_acked + c.ops_rejected + c.ops_dropped + c.pending
      if c.ops_recorded + c.ops_loaded ~= ended then
        report:client("counts_differ", { client = name }, "%d recorded and %d loaded, but %d acknowledged, %d rejected, %d dropped, %d pending",
          c.ops_recorded, c.ops_loaded, c.ops_acked, c.ops_rejected, c.ops_dropped, c.pending)
      end
      report:count("resent", c.ops_resent or 0)
    end
  end
end

-- An acknowledgement is true only if the operation came to the node that gave it.
local function arrivals(index, report)
  if not index.history.arrivals then return end
  for _, op in ipairs(index.history.ops) do
    local list = index.arrivals_of[op.id] or {}
    if #list > 1 then report:count("duplicated", #list - 1) end
    if op.acked and op.time then
      local there = false
      for _, arrival in ipairs(list) do there = there or (arrival.node == op.node and not arrival.refused) end
      if not there then
        report:client("never_arrived", op, "counts as acknowledged by %s, which never took it", op.node)
      end
    end
    if op.refused and #list > 0 then report:client("refused_and_sent", op, "refused with %s, and sent", op.refused) end
  end
end

-- A v2 server knows no other order than that of arrival: over one connection the
-- operations of a key arrive in the order of their writing, and each one once. (A 0.11
-- server goes by the clients' clocks, and may get them in any order.)
local function arrival_order(index, report)
  if index.history.dialect ~= "v2" then return end
  local seen, latest = {}, {}
  for _, arrival in ipairs(index.arrivals) do
    local op = arrival.op
    local place = op.client .. " " .. arrival.session .. " " .. op.key
    local copy = arrival.session .. " " .. op.id
    if not arrival.refused then
      local before = latest[place]
      if seen[copy] then
        report:client("sent_twice", op, "sent twice to %s over one connection", arrival.node)
      elseif before and before.order > op.order then
        report:client("order", op, "came to %s after the later write %s, over one connection", arrival.node, before.id)
      end
      seen[copy] = true
      if not before or before.order < op.order then latest[place] = op end
    end
  end
end

-- A client's own stamps grow, so that the newest record of a key is its last write.
local function clocks(index, report)
  local last = {}
  for _, op in ipairs(index.history.ops) do
    if op.time then
      local before = last[op.client]
      if before and not index_module.is_earlier(before.time, op.time) then
        report:client("clock", op, "stamped %s, not after %s of %s", op.time, before.time, before.id)
      end
      last[op.client] = op
    end
  end
end

-- `direct` routing: to whom the client's own map names as the owner.
local function routes(index, report)
  for _, op in ipairs(index.history.ops) do
    if op.acked and op.node and op.partition and not index:was_owner_for(op.client, op.partition, op.node, op.invoked, op.acked) then
      report:client("misrouted", op, "sent to %s, which no map of the client named as the owner of partition %d", op.node, op.partition)
    end
  end
end

-- A client reads its own writes at once, and nobody reads what was not written.
local function reads(index, report)
  for _, read in ipairs(index.history.reads) do
    local op = read.saw and index.history.by_id[read.saw]
    if read.wrong then
      report:client("unknown_value", { key = read.key, client = read.client }, "read what nobody wrote: %s", read.wrong)
    elseif read.saw and (not op or op.key ~= read.key or op.kind ~= "set" or op.invoked > read.at) then
      report:client("unknown_value", { key = read.key, client = read.client }, "read %s, which was not written to it", read.saw)
    elseif read.own and read.saw ~= read.expected then
      report:client("stale_read", { key = read.key, client = read.client }, "read %s, not its own last write %s",
        tostring(read.saw), tostring(read.expected))
    end
  end
end

---@param index chaos.index
---@param report chaos.report
function M.run(index, report)
  settlements(index, report)
  counts(index, report)
  arrivals(index, report)
  arrival_order(index, report)
  clocks(index, report)
  routes(index, report)
  reads(index, report)
end

return M
