--- The counters of a client.
local text_table = require "wingman.text.table"
local view = require "wingman.inspect.view"

local M = {}

local PERCENTILES = { { "p50", "p50" }, { "p90", "p90" }, { "p99", "p99" }, { "p99.9", "p999" } }

local counters = {
  { "operations", "ops_recorded", "recorded" }, { "", "ops_loaded", "from the op log's file" },
  { "", "ops_acked", "acknowledged" }, { "", "ops_rejected", "rejected" }, { "", "ops_dropped", "dropped" },
  { "", "ops_resent", "sent again" }, { "", "pending", "pending now" }, { "", "held", "without a route now" },
  { "", "ops_aside", "tried apart from the others now" },
  { "batches", "batches_sent", "sent" }, { "", "batches_acked", "acknowledged" }, { "", "unmatched_acks", "acknowledgements that match no batch" },
  { "", "overloads", "refused by a server" },
  { "routing", "direct_routes", "direct" }, { "", "fallback_routes", "fallback" }, { "", "partition_misses", "without a map" },
}

local function render(data, paint)
  local rows = {}
  for _, counter in ipairs(counters) do rows[#rows + 1] = { counter[1], counter[3], data[counter[2]] or 0 } end
  local text = text_table.format(rows, { indent = "  " })
  if data.latency.count > 0 then
    local parts = {}
    for _, p in ipairs(PERCENTILES) do parts[#parts + 1] = p[1] .. " " .. text_table.duration(data.latency[p[2]]) end
    text = text .. ("  latency     from set to acknowledgement: %s, max %s\n"):format(table.concat(parts, ", "), text_table.duration(data.latency.max))
  end
  return (text:gsub("\n  (%l+)", function(word) return "\n  " .. paint("heading", word) end):gsub("^  (%l+)", function(word) return "  " .. paint("heading", word) end))
end

--- Counters since the client was made: those of client:stats() and
--- client:routing_metrics() by their names, pending and held operations, and the
--- latency of acknowledgements in seconds.
---@param client wingman.client
---@return table
function M.of(client)
  local data = {}
  local stats = client:stats()
  for name, value in pairs(stats) do
    if type(value) == "number" then data[name] = value end
  end
  for name, value in pairs(client:routing_metrics()) do data[name] = value end
  data.pending, data.held = client:pending_ops(), client:router_stats().held_ops
  data.latency = stats.ack_latency
  return view.of(data, render)
end

return M
