--- The kinds of work that a run measures: writes, reads of keys from their owners, queries. Each has a
--- counter of what was done, a latency, and that latency over time. Reports and the limit of a run go by this
--- list; the first kind that took place is what a report speaks of first.

---@class wingman.metrics.work
---@field name string      of one, for texts: "write", "read", "query"
---@field many string      "writes", "reads", "queries"
---@field count string     the counter of what was done
---@field latency string   the trend
---@field series string    the latency in a point of the series

---@type wingman.metrics.work[]
return {
  { name = "write", many = "writes", count = "ops_acked", latency = "op_latency", series = "latency" },
  { name = "read", many = "reads", count = "reads", latency = "read_latency", series = "read_latency" },
  { name = "query", many = "queries", count = "queries", latency = "query_latency", series = "query_latency" },
}
